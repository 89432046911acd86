"""Documents that are acknowledged and whose text is still to be extracted."""
