"""Evidence: the exact substrings of the input that an answer most plausibly rests on.

Lexical, not causal: these are the sentences that share the most content words with the answer. Offsets are
Unicode code points in the input, so that `input[start:end] == text` always holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MOST: Final = 3
_WORD: Final = re.compile(r"[^\W_]+")
# A sentence ends at a full stop, question or exclamation mark before a space, or with its line. "5.2 cm"
# holds no end, and "Dr. Smith" ends one too early, which costs a word of evidence and no exactness.
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+|\s*[\r\n]+\s*")
# Words that say nothing of what a report found; after the list of Snowball's English stop words.
_STOP_LIST: Final = """
a about after again all also an and any are as at be been before being below between both but by can
could did do does down during each few for from further had has have having he her here his how i if in
into is it its just may might more most no nor not now of off on once only or other our out over own patient
per prior report same she should so some such than that the their them then there these they this those
through to too under until up very was we were what when where which while who whom why will with would you
your seen noted shown present new worse improved unchanged resolved compared comparison
"""
_STOP_WORDS: Final = frozenset(_STOP_LIST.split())


@dataclass(frozen=True, slots=True)
class Evidence:
    text: str
    start: int
    end: int


def evidence_for(answer: str, source: str) -> list[Evidence]:
    """Up to three sentences of `source` in their order, each sharing content words with `answer`.

    One shared word is enough for an answer of one or two content words; a longer one needs two.
    """
    wanted = content_words(answer)
    least = 1 if len(wanted) <= 2 else 2
    scored = [
        (shared, start, end)
        for start, end in sentences(source)
        if (shared := len(wanted & content_words(source[start:end]))) >= least
    ]
    # Of two that share as much, the shorter says it with less around it.
    best = sorted(scored, key=lambda found: (-found[0], found[2] - found[1], found[1]))[:MOST]
    return [Evidence(source[start:end], start, end) for _, start, end in sorted(best, key=lambda f: f[1])]


def content_words(text: str) -> frozenset[str]:
    """Folded words that mean something; a plural is its singular."""
    words = (word.casefold() for word in _WORD.findall(text))
    return frozenset(
        word.removesuffix("s") if len(word) > 3 else word
        for word in words
        if word not in _STOP_WORDS and (len(word) > 2 or word[0].isdigit())
    )


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, without the space around it."""
    start = len(text) - len(text.lstrip())
    for ending in _SENTENCE_END.finditer(text, start):
        if ending.start() > start:
            yield start, ending.start()
        start = ending.end()
    end = len(text.rstrip())
    if end > start:
        yield start, end
