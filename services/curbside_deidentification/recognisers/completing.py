"""What follows from what was found: eponyms go, and what a document says again is found again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from curbside.phi import Category
from curbside_deidentification.domain.eponyms import Eponym, eponyms, without_eponyms
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import MODELS, Span
from curbside_deidentification.domain.written import outside
from curbside_deidentification.recognisers import RULES
from curbside_deidentification.recognisers.charted_initials import charted_initials
from curbside_deidentification.recognisers.given_name_before import given_names_before
from curbside_deidentification.recognisers.repeated_day import repeated_days
from curbside_deidentification.recognisers.repeated_id import repeated_ids
from curbside_deidentification.recognisers.repeated_initials import repeated_initials
from curbside_deidentification.recognisers.repeated_name import repetitions
from curbside_deidentification.recognisers.repeated_place import place_repetitions


def completed(text: str, found: Iterable[Span], lexicon: Lexicon, things: Sequence[Eponym]) -> list[Span]:
    """`found` without `things` (the text's eponyms), with the given names before its surnames, and with what
    stands in `text` again; nothing of what a policy wrote is in them."""
    kept = [*without_eponyms(outside(found, text), text, things)]
    kept += given_names_before(text, kept, lexicon)
    names = repeatable(kept, text)
    again = [
        *repeated_ids(text, kept),
        *repeated_days(text, kept),
        *charted_initials(text, kept, lexicon),
        *repeated_initials(text, names, lexicon),
        *repetitions(text, names, lexicon),
        *place_repetitions(text, kept, lexicon),
    ]
    again += given_names_before(text, again, lexicon)
    return [*kept, *without_eponyms(outside(again, text), text, things)]


def find_by_rule(text: str, lexicon: Lexicon) -> list[Span]:
    """What the rules find without the models, repeated names, places and numbers included."""
    found = (span for rule in RULES for span in rule.find(text, lexicon))
    return completed(text, found, lexicon, eponyms(text, lexicon))


def repeatable(found: Sequence[Span], text: str) -> list[Span]:
    """The names that are looked for again. One token of a model alone is too weak for that: it is a drug or
    a stitch as often as a person."""
    return [
        span
        for span in found
        if span.category is Category.NAME
        and (span.recogniser not in MODELS or " " in text[span.start : span.end].strip())
    ]
