"""Deidentification: finds and replaces PHI, scores residual risk, quarantines what it is unsure of."""
