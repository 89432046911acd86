"""Clinical notes that nobody's record is behind, each PHI mention marked, for measuring a de-identifier.

Templates are data under `families/`: `development` is what rules may be written against, `held_out` has other
phrasings and other layouts and is only ever scored; of `unread` not even the forms of what was missed have
been looked at. Values are drawn by seed from halves of `values.yaml`, of which development has its own. What
is marked is what 45 CFR 164.514(b)(2) lists: a bare year, an age under 90, a state, a drug or an eponym is
not.
"""

from curbside.testing.notes.families import FamilySet, load_families
from curbside.testing.notes.writing import GoldSpan, Note, generate

__all__ = ["FamilySet", "GoldSpan", "Note", "generate", "load_families"]
