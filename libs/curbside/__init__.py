"""Curbside: a private second opinion for hospitals. What the services share lives here."""

__version__ = "0.1.0"
