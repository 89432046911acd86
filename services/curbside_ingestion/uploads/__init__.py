"""Archives too large for one request: sent in pieces that may break off, kept sealed, and worked through."""
