"""Residual risk: the probability that an identifier was left in a replaced text.

Everything that can be counted in the text, and in what was found there, adds to the rate of leaks: how much
lies in data/risk.json, and `benchmarks/deid_risk.py` fits it and shows how reliable it is. Signs that a text
may not carry whatever the model says are policy, and a lower bound.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from curbside.phi import PLACEHOLDER
from curbside_deidentification.domain.lexicon import WORD, Lexicon
from curbside_deidentification.domain.message import coded_segments, without_coded
from curbside_deidentification.domain.spans import Span

MODEL_FILE: Final = Path(__file__).with_name("data") / "risk.json"
_SIGNS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "social_security_number": re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
        "email_address": re.compile(r"[\w.+-]@[\w-]+\.\w"),
        # LOINC codes have six digits at most before their check digit: "100383-9".
        "long_number": re.compile(r"(?<![\d.])(?!\d{6}-\d\b)\d{6,}(?!\.?\d)|\b\d{3}[-.]\d{4}\b"),
        "at_sign": re.compile(r"\w@\w(?![\w-]*\.\w)"),
        "numeric_date": re.compile(r"(?<![\w.])\d{1,2}([/-])\d{1,2}\1\d{2,4}\b"),
        "title": re.compile(r"\b(?:Dr|Mr|Mrs|Ms)\.?\s(?=[A-Z][a-z]{2})"),
    }
)
_NAME_LIKE: Final = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})+")
# A label of a form with a capital or a digit behind it, where a placeholder would stand: its value was left.
_LABEL: Final = re.compile(
    r"\b(?i:name|physician|provider|attending|surgeon|mrn|dob|birth|address|phone|tel|fax|e-?mail|ssn|"
    r"account|acct|license|npi|dea)(?i:\s(?:no|number|id))?\.?\s?[:#][ \t]*(?=[A-Z\d])"
)
# Five digits, or capitals, digits and dashes with three digits in a row: a count is shorter, and so is "CD4".
_CODE: Final = re.compile(
    r"(?<![\w.,-])(?:\d{5}|(?=[A-Z\d-]*\d{3})(?=[\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*)(?![\w-]|[.,]\d)"
)
# Forms of mentions: initials by a name (a lone one amid a sentence: "A. Chest" is a list), a name in capitals
# with a comma or caret in it, a day of a month (one that is no fraction, week or grade).
_INITIALS: Final = re.compile(
    r"\b(?:[A-Z]\.[ -]?){2,3}[A-Z][\w'’-]{2,}|(?<=[a-z,] )[A-Z]\. ?[A-Z][\w'’-]{2,}"
    r"|(?<=[a-z] )[A-Z][a-z'’-]+,? [A-Z]\.(?=\W)"
)
# What these find they find by the number of a field, the name of an element or the source's own list: where
# one more stands, they find that as well, so that many of them say nothing of one that was left.
_CERTAIN: Final = ("Hl7", "MarkedUp", "Known")
_INVERTED: Final = re.compile(r"\b[A-Z][A-Z'’-]+(?:, ?)[A-Z][A-Z'’-]*\b")
_DAY_OF_MONTH: Final = re.compile(
    r"(?<![\d/.-])(?:0?[1-9]|1[0-2])/(?:0[1-9]|9|1[134789]|2[1-9]|3[01])(?![\d/]|[.-]\d)"
)
# A capitalised word, unless a dose or the head of an eponym follows: "Remeron 15 mg", "Ghon complex".
_CAPITALISED: Final = re.compile(
    r"(?P<amid>(?<=[a-z,;] ))?\b(?P<word>[A-Z][a-z'’-]*[a-z]{2,})\b(?![\d®™/-]|['’]?s?[ -](?:\d|m[cg]|tablet|"
    r"cream|sign|test|disease|syndrome|score|scale|criteria|catheter|suture|stain|cell|needle|"
    r"maneuver|procedure|complex))"
)
# What a scanner leaves: a digit within letters, a character for "unreadable", a control or private character.
_MISREAD: Final = re.compile(r"\b[^\W\d_]+\d+[^\W\d_]{2,}|[\ufffd\u0000-\u0008\u000e-\u001f\ue000-\uf8ff]")
# In texts of a kind that the tagger was not fitted on, messages and tables, it suspects many words: suspicion
# alone stops none.
_MOST_EXPECTED: Final = 3.0
# Of the statistical model alone, or because a name stood elsewhere: no surer recogniser agrees.
WEAK: Final = 0.7


@dataclass(frozen=True)
class RiskModel:
    """The rate of leaks that each piece of evidence adds, by its name; `source` says what it was fitted on.

    Leaks of a rate are Poisson's: none is left with probability exp(-rate), and one or more otherwise. Which
    is 1 - product of (1 - weight), as `least_risk`, with 1 - exp(-rate) as the weight of each occurrence.
    """

    rates: Mapping[str, float]
    source: str

    def probability(self, evidence: Mapping[str, float]) -> float:
        return 1 - math.exp(-sum(rate * evidence[name] for name, rate in self.rates.items()))


@cache
def load_risk_model(path: Path = MODEL_FILE) -> RiskModel:
    data = json.loads(path.read_text("utf-8"))
    return RiskModel(MappingProxyType(dict(data["rates"])), data["source"])


def signs_left(safe: str) -> Counter[str]:
    """How often each sign stands in a replaced text."""
    # Placeholders are gone before counting, so that "[NAME]" is not itself suspicious.
    text = PLACEHOLDER.sub(" ", safe)
    return Counter({sign: sum(1 for _ in pattern.finditer(text)) for sign, pattern in _SIGNS.items()})


def least_risk(signs: Mapping[str, int], weights: Mapping[str, float], *, known_words: int = 0) -> float:
    """What policy holds of the signs alone: 1 - product of (1 - weight), so that one strong sign weighs as it
    should and many weak ones add up. `known_words` are the places that a review left where a known name may
    stand or the word that it also is."""
    remaining = (1 - weights["known_word"]) ** known_words
    for sign, count in signs.items():
        remaining *= (1 - weights[sign]) ** count
    return 1 - remaining


def evidence(
    text: str,
    safe: str,
    spans: Sequence[Span],
    lexicon: Lexicon,
    *,
    known_words: int = 0,
    left: float = 0.0,
) -> dict[str, float]:
    """What the model weighs, counted in the `spans` of a text and in what is left of it: `safe`, where they
    are replaced.

    `lexicon` is the document's own: what it also writes in lower case is no name. What stands in a text many
    times counts once, as it is found, or left, at all of its places alike, and what stands in coded segments
    of a message not at all, for a machine wrote them; the signs of policy count each, in all of it.
    """
    coded = coded_segments(text)
    mentions = _surest(text, [span for span in spans if not any(span.start in line for line in coded)])
    remaining = PLACEHOLDER.sub(" ", without_coded(safe) if coded else safe)
    words = WORD.findall(remaining)
    distinct = {word for word in words if len(word) > 2}
    capitals = [word for word in distinct if word.isupper() and not lexicon.is_word(word)]
    amid: set[str] = set()
    elsewhere: set[str] = set()
    for match in _CAPITALISED.finditer(remaining):
        if not lexicon.is_word(match["word"]):
            (elsewhere if match["amid"] is None else amid).add(match["word"])
    pairs = sum(
        not any(lexicon.is_word(word) for word in pair.split()) for pair in _NAME_LIKE.findall(remaining)
    )
    misread = sum(1 for _ in _MISREAD.finditer(remaining)) / max(len(words), 1)
    signs = signs_left(safe)
    return {
        "text": 1.0,
        "words": len(words),
        "mentions": sum(not span.recogniser.startswith(_CERTAIN) for span in mentions),
        "weak_mentions": sum(span.score <= WEAK for span in mentions),
        "unknown_amid_sentences": len(amid),
        "unknown_elsewhere": len(elsewhere - amid),
        "unknown_capitals": len(capitals),
        "unknown_pairs": pairs,
        "numbers": sum(signs[sign] for sign in ("long_number", "social_security_number", "numeric_date")),
        "titles": signs["title"],
        "addresses": signs["email_address"] + signs["at_sign"],
        "labels": sum(1 for _ in _LABEL.finditer(safe)),
        "codes": _distinct(_CODE, remaining),
        "initials": _distinct(_INITIALS, remaining),
        "inverted_names": _distinct(_INVERTED, remaining),
        "days": _distinct(_DAY_OF_MONTH, remaining),
        # How many mentions a scanner has misread, where it misreads them as often as other words.
        "misread_mentions": len(mentions) * min(1.0, misread),
        "known_words": known_words,
        "expected_left": min(left, _MOST_EXPECTED),
    }


def expected_left(text: str, spans: Sequence[Span], faint: Iterable[Span]) -> float:
    """How many different tokens of identifiers the tagger expects outside of `spans`, by what is `faint`."""
    ends = [span.end for span in spans]
    left: dict[str, float] = {}
    for one in faint:
        i = bisect_right(ends, one.start)
        if i == len(spans) or spans[i].start >= one.end:
            token = text[one.start : one.end].casefold()
            left[token] = max(one.score, left.get(token, 0.0))
    return sum(left.values())


def _surest(text: str, spans: Sequence[Span]) -> list[Span]:
    """Of each string that was found, however often, the span that is surest of it."""
    by_string: dict[str, Span] = {}
    for span in spans:
        string = text[span.start : span.end].casefold()
        by_string[string] = max(by_string.get(string, span), span, key=_sureness)
    return [*by_string.values()]


def _sureness(span: Span) -> tuple[bool, float]:
    return span.recogniser.startswith(_CERTAIN), span.score


def _distinct(pattern: re.Pattern[str], text: str) -> int:
    return len({match[0] for match in pattern.finditer(text)})


def residual_risk(
    text: str,
    safe: str,
    spans: Sequence[Span],
    lexicon: Lexicon,
    weights: Mapping[str, float],
    model: RiskModel,
    *,
    known_words: int = 0,
    left: float = 0.0,
) -> float:
    """0 to 1: what the model says of a text and what is left of it, and no less than what policy holds of the
    signs left."""
    likely = model.probability(evidence(text, safe, spans, lexicon, known_words=known_words, left=left))
    return round(max(likely, least_risk(signs_left(safe), weights, known_words=known_words)), 4)
