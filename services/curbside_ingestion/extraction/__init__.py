"""From a document's bytes to the reports it holds. Everything here runs in a limited child (`child.py`)."""
