"""Recall, precision and zero-leak, token by token, by the rules of `../shared/bench/phi_score.py`.

A token is a run of letters and digits, and is PHI where it overlaps a gold span that Safe Harbor names.
Titles, generic words ("hospital") and labels that Safe Harbor leaves alone count neither way, and neither
does a bare year of a date (45 CFR 164.514(b)(2)(i)(C)).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_TOKEN: Final = re.compile(r"[A-Za-z0-9]+")
_YEAR: Final = re.compile(r"(19|20)\d\d")
_GENERIC: Final = frozenset(
    re.findall(
        r"\w+",
        "dr mr mrs ms miss prof md do rn np pa phd the of and at in on for a an hospital hospitals clinic "
        "clinics center centre centers medical health healthcare care general",
    )
)
# None: a label that counts neither way. What is not listed is an identifying number.
_KINDS: Final[Mapping[str, str | None]] = MappingProxyType(
    {
        "NAME": "NAME",
        "GEOGRAPHIC_LOCATION": "LOCATION",
        "DATE": "DATE",
        "PHONE_NUMBER": "CONTACT",
        "FAX_NUMBER": "CONTACT",
        "EMAIL_ADDRESS": "CONTACT",
        "IP_ADDRESS": "CONTACT",
        "PERSON": "NAME",
        "STREET_ADDRESS": "LOCATION",
        "GPE": "LOCATION",
        "ZIP_CODE": "LOCATION",
        "DATE_TIME": "DATE",
        "DOMAIN_NAME": "CONTACT",
        "ORGANIZATION": None,
        "TITLE": None,
        "NRP": None,
        "AGE": None,
    }
)


@dataclass(frozen=True)
class Gold:
    """A document and what in it is to be found: `(start, end, label)` in code points."""

    id: str
    text: str
    spans: Sequence[tuple[int, int, str]]


@dataclass(frozen=True)
class Predicted:
    """What a de-identifier said of a document."""

    spans: Sequence[tuple[int, int]]
    quarantined: bool = False


@dataclass(frozen=True)
class Miss:
    """A gold span of which some token was left."""

    document: str
    start: int
    end: int
    label: str


@dataclass(frozen=True)
class PhiScore:
    """Counts of tokens and documents; `withheld` are the PHI tokens of the `quarantined` documents."""

    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    false: int = 0
    documents: int = 0
    clean: int = 0
    negatives: int = 0
    touched: int = 0
    quarantined: int = 0
    misses: Sequence[Miss] = ()

    @property
    def recall(self) -> float:
        """Per cent of all PHI tokens; what quarantine withholds is not found."""
        return percent(self.found.total(), self.found.total() + self.missed.total() + self.withheld)

    @property
    def recall_of_passed(self) -> float:
        """Per cent of the PHI tokens in documents that were passed on."""
        return percent(self.found.total(), self.found.total() + self.missed.total())

    @property
    def precision(self) -> float:
        return percent(self.found.total(), self.found.total() + self.false)

    @property
    def zero_leak(self) -> float:
        """Per cent of the documents with PHI that were passed on with no PHI token left."""
        return percent(self.clean, self.documents)

    @property
    def negatives_touched(self) -> float:
        return percent(self.touched, self.negatives)

    def recall_by_kind(self) -> dict[str, tuple[float, int]]:
        """Of the documents passed on: recall and number of tokens, the most frequent kind first."""
        totals = self.found + self.missed
        return {kind: (percent(self.found[kind], total), total) for kind, total in totals.most_common()}


def percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0


def kind_of(label: str, value: str) -> str | None:
    """What phi_score.py takes a gold label for; None counts neither way."""
    head = label.split(":")[0]
    named = {"Name": "NAME", "Address_Location": "LOCATION", "Date": "DATE", "Contactdetails": "CONTACT"}
    if head in named:
        return named[head]
    if label == "Organization:Healthcare":
        return "LOCATION"
    if head == "Age_Birthdate":
        if re.search(r"\d[/.\-]\d|\b(19|20)\d\d\b|[A-Za-z]{3}", value):
            return "DATE"
        number = re.search(r"\d+", value)
        return "AGE90" if number and int(number.group()) >= 90 else None
    if head in ("Organization", "Profession"):
        return None
    return _KINDS.get(label.upper(), "ID")


class Tokens:
    """The tokens of a text, and which of them a span overlaps."""

    def __init__(self, text: str) -> None:
        matches = list(_TOKEN.finditer(text))
        self.words: Final = [match.group() for match in matches]
        self._starts = [match.start() for match in matches]
        self._ends = [match.end() for match in matches]

    def overlapped(self, start: int, end: int) -> range:
        """The places of the tokens with a character in `start` to `end`."""
        if start >= end:
            return range(0)
        return range(bisect_left(self._ends, start + 1), bisect_left(self._starts, end))

    def covered(self, spans: Iterable[tuple[int, int]]) -> set[int]:
        return {place for start, end in spans for place in self.overlapped(start, end)}


def score_phi(documents: Iterable[Gold], predicted: Mapping[str, Predicted]) -> PhiScore:
    """Score `predicted`, by document id; a document that it lacks is a KeyError."""
    found: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    misses: list[Miss] = []
    for document in documents:
        tokens = Tokens(document.text)
        kinds, by_span = _gold(document, tokens)
        answer = predicted[document.id]
        positive = bool(kinds)
        counts["quarantined"] += answer.quarantined
        if answer.quarantined:
            counts["withheld"] += len(kinds)
            counts["documents"] += positive
            continue
        covered = tokens.covered(answer.spans)
        neutral = {place for place, kind in by_span.items() if kind is None} | {
            place for place, word in enumerate(tokens.words) if word.lower() in _GENERIC
        }
        left = kinds.keys() - covered
        found.update(kind for place, kind in kinds.items() if place in covered)
        missed.update(kinds[place] for place in left)
        wrong = len(covered - kinds.keys() - neutral)
        counts["false"] += wrong
        if positive:
            counts["documents"] += 1
            counts["clean"] += not left
        else:
            counts["negatives"] += 1
            counts["touched"] += wrong > 0
        misses.extend(
            Miss(document.id, start, end, label)
            for start, end, label in document.spans
            if not left.isdisjoint(tokens.overlapped(start, end))
        )
    return PhiScore(found, missed, misses=tuple(misses), **counts)


def _gold(document: Gold, tokens: Tokens) -> tuple[dict[int, str], dict[int, str | None]]:
    """The PHI tokens with their kinds, and every token of a gold span with what was last said of it.

    As in phi_score.py a token that some span leaves alone is left alone, whatever another span says.
    """
    kinds: dict[int, str] = {}
    neutral: dict[int, str | None] = {}
    for start, end, label in document.spans:
        kind = kind_of(label, document.text[start:end])
        for place in tokens.overlapped(start, end):
            if kind is None or (kind == "DATE" and _YEAR.fullmatch(tokens.words[place])):
                neutral[place] = None
            else:
                kinds.setdefault(place, kind)
    for place in [*neutral, *(place for place in kinds if tokens.words[place].lower() in _GENERIC)]:
        kinds.pop(place, None)
    return kinds, neutral
