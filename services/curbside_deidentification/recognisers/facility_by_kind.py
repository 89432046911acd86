"""Hospitals, practices, homes and laboratories known by their kind. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

from collections.abc import Iterator

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.facilities import named_by_kind, town_beside


class FacilityByKind:
    """A name before a kind of place of care, in a sentence, a letterhead, a field or a text of capitals.

    "Outpatient Surgery Center" and "PAIN CLINIC" name no place: every word is one of a kind of care.
    In a letterhead the town stands beside the name.
    """

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for start, end in named_by_kind(text, lexicon):
            yield Span(start, end, Category.FACILITY, 0.86, type(self).__name__)
            if town := town_beside(text, end):
                yield Span(*town, Category.LOCATION, 0.8, type(self).__name__)
