"""The rules of training: recipes, packing, and how answers are measured."""
