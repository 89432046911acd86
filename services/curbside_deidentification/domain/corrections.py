"""What a reviewer says of a report's spans: accepted, removed, added. It holds offsets, and no text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from curbside.errors import BadInput, Conflict, NotFound
from curbside.phi import Category
from curbside_deidentification.domain.lexicon import WORD, Lexicon
from curbside_deidentification.domain.spans import Span

REVIEWER: Final = "Reviewer"
MENTION: Final = "ReviewerMention"  # another mention of what a reviewer added
_SURE: Final = 1.0
# "JD" and "92" stand for other things elsewhere; a word of three letters, or a number of five digits, hardly.
_LEAST_LETTERS: Final = 3
_LEAST_DIGITS: Final = 5


class UnknownSpan(NotFound):
    code = "deid.unknown-span"


class BadSpan(BadInput):
    code = "deid.bad-span"


class SpanOverlaps(Conflict):
    code = "deid.span-overlaps"
    title = "Other spans stand there"


class Status(StrEnum):
    FOUND = "found"  # by a recogniser, and nobody has decided on it
    ACCEPTED = "accepted"
    ADDED = "added"
    REMOVED = "removed"  # a false alarm
    REPLACED = "replaced"  # a reviewer's span stands in its place


@dataclass(frozen=True, slots=True)
class ReviewedSpan:
    span: Span
    status: Status
    reason: str = ""  # a reviewer's code
    by: str = ""  # who removed it, where an earlier release did not forget it

    @property
    def id(self) -> str:
        return f"{self.span.start}-{self.span.end}-{self.span.category}"

    @property
    def active(self) -> bool:
        """Whether its mention is replaced."""
        return self.status not in (Status.REMOVED, Status.REPLACED)


@dataclass(frozen=True)
class Review:
    """Every span that was found or added, by its place. The active ones are disjoint."""

    spans: tuple[ReviewedSpan, ...]

    @staticmethod
    def of(found: Sequence[Span]) -> Review:
        return Review(tuple(ReviewedSpan(span, Status.FOUND) for span in found))

    @property
    def active(self) -> tuple[Span, ...]:
        """What is replaced, in order. What a person decided on is sure, whoever found it."""
        return tuple(
            one.span if one.status is Status.FOUND else replace(one.span, score=_SURE)
            for one in self.spans
            if one.active
        )

    def accept(self, span_id: str, reason: str = "") -> Review:
        """Say that a span is PHI; one that was removed or replaced stands again."""
        one = self._named(span_id)
        if not one.active:
            self._require_free(one.span)
        kept = one.status if one.active and one.span.recogniser in (REVIEWER, MENTION) else Status.ACCEPTED
        return self._with(replace(one, status=kept, reason=reason or one.reason, by=""))

    def remove(self, span_id: str, reason: str = "", by: str = "") -> Review:
        """Say that a span is no PHI. Its words stand in the text again, since `by` said so first."""
        one = self._named(span_id)
        if one.status is Status.REPLACED:
            return self  # another span stands there already
        first = one.by if one.status is Status.REMOVED else by
        return self._with(replace(one, status=Status.REMOVED, reason=reason or one.reason, by=first))

    def add(
        self, text: str, start: int, end: int, category: Category, *, reason: str = "", instead: bool = False
    ) -> Review:
        """Say that `text[start:end]` is PHI, without the white space at its ends.

        What it overlaps is a conflict, unless it is to stand `instead` of it: then the whole of the other
        spans is replaced by it, also what they cover and it does not.
        """
        span = Span(*_trimmed(text, start, end), category, _SURE, REVIEWER)
        added = ReviewedSpan(span, Status.ADDED, reason)
        there = self.find(added.id)
        if there is not None and there.active:
            return self.accept(there.id, reason)
        review = self
        if instead:
            for one in self._over(span):
                review = review._with(replace(one, status=Status.REPLACED, reason=reason or one.reason))
        if there is not None:
            return review.accept(there.id, reason)
        review._require_free(span)
        return review._with(added)

    def with_mentions(self, text: str, of: Span, lexicon: Lexicon, parts: Sequence[Span] = ()) -> Review:
        """Also every other mention of the words of `of`, and `parts` of them, where no span stands and where
        nobody removed one: a name that was missed once is most likely missed elsewhere, too."""
        review = self
        for start, end in (
            *_mentions(text, of, lexicon),
            *((part.start, part.end) for part in parts),
        ):
            if not any(one.span.start < end and start < one.span.end for one in review.spans):
                review = review._with(
                    ReviewedSpan(Span(start, end, of.category, _SURE, MENTION), Status.ADDED)
                )
        return review

    def unhidden(self, places: Iterable[tuple[int, int]]) -> list[frozenset[str]]:
        """For each of `places` that no active span touches, who removed a span there."""
        return [
            frozenset(
                one.by
                for one in self.spans
                if one.status is Status.REMOVED and one.span.start < end and start < one.span.end
            )
            for start, end in places
            if not any(one.active and one.span.start < end and start < one.span.end for one in self.spans)
        ]

    def find(self, span_id: str) -> ReviewedSpan | None:
        return next((one for one in self.spans if one.id == span_id), None)

    def to_bytes(self) -> bytes:
        return json.dumps(
            [
                [
                    one.span.start,
                    one.span.end,
                    one.span.category,
                    one.span.score,
                    one.span.recogniser,
                    one.status,
                    one.reason,
                    one.by,
                ]
                for one in self.spans
            ]
        ).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Review:
        return Review(
            tuple(
                ReviewedSpan(Span(start, end, Category(category), score, recogniser), Status(status), *said)
                for start, end, category, score, recogniser, status, *said in json.loads(data)
            )
        )

    def _named(self, span_id: str) -> ReviewedSpan:
        one = self.find(span_id)
        if one is None:
            raise UnknownSpan(
                f"the report has no span {span_id!r}",
                field="span_id",
                mend="Take an id that the report shows.",
            )
        return one

    def _over(self, span: Span) -> list[ReviewedSpan]:
        return [
            one
            for one in self.spans
            if one.active and one.span.start < span.end and span.start < one.span.end
        ]

    def _require_free(self, span: Span) -> None:
        over = self._over(span)
        if over:
            raise SpanOverlaps(
                f"it overlaps {len(over)} other spans: {', '.join(one.id for one in over)}",
                field="start",
                mend='Add it with "instead": true to put it in their place, or remove them first.',
                spans=[one.id for one in over],
            )

    def _with(self, changed: ReviewedSpan) -> Review:
        others = [one for one in self.spans if one.id != changed.id]
        return Review(tuple(sorted([*others, changed], key=lambda one: one.span)))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    if not 0 <= start < end <= len(text):
        raise BadSpan(
            f"a span from {start} to {end} is not in a text of {len(text)} characters",
            field="end" if 0 <= start < len(text) else "start",
            mend="Count Unicode code points from 0, the end not included.",
        )
    inside = text[start:end]
    if not inside.strip():
        raise BadSpan("there is only white space in the span", field="start", mend="Mark what identifies.")
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


def _mentions(text: str, of: Span, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Where the words of `of` stand again as whole words, with any space between them. In any case, unless
    all of them are also words of the vocabulary: "May" is then not "may"."""
    words = text[of.start : of.end].split()
    said = "".join(words)
    if not (any(map(str.isalpha, said)) and len(said) >= _LEAST_LETTERS) and len(said) < _LEAST_DIGITS:
        return
    names = WORD.findall(" ".join(words))
    exact = bool(names) and all(lexicon.is_word(name) for name in names)
    pattern = r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)"
    for match in re.finditer(pattern, text, 0 if exact else re.IGNORECASE):
        if match.span() != (of.start, of.end):
            yield match.span()
