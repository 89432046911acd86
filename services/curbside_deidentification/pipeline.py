"""From a document to its result: find, resolve, replace, weigh what is left. Pure but for the detector."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.phi import Category, PhiText
from curbside_deidentification.domain.composed import Composed, typed
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.known import Known, KnownFindings, search_known
from curbside_deidentification.domain.language import is_english
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import Policy
from curbside_deidentification.domain.risk import expected_left, residual_risk
from curbside_deidentification.domain.spans import SUSPECTED, Span, resolve, substitute
from curbside_deidentification.domain.written import outside

_DOUBTFUL: Final = 0.5


class Reason(StrEnum):
    """Why a report is quarantined: the code in events and answers."""

    RECOGNISER_FAILED = "deid.recogniser-failed"
    LANGUAGE = "deid.language"
    TOO_LONG = "deid.too-long"
    RISK = "deid.risk"
    TIMED_OUT = "deid.timed-out"


class Finder(Protocol):
    """What `Detector` is to the pipeline."""

    def find(self, text: str, lexicon: Lexicon) -> Sequence[Span]: ...


@dataclass(frozen=True)
class Result:
    """`replaced` is empty where nothing was de-identified; it is safe only where `reason` is None."""

    replaced: PhiText
    spans: tuple[Span, ...]
    risk: float
    reason: Reason | None
    policy: str

    @property
    def quarantined(self) -> bool:
        return self.reason is not None


@dataclass(frozen=True)
class Examined:
    """What was found in a text, what is left of it, and what tells the risk. Everything in it is PHI."""

    replaced: str
    spans: tuple[Span, ...]
    lexicon: Lexicon  # of this document
    risk: float
    left: float  # `expected_left`


def deidentify(document: PhiDocument, detector: Finder, policy: Policy) -> Result:
    """Never raises for what is in the document: what cannot be de-identified is quarantined."""
    text = document.text.reveal()
    if len(text) > policy.longest_text or _has_long_run(text, policy.longest_run):
        return nothing_done(Reason.TOO_LONG, policy)
    try:
        read = Composed.of(text, policy.lexicon)
        if not is_english(read.text, policy.language, policy.lexicon):
            return nothing_done(Reason.LANGUAGE, policy)
        examined = examine(read.text, document.known, detector, policy)
        replaced, spans = examined.replaced, examined.spans
        if read.text is not text:
            spans = tuple(read.in_input(span) for span in spans)
            replaced = substitute(text, spans, policy.placeholders)
    except Exception:
        # Whatever a recogniser, ours or another's, raised: its message may quote the text, so it ends here.
        return nothing_done(Reason.RECOGNISER_FAILED, policy)
    return _judged(replaced, spans, examined.risk, policy)


def examine(text: str, known: KnownIdentifiers, finder: Finder, policy: Policy) -> Examined:
    """Find, resolve, replace and weigh in a composed text. Raises what a recogniser raises."""
    lexicon = document_lexicon(text, policy.lexicon)
    # Known names are held against the general vocabulary: that the document writes one in lower case
    # does not make it a word.
    by_source = search_known(text, _known(known), policy.lexicon, policy.known_words)
    found = finder.find(text, lexicon)
    certain = (span for span in found if span.recogniser != SUSPECTED)
    spans = resolve(outside((*by_source.spans, *_doubtful(by_source), *certain), text), text)
    left = expected_left(text, spans, (span for span in found if span.recogniser == SUSPECTED))
    replaced = substitute(text, spans, policy.placeholders)
    risk = _risk(text, replaced, spans, lexicon, policy, left=left)
    return Examined(replaced, tuple(spans), lexicon, risk, left)


def reviewed(document: PhiDocument, spans: Sequence[Span], policy: Policy) -> Result:
    """The result of a document in which a reviewer says what is PHI: `spans`, disjoint and in order."""
    text = document.text.reveal()
    by_source = search_known(text, _known(document.known), policy.lexicon, policy.known_words)
    replaced = substitute(text, spans, policy.placeholders)
    lexicon = document_lexicon(text, policy.lexicon)
    risk = _risk(text, replaced, spans, lexicon, policy, known_words=len(by_source.undecided(spans)))
    return _judged(replaced, spans, risk, policy)


def _doubtful(by_source: KnownFindings) -> Iterator[Span]:
    """Where a known name may stand or the word that it also is. It is removed: one word of a report that a
    reader misses harms less than a name, and less than a report that waits for a reviewer."""
    for start, end in by_source.doubtful:
        yield Span(start, end, Category.NAME, _DOUBTFUL, "KnownWord")


def _risk(
    text: str,
    replaced: str,
    spans: Sequence[Span],
    lexicon: Lexicon,
    policy: Policy,
    *,
    known_words: int = 0,
    left: float = 0.0,
) -> float:
    return residual_risk(
        text,
        replaced,
        spans,
        lexicon,
        policy.residual_weights,
        policy.risk_model,
        known_words=known_words,
        left=left,
    )


def _judged(replaced: str, spans: Sequence[Span], risk: float, policy: Policy) -> Result:
    reason = Reason.RISK if risk >= policy.risk_threshold else None
    return Result(PhiText(replaced), tuple(spans), risk, reason, policy.label)


def _has_long_run(text: str, limit: int) -> bool:
    """Whether `limit` characters stand in a row without a space, or as much space in a row."""
    longest_word = max(map(len, text.split()), default=0)
    return longest_word >= limit or re.search(rf"\s{{{limit}}}", text) is not None


def nothing_done(reason: Reason, policy: Policy) -> Result:
    return Result(PhiText(""), (), 1.0, reason, policy.label)


def _known(known: KnownIdentifiers) -> Known:
    def revealed(*groups: Iterable[PhiText]) -> tuple[str, ...]:
        return tuple(typed(value.reveal()) for group in groups for value in group)

    return Known(
        names=revealed(known.names, known.nicknames, known.relatives, known.staff),
        numbers=revealed(known.numbers),
        mrns=revealed(known.mrns),
        dates=revealed(known.dates_of_birth),
        addresses=revealed(known.addresses),
        phones=revealed(known.phones),
        emails=revealed(known.emails),
    )
