"""Seeded reports that nobody's record is behind: four types, patients with priors, PHI with gold spans.

The same seed gives the same bytes on every machine. Findings determine the diagnosis by the rules of
`conditions.py`; PHI templates come in families that can be held out whole, and so do the phrasings.
"""

from curbside.testing.reports.conditions import CONDITIONS, ReportType
from curbside.testing.reports.identities import KnownIdentifiers
from curbside.testing.reports.layout import PHI_FAMILIES, GoldSpan
from curbside.testing.reports.timeline import GeneratedReport, demo_reports, generate_patients

__all__ = [
    "CONDITIONS",
    "PHI_FAMILIES",
    "GeneratedReport",
    "GoldSpan",
    "KnownIdentifiers",
    "ReportType",
    "demo_reports",
    "generate_patients",
]
