"""Residual risk: the probability that an identifier was left in a replaced text.

A logistic regression over what can be counted in the text and in what was found there: the weights lie in
data/risk.json, and `benchmarks/deid_risk.py` fits them and shows how reliable they are. Signs that a text
may not carry whatever the regression says are policy, and a lower bound.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from curbside_deidentification.domain.lexicon import WORD, Lexicon
from curbside_deidentification.domain.spans import Span

MODEL_FILE: Final = Path(__file__).with_name("data") / "risk.json"
# Placeholders are gone before counting, so that "[NAME]" is not itself suspicious.
_PLACEHOLDER: Final = re.compile(r"\[[A-Z_]+\d*\]")
_SIGNS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "social_security_number": re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
        "email_address": re.compile(r"[\w.+-]@[\w-]+\.\w"),
        # LOINC codes have six digits at most before their check digit: "100383-9".
        "long_number": re.compile(r"(?<![\d.])(?!\d{6}-\d\b)\d{6,}(?!\.?\d)|\b\d{3}[-.]\d{4}\b"),
        "at_sign": re.compile(r"\w@\w(?![\w-]*\.\w)"),
        "numeric_date": re.compile(r"\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b"),
        "title": re.compile(r"\b(?:Dr|Mr|Mrs|Ms)\.?\s(?=[A-Z][a-z]{2})"),
    }
)
_NAME_LIKE: Final = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})+")
# A label of a form with a capital or a digit behind it, instead of a placeholder: its value was not taken.
_LABEL: Final = re.compile(
    r"\b(?i:name|physician|provider|attending|surgeon|mrn|dob|birth|address|phone|tel|fax|e-?mail|ssn|"
    r"account|acct|license|npi|dea)(?i:\s(?:no|number|id))?\.?\s?[:#][ \t]*(?=[A-Z\d])"
)
# Digits of a number that is no year, and capitals mixed with digits as in a code; a dose is shorter.
_CODE: Final = re.compile(r"\b(?!(?:19|20)\d\d\b)(?:\d{4,5}|(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z\d]{5,})\b")
# Initials before a name, a name in capitals with a comma or a caret in it, a day and a month: forms of mentions.
_INITIALS: Final = re.compile(r"\b(?:[A-Z]\.[ -]?){1,3}[A-Z][\w'’-]{2,}|\b[A-Z][a-z'’-]+,? [A-Z]\.(?=\W)")
_INVERTED: Final = re.compile(r"\b[A-Z][A-Z'’-]+(?:, ?|\^)[A-Z][A-Z'’-]*\b")
# No strength of five, murmur of six, pain of ten or coma scale.
_DAY_AND_MONTH: Final = re.compile(
    r"(?<![\d/.-])(?:0?[1-9]|1[0-2])/(?!(?:0?[56]|1[05])\b)(?:0?[1-9]|[12]\d|3[01])(?![\d/]|[.-]\d)"
)
# What a scanner leaves: a digit within letters, a character for "unreadable", a control or private character.
_ODD: Final = re.compile(
    r"\b[^\W\d_]+\d+[^\W\d_]{2,}|[\ufffd\u0000-\u0008\u000e-\u001f\ue000-\uf8ff]|[|~^_]{2,}"
)
# Of the statistical model alone, or because a name stood elsewhere: no surer recogniser agrees.
WEAK: Final = 0.7


@dataclass(frozen=True)
class RiskModel:
    """`weights` by the name of the evidence; `source` says what they were fitted on."""

    intercept: float
    weights: Mapping[str, float]
    source: str

    def probability(self, evidence: Mapping[str, float]) -> float:
        logit = self.intercept + sum(weight * evidence[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


@cache
def load_risk_model(path: Path = MODEL_FILE) -> RiskModel:
    data = json.loads(path.read_text("utf-8"))
    return RiskModel(float(data["intercept"]), MappingProxyType(dict(data["weights"])), data["source"])


def signs_left(safe: str) -> Counter[str]:
    """How often each sign stands in a replaced text."""
    text = _PLACEHOLDER.sub(" ", safe)
    return Counter({sign: sum(1 for _ in pattern.finditer(text)) for sign, pattern in _SIGNS.items()})


def least_risk(signs: Mapping[str, int], weights: Mapping[str, float], *, known_words: int = 0) -> float:
    """What policy holds of the signs alone: 1 - product of (1 - weight), so that one strong sign weighs as it
    should and many weak ones add up. `known_words` are the places where a known name may stand or the word
    that it also is."""
    remaining = (1 - weights["known_word"]) ** known_words
    for sign, count in signs.items():
        remaining *= (1 - weights[sign]) ** count
    return 1 - remaining


def evidence(
    safe: str, spans: Sequence[Span], lexicon: Lexicon, vocabulary: Lexicon, *, known_words: int = 0
) -> dict[str, float]:
    """What the regression weighs, of a replaced text and the `spans` that were replaced in it.

    `lexicon` is the document's own, `vocabulary` the general one. Counts go in by their logarithm: the tenth
    unknown word says less than the first.
    """
    text = _PLACEHOLDER.sub(" ", safe)
    words = WORD.findall(text)
    of_words = max(len(words), 1)
    distinct = {word for word in words if len(word) > 2}
    unknown = {word for word in distinct if word[0].isupper() and not lexicon.is_word(word)}
    lower = [word for word in distinct if word.islower()]
    pairs = sum(
        not any(lexicon.is_word(word) for word in match[0].split()) for match in _NAME_LIKE.finditer(text)
    )
    signs = signs_left(safe)
    counts = {
        "words": len(words),
        "found_per_100_words": 100 * len(spans) / of_words,
        "weak_spans": sum(span.score <= WEAK for span in spans),
        "unknown_capitalised": sum(not word.isupper() for word in unknown),
        "unknown_capitals": sum(word.isupper() for word in unknown),
        "unknown_pairs": pairs,
        "numbers": sum(signs[sign] for sign in ("long_number", "social_security_number", "numeric_date")),
        "titles": signs["title"],
        "addresses": signs["email_address"] + signs["at_sign"],
        "labels": sum(1 for _ in _LABEL.finditer(safe)),
        "codes": sum(1 for _ in _CODE.finditer(text)),
        "initials": sum(1 for _ in _INITIALS.finditer(text)),
        "inverted_names": sum(1 for _ in _INVERTED.finditer(text)),
        "days": sum(1 for _ in _DAY_AND_MONTH.finditer(text)),
        "known_words": known_words,
    }
    shares = {
        "weak_share": counts["weak_spans"] / max(len(spans), 1),
        "odd_share": min(1.0, sum(1 for _ in _ODD.finditer(text)) / of_words),
        "unread_share": sum(not vocabulary.is_word(word) for word in lower) / max(len(lower), 1),
    }
    return {name: math.log1p(count) for name, count in counts.items()} | shares


def residual_risk(
    safe: str,
    spans: Sequence[Span],
    lexicon: Lexicon,
    vocabulary: Lexicon,
    weights: Mapping[str, float],
    model: RiskModel,
    *,
    known_words: int = 0,
) -> float:
    """0 to 1: what the regression says, and no less than what policy holds of the signs left."""
    likely = model.probability(evidence(safe, spans, lexicon, vocabulary, known_words=known_words))
    return round(max(likely, least_risk(signs_left(safe), weights, known_words=known_words)), 4)
