"""How identifiers are written: the parts that patterns of several recognisers are made of."""
