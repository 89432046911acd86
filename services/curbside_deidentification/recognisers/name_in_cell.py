"""Names that fill a cell of a table or a field: "| Osgood, Ruth |". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.evidence import NameReader

_WORD: Final = r"[^\W\d_a-zß-öø-ÿ](?:[^\W\d_]|['’-](?=[^\W\d_])){1,24}"
_PARTICLES: Final = r"(?:(?:[Vv]an|[Vv]on|[Dd]e|[Dd]el|[Dd]er|[Dd]en|[Ll]a|[Dd]i|[Dd]a|VAN|DE|DER)[ ]){0,2}"
_CELL: Final = re.compile(
    rf"(?P<edge>[|\t=]|(?m:^)[ \t]{{0,4}}(?:\d{{1,2}}[.)][ ])?|"
    rf"[ ]{{2}})[ ]?(?:(?P<last>{_PARTICLES}{_WORD}),[ ]?(?P<first>{_WORD})(?:[ ][A-Z]\.?)?"
    rf"|(?P<given>{_WORD})[ ](?:[A-Z]\.?[ ])?(?P<family>{_PARTICLES}{_WORD}))"
    r"(?=[ ]?[|\t;]|[ ]?[\r\n]|\Z|[ ]{2}|[ ][-–—][ ]|[ ][(]|[ ]\d)"
)


class NameInCell:
    """ "Last, First" or "First Last", both frequent names: of words only between bars or tabs or behind an
    equals sign, for a line of two words is as often a heading."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        reader = NameReader(text, lexicon)
        for match in _CELL.finditer(text):
            comma = match["last"] is not None
            first, last = (
                match["first" if comma else "given"],
                match["last" if comma else "family"].split()[-1],
            )
            if {first.casefold(), last.casefold()} & NEVER_NAME:
                continue
            one, other = reader.word(first), reader.word(last)
            if (
                one is None
                or other is None
                or not one.given
                or not (other.last >= 1 or (comma and other.last > 0))
            ):
                continue
            tabular = match["edge"] in ("|", "\t", "=")
            if one.plain and other.plain and not (comma or tabular):
                continue
            start = match.start("last" if comma else "given")
            yield Span(start, match.end(), Category.NAME, 0.75, "NameInCell")
