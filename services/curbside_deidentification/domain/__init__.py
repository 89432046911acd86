"""The rules of de-identification: what is PHI, what is not, what is too risky to pass on."""
