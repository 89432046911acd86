"""What a text must hold before a pattern can match in it, read from the pattern itself.

Every match of `(?i:\\b(?:MRN|chart))\\s?#` begins with "mrn" or "chart" and holds a "#": a text without
either need not be searched, and one with them only where they stand. Read from the pattern as `re` parses it,
so that a pattern that is edited is never held to what it once said. What is not understood needs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from itertools import product
from typing import Any, Final

# `re` has no public parse tree. requires-python pins the version; test_needs.py holds this to what `re` does.
op: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")

# More, or longer ones, would cost more to look for than the search itself.
_MOST_WORDS: Final = 160
_LONGEST_WORD: Final = 24
_WIDEST_CLASS: Final = 6
_MOST_CLAUSES: Final = 2
_QUICK: Final = 10

Words = frozenset[str]


@dataclass(frozen=True, slots=True)
class Needs:
    """Of folded text (`fold`): a match begins with one of `first`, and the text holds one of each clause."""

    first: Words | None
    clauses: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """`exact`: all that the part can match, where that is few; `first`: how it begins where it is not empty;
    `empty`: whether it may match nothing."""

    exact: Words | None = None
    first: Words | None = None
    empty: bool = True
    clauses: tuple[Words, ...] = ()

    def __post_init__(self) -> None:
        if self.exact is not None:
            object.__setattr__(self, "first", self.exact - {""})


_NOTHING_AT_ALL: Final[Words] = frozenset({""})
_NOTHING: Final = _Part(exact=_NOTHING_AT_ALL)
_ANYTHING: Final = _Part()


def fold(text: str) -> str:
    """`text` with small letters alone and 0 for every digit, each at its place."""
    if not text.isascii():
        # What `re` holds for an ASCII letter where case is ignored, beside its capital.
        text = text.replace("İ", "i").replace("ı", "i").replace("ſ", "s")
        text = _OTHER_DIGIT.sub("0", text)
    return text.lower().translate(_DIGITS)


_DIGITS: Final = dict.fromkeys(range(ord("1"), ord("9") + 1), "0")
_OTHER_DIGIT: Final = re.compile(r"[^\x00-\x7f](?<=\d)")


@cache
def needs_of(pattern: re.Pattern[str]) -> Needs:
    part = _sequence(_parser.parse(pattern.pattern, pattern.flags))
    if part.empty or part.first is None:
        return Needs(None, tuple(map(_plainest, _best(part.clauses))))
    first = _shortest(part.first)
    # `first` is looked up anyway, as the places to begin at; what else is needed where that is quick.
    others = (clause for clause in _best(part.clauses, beside=first) if len(clause) <= _QUICK)
    return Needs(first, tuple(map(_plainest, others)))


def _shortest(words: Words) -> Words:
    """`words` without those that begin with another of them."""
    return frozenset(
        word for word in words if not any(word[:length] in words for length in range(1, len(word)))
    )


def _plainest(words: Words) -> Words:
    """`words` without those that hold another of them."""
    return frozenset(word for word in words if not any(other in word for other in words - {word}))


def _sequence(items: Iterable[Any]) -> _Part:
    parts = [_part(operator, value) for operator, value in items]
    clauses = [clause for part in parts for clause in part.clauses]
    row: Words = _NOTHING_AT_ALL  # the letters since the last part that may be many things
    for part in parts:
        longer = _product(row, part.exact)
        if longer is None:
            clauses.append(row)
            longer = part.exact or _NOTHING_AT_ALL
        row = longer
    clauses.append(row)
    whole = _NOTHING
    for part in reversed(parts):
        whole = _Part(_product(part.exact, whole.exact), _first(part, whole), part.empty and whole.empty)
    return replace(whole, clauses=tuple(clause for clause in clauses if "" not in clause))


def _first(left: _Part, right: _Part) -> Words | None:
    """How what matches `left` and then `right` begins, where it is not empty."""
    longer = None if left.exact is None or right.empty else _product(left.first, right.first)
    begun = left.first if longer is None else longer
    return _union([begun, right.first]) if left.empty else begun


def _part(operator: Any, value: Any) -> _Part:
    match operator:
        case op.LITERAL:
            return _one(_letter(value))
        case op.IN:
            return _one(_of_class(value))
        case op.NOT_LITERAL | op.ANY:
            return _Part(empty=False)
        case op.BRANCH:
            return _either([_sequence(branch) for branch in value[1]])
        case op.SUBPATTERN:
            return _sequence(value[3])
        case op.ATOMIC_GROUP:
            return _sequence(value)
        case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
            return _repeated(*value)
        case op.ASSERT:
            # What a look at either side sees is in the text too, and is no part of the match.
            return replace(_NOTHING, clauses=_sequence(value[1]).clauses)
        case op.AT | op.ASSERT_NOT:
            return _NOTHING
        case _:
            return _ANYTHING


def _repeated(least: int, most: Any, items: Any) -> _Part:
    item = _sequence(items)
    exact = _powers(item.exact, least, most) if item.exact is not None and most <= 4 else None
    return _Part(exact, item.first, least == 0 or item.empty, item.clauses if least else ())


def _powers(words: Words, least: int, most: int) -> Words | None:
    """Rows of `least` to `most` of `words`."""
    row: Words | None = _NOTHING_AT_ALL
    rows = [row] if least == 0 else []
    for count in range(1, most + 1):
        row = _product(row, words)
        if count >= least:
            rows.append(row)
    return _union(rows)


def _either(branches: Sequence[_Part]) -> _Part:
    exact = _union([branch.exact for branch in branches])
    first = _union([branch.first for branch in branches])
    best = [_best(branch.clauses) for branch in branches]
    one_of_each = _union([clause[0] if clause else None for clause in best])
    clauses = () if one_of_each is None else (one_of_each,)
    return _Part(exact, first, any(branch.empty for branch in branches), clauses)


def _one(letters: Words | None) -> _Part:
    return _Part(letters, empty=False)


def _letter(code: int) -> Words | None:
    return frozenset({fold(chr(code))}) if code < 128 else None


def _of_class(members: Sequence[tuple[Any, Any]]) -> Words | None:
    letters: set[str] = set()
    for operator, value in members:
        if operator is op.LITERAL and value < 128:
            letters.add(fold(chr(value)))
        elif operator is op.RANGE and value[1] < 128:
            letters.update(fold(chr(code)) for code in range(value[0], value[1] + 1))
        elif operator is op.CATEGORY and value is op.CATEGORY_DIGIT:
            letters.add("0")
        else:
            return None
    return frozenset(letters) if len(letters) <= _WIDEST_CLASS else None


def _product(left: Words | None, right: Words | None) -> Words | None:
    if left is None or right is None or len(left) * len(right) > _MOST_WORDS:
        return None
    joined = frozenset(one + other for one, other in product(left, right))
    return None if max(map(len, joined), default=0) > _LONGEST_WORD else joined


def _union(parts: Sequence[Words | None]) -> Words | None:
    united: frozenset[str] = frozenset()
    for part in parts:
        if part is None:
            return None
        united |= part
    return united if len(united) <= _MOST_WORDS else None


def _best(clauses: Iterable[Words], *, beside: Words | None = None) -> tuple[Words, ...]:
    """The clauses that tell most, long words and few of them, where `beside` does not say the same."""
    kept = [] if beside is None else [beside]
    for clause in sorted(clauses, key=lambda words: (-min(map(len, words)), len(words), sorted(words))):
        if not any(_follows(clause, other) for other in kept):
            kept.append(clause)
    return tuple(clause for clause in kept if clause is not beside)[:_MOST_CLAUSES]


def _follows(clause: Words, other: Words) -> bool:
    """Whether a text that holds one of `other` holds one of `clause`."""
    return all(any(word in longer for word in clause) for longer in other)
