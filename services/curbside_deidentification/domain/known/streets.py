"""The streets of known addresses: with a house's number, by their own words, misread, misspelled, broken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from curbside.phi import Category
from curbside_deidentification.domain.known.edits import within
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.spelling import Reading
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

_TOKEN: Final = re.compile(r"[^\W_]+")
_BEFORE: Final = re.compile(r"([^\W_]+)[ \t]{1,2}$")
_BEHIND: Final = re.compile(r"(?:[ \t]{1,2}|[ \t]?\r?\n[ \t]{0,8})([^\W_]+)")
WORD: Final = re.compile(r"\w+(?:'\w+)?")
_NUMBER: Final = re.compile(r"\d+[a-z]?(?:-\d+)?$")
BETWEEN: Final = r"[\s,.#^-]{1,3}"
QUANTITY_BEHIND: Final = re.compile(rf"\s?(?:%|/|x\s?10|(?:{'|'.join(RULES.quantities)})\b)")
_HYPHENATED: Final = r"(?:-[ \t]?\r?\n[ \t]{0,8})?"
_BROKEN: Final = re.compile(r"-[ \t]?\r?\n")
_DECIMALS: Final = re.compile(r"[.,]\d")
_TO_STREET: Final = re.compile(BETWEEN)
_TO_DIRECTION: Final = re.compile(
    rf"{BETWEEN}(?:{'|'.join(sorted(RULES.directions, key=len, reverse=True))})\.?\s"
)
_DIRECTION_BEFORE: Final = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(sorted(RULES.directions, key=len, reverse=True))})\.?[ ]$"
)
# A street's own words without its kind are a place behind one of these: "lives on wisteria hollow".
_RESIDING: Final = re.compile(
    r"(?<![^\W_])(?:(?:lives?|lived|living|resid(?:es?|ed|ing)|stays?|stayed|staying|moved|moving|home|house|"
    r"apartment|condo|residence|place)[ ](?:alone[ ]|back[ ]|still[ ]|(?:with|w/)[ ]?(?:[a-z]+[ ]){1,2})?"
    r"(?:is[ ]|was[ ])?(?:on|at|in|to|off|near|by)|address(?:[ ]is|:)?|corner[ ]of|down|off)"
    r"[ ]{1,2}(?:the[ ])?$"
)
# And its number by itself is behind one of these: "house no. 4417".
_HOUSE: Final = re.compile(
    r"(?<![^\W_])(?:(?:house|home|street|door|building|bldg|address|residence)\s?(?:no\.?|number|nr\.?|num\.?|#)?|"
    r"(?:lives?|lived|living|resid(?:es?|ed|ing)|stays?|staying)[ ](?:at|in)(?:[ ]no\.?|[ ]number)?)"
    r"[ \t:#]{1,3}$"
)
_UNIT_BEHIND: Final = re.compile(
    rf"(?:[\s,]{{1,3}}(?:{'|'.join(RULES.units)}|#)\.?\s{{0,2}}#?\s?[a-z]?-?\d{{0,5}}[a-z]?(?![^\W_]))"
)


def spellings(word: str) -> str:
    """A word of an address in each of its spellings: "Street", "St"."""
    spellings = RULES.street_types.get(word, ()) + RULES.directions.get(word, ())
    if not spellings:
        return re.escape(word)
    return f"(?:{'|'.join(sorted(map(re.escape, set(spellings)), key=len, reverse=True))})"


def _read(word: str, gap: str) -> str:
    """A word of a street, also misread; a longer one with `gap` between its letters."""
    if word in RULES.street_types or word in RULES.directions:
        return spellings(word)
    return misread(word, gap if len(word) > 5 else "")


def misread(word: str, gap: str = "") -> str:
    if len(word) < 4 and not word.isdigit():
        return re.escape(word)
    return gap.join(_alike(character) for character in word)


def _alike(character: str) -> str:
    group = RULES.characters.get(character)
    alike = f"[{re.escape(group)}]" if group else re.escape(character)
    pair = RULES.pairs.get(character)
    return f"(?:{alike}|{re.escape(pair)})" if pair else alike


_Parts: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Street:
    """A street as the source writes it; all in small letters."""

    number: str  # of the house, or ""
    named: tuple[str, ...]  # with directions and kind
    bare: tuple[str, ...]  # without
    typed: bool

    def pattern(self, gap: str) -> re.Pattern[str]:
        """Its own words, also misread; the group `kind` takes part where its kind stands behind them."""
        words = BETWEEN.join(_read(word, gap) for word in self.bare)
        kind = rf"(?:{BETWEEN}(?P<kind>{spellings(self.named[-1])}))?" if self.typed else "(?P<kind>(?!))?"
        whole = tuple(word for i, word in enumerate(self.named) if i or word not in RULES.directions)
        inner = whole != (*self.bare, *(self.named[-1:] if self.typed else ()))
        with_directions = rf"(?P<whole>{BETWEEN.join(map(spellings, whole))})|" if inner and whole else ""
        return re.compile(rf"(?:{with_directions}{words}{kind})(?![^\W_])")

    def tells(self, found: re.Match[str], lexicon: Lexicon) -> bool:
        """Whether the words of `pattern` are this street wherever they stand, without the number."""
        if not self.telling:
            return False
        if found["kind"] is not None or (self.typed and found.groupdict().get("whole")):
            return True
        if len(self.bare) < 2 and len(self.named) < 2:
            return False
        if self.typed:
            return len(self.bare) > 1 and not RULES.common.issuperset(self.bare)
        return not all(map(lexicon.is_word, self.named))  # "Larkspur Cottage"

    @property
    def beginnings(self) -> Iterator[str]:
        """What the street begins with, in each spelling."""
        for word in (self.named[0], self.bare[0]):
            yield from (word, *RULES.street_types.get(word, ()), *RULES.directions.get(word, ()))

    @property
    def parts(self) -> _Parts:
        """Number, own words and kind in order, each in its spellings."""
        kind = (RULES.street_types[self.named[-1]],) if self.typed else ()
        return (*(((self.number,),) if self.number else ()), *((word,) for word in self.bare), *kind)

    @property
    def alone(self) -> bool:
        """Whether its own words tell it where somebody is said to live."""
        return self.telling and (bool(self.number) or self.typed)

    @property
    def telling(self) -> bool:
        return sum(map(len, self.bare)) >= 3 and not all(map(str.isdigit, self.bare))


def streets_of(line: str) -> Iterator[Street]:
    words = WORD.findall(line)
    number = words[0] if words and _NUMBER.match(words[0]) else ""
    named = words[1:] if number else words
    for i, word in enumerate(named):
        if i and word in RULES.units:
            named = named[:i]
            break
    if named:
        typed = len(named) > 1 and named[-1] in RULES.street_types
        bare = [word for word in (named[:-1] if typed else named) if word not in RULES.directions] or named
        yield Street(number, tuple(named), tuple(bare), typed)


def find_streets(reading: Reading, streets: Sequence[Street], lexicon: Lexicon) -> Iterator[Span]:
    """Every mention of `streets` in the text."""
    yield from _as_written(reading, streets, lexicon)
    yield from _misspelled(reading, streets, lexicon)


def _as_written(reading: Reading, streets: Sequence[Street], lexicon: Lexicon) -> Iterator[Span]:
    """Streets wherever they stand, with a number or without.

    Behind who lives there their own words alone are enough, and behind "house no." the number.
    """
    small = reading.small
    gap = _HYPHENATED if _BROKEN.search(small) else ""
    for street in streets:
        own, number = street.pattern(gap), re.compile(rf"{misread(street.number)}(?![^\W_])")
        first = re.compile(rf"{_read(street.bare[0], gap)}(?![^\W_])")
        for at in _beginnings(small, (street.number, *street.beginnings)):
            numbered = number.match(small, at) if street.number else None
            end, score = -1, 1.0
            if numbered is not None:
                end = _numbered(small, numbered.end(), street, own, first)
                if end < 0 and sum(map(str.isdigit, street.number)) > 1 and _said(_HOUSE, small, at):
                    end, score = numbered.end(), 0.95
                    if QUANTITY_BEHIND.match(small, end) or _DECIMALS.match(small, end):
                        continue
            elif (found := own.match(small, at)) is not None:
                if street.tells(found, lexicon) or (street.alone and _said(_RESIDING, small, at)):
                    end = found.end()
            elif street.alone and _tells(street.bare[0]) and _said(_RESIDING, small, at):
                end, score = found.end() if (found := first.match(small, at)) is not None else -1, 0.95
            if end < 0:
                continue
            start = at
            if numbered is None and (direction := _DIRECTION_BEFORE.search(small, max(0, at - 12), at)):
                start = direction.start()
            yield Span(start, end, Category.LOCATION, score, "KnownAddress")


def _numbered(small: str, at: int, street: Street, own: re.Pattern[str], first: re.Pattern[str]) -> int:
    """Where a street ends whose house number ends at `at`, its unit with it; -1 where none stands behind."""
    for between in (_TO_STREET, _TO_DIRECTION):
        gap = between.match(small, at)
        if gap is None:
            continue
        found = own.match(small, gap.end())
        if found is not None and (found["kind"] is not None or sum(map(len, street.bare)) >= 3):
            unit = _UNIT_BEHIND.match(small, found.end())
            return unit.end() if unit is not None else found.end()
        word = street.bare[0]
        # "4417 Wisteria" of "Wisteria Hollow Court".
        if len(word) >= 4 and (len(street.number) > 2 or word not in RULES.common):
            found = first.match(small, gap.end())
            if found is not None:
                return found.end()
    return -1


def _said(before: re.Pattern[str], small: str, at: int) -> bool:
    return before.search(small, max(0, at - 48), at) is not None


def _beginnings(small: str, words: Iterable[str]) -> Iterator[int]:
    """Where one of `words` may begin, misread or not, told by two characters."""
    words = set(words)
    firsts = {word[:2] for word in words if len(word) > 1}
    single = "".join(_taken_for(word) for word in words if len(word) == 1)
    if single:
        for match in re.finditer(rf"(?<![^\W_])[{re.escape(single)}](?![^\W_])", small):
            yield match.start()
    if not firsts:
        return
    # A set of characters in front lets `re` run over what begins with none of them.
    one, two = ("".join(map(_taken_for, {word[at] for word in firsts})) for at in (0, -1))
    two += "".join(RULES.pairs[word[0]][1:] for word in firsts if word[0] in RULES.pairs)
    for match in re.finditer(rf"[{re.escape(one)}][{re.escape(two)}]", small):
        at = match.start()
        if not at or not small[at - 1].isalnum():
            yield at


def _taken_for(character: str) -> str:
    """All that `character` may begin with where it is misread."""
    return RULES.characters.get(character, character) + RULES.pairs.get(character, "")[:1]


def _tells(word: str) -> bool:
    """Whether the first word of a street's name tells the street: "Wisteria" of "Wisteria Hollow"."""
    return len(word) > 4 and word not in RULES.common


def _misspelled(reading: Reading, streets: Iterable[Street], lexicon: Lexicon) -> Iterator[Span]:
    """Words of a street with one edit, beside another part of its address that is right."""
    parts = [(street.parts, i) for street in streets for i in range(len(street.parts))]
    of_word: dict[str, list[tuple[_Parts, int]]] = {}
    for whole, i in parts:
        for word in whole[i]:
            of_word.setdefault(word, []).append((whole, i))
    small = reading.small
    for at in _beginnings(small, of_word):
        anchor = _TOKEN.match(small, at)
        for whole, i in of_word.get(anchor[0], ()) if anchor is not None else ():
            start, left = _walked(reading, at, whole[:i][::-1], _BEFORE)
            end, right = _walked(reading, at + len(anchor[0]) if anchor else at, whole[i + 1 :], _BEHIND)
            edited = [word for word, right_one in (*left, *right) if not right_one]
            if edited and (len(left) + len(right) > 1 or not any(map(lexicon.is_word, edited))):
                yield Span(start, end, Category.LOCATION, 0.9, "KnownAddressMisspelled")


def _walked(
    reading: Reading, at: int, parts: Iterable[tuple[str, ...]], next_word: re.Pattern[str]
) -> tuple[int, list[tuple[str, bool]]]:
    """How far from `at` an address goes on in one direction, and each word of it with whether it is right."""
    behind, small = next_word is _BEHIND, reading.small
    words: list[tuple[str, bool]] = []
    for spellings in parts:
        found = (
            next_word.match(small, at, at + 28) if behind else next_word.search(small, max(0, at - 28), at)
        )
        if found is None:
            break
        word = found[1]
        right = word in spellings
        if not right and not any(
            len(one) > 4 and one.isalpha() and within(word, one, 1) for one in spellings
        ):
            break
        words.append((word, right))
        at = found.end(1) if behind else found.start(1)
    return at, words
