"""Datasets: from de-identified text to versions of instruction examples with lineage."""
