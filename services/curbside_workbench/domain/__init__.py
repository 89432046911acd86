"""What the page shows of an opinion, without knowing what draws it."""
