"""Known identifiers: what travels with a report is searched for in every spelling."""

from curbside_deidentification.domain.known.finder import KnownFindings, find_known, search_known, undecided
from curbside_deidentification.domain.known.identifiers import Known, KnownWords
from curbside_deidentification.domain.known.rules import RULES

# Names the tables that the search reads, as a policy's label names its file.
KNOWN_DIGEST = RULES.digest

__all__ = [
    "KNOWN_DIGEST",
    "RULES",
    "Known",
    "KnownFindings",
    "KnownWords",
    "find_known",
    "search_known",
    "undecided",
]
