"""Workbench: the page on which a report is pasted and answered."""
