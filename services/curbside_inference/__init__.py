"""Inference: answers the four tasks through an engine, and holds the embedded one."""
