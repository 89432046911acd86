"""What the source already says of patient, relatives and staff is matched first and surest.

A recogniser that does not know the site falls hard on another one's names; the list of the patient's own
identifiers is what brings recall back (Neamatullah et al. 2008, doi:10.1186/1472-6947-8-32).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from curbside_deidentification.domain.known.addresses import find_addresses, find_emails
from curbside_deidentification.domain.known.dates import find_dates
from curbside_deidentification.domain.known.identifiers import Known, KnownWords
from curbside_deidentification.domain.known.names import find_names
from curbside_deidentification.domain.known.numbers import find_numbers
from curbside_deidentification.domain.known.spelling import Reading
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span


@dataclass(frozen=True, slots=True)
class KnownFindings:
    """`spans` are identifiers; at each of `doubtful` a known name may stand or the word that it also is."""

    spans: tuple[Span, ...]
    doubtful: tuple[tuple[int, int], ...]

    def undecided(self, found: Iterable[Span]) -> list[tuple[int, int]]:
        """The doubtful places that none of `found` covers."""
        spans = list(found) if self.doubtful else []
        return [
            (start, end)
            for start, end in self.doubtful
            if not any(span.start <= start and end <= span.end for span in spans)
        ]


def search_known(text: str, known: Known, lexicon: Lexicon, words: KnownWords) -> KnownFindings:
    """Every mention of `known` in `text`, however spelled. Offsets are code points of `text`."""
    if known == Known():
        return KnownFindings((), ())
    reading = Reading.of(text)
    names = find_names(reading, known.names, lexicon, words)
    spans = (
        *names.spans,
        *find_numbers(reading, known, lexicon),
        *find_dates(reading, known.dates),
        *find_addresses(reading, known.addresses, lexicon),
        *find_emails(reading, known.emails),
    )
    return KnownFindings(spans, names.undecided)


def find_known(text: str, known: Known, lexicon: Lexicon, words: KnownWords) -> Iterator[Span]:
    """The spans of `search_known`."""
    yield from search_known(text, known, lexicon, words).spans


def undecided(
    text: str, known: Known, lexicon: Lexicon, words: KnownWords, found: Iterable[Span]
) -> list[tuple[int, int]]:
    """Where a part of a known name stands that may be a name or a word, and none of `found` covers it."""
    return search_known(text, known, lexicon, words).undecided(found)
