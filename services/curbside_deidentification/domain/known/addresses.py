"""Known addresses whole and by parts: house number and street, street, unit, town, ZIP code; and e-mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from curbside.phi import Category
from curbside_deidentification.domain.known.confusions import MisreadWords
from curbside_deidentification.domain.known.edits import NearWords, within
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.spelling import TOKEN, Reading, folded, letters
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

_TOKEN: Final = re.compile(r"[^\W_]+")
_BEFORE: Final = re.compile(r"([^\W_]+)[ \t]{1,2}$")
_BEHIND: Final = re.compile(r"(?:[ \t]{1,2}|[ \t]?\r?\n[ \t]{0,8})([^\W_]+)")
_WORD: Final = re.compile(r"\w+(?:'\w+)?")
_PIECES: Final = re.compile(r"\s*[,;^\n\r]+\s*")
_ZIP: Final = re.compile(r"(?<![\w-])(\d{5})(?:[- ]?(\d{4}))?$")
_OTHER_ZIP: Final = re.compile(r"(?:^|(?<=[a-z.] ))\d{4}(?:\d\d)?$")
_CODE_BEFORE: Final = re.compile(r"(?:[a-z][,.]?[ \t]{1,2}|[|^>\"])$")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_FOREIGN_CODE: Final = re.compile(r"(?=.*\d)(?=.*[a-z])[a-z0-9]{2,4}[ -]?[a-z0-9]{2,4}$")
_BOX: Final = re.compile(r"\bp\.?\s?o\.?\s?box\s?(\d+)")
_NUMBER: Final = re.compile(r"\d+[a-z]?(?:-\d+)?$")
_BETWEEN: Final = r"[\s,.#^-]{1,3}"
_QUANTITY_BEHIND: Final = re.compile(rf"\s?(?:%|/|x\s?10|(?:{'|'.join(RULES.quantities)})\b)")
_HYPHENATED: Final = r"(?:-[ \t]?\r?\n[ \t]{0,8})?"
_BROKEN: Final = re.compile(r"-[ \t]?\r?\n")
_DECIMALS: Final = re.compile(r"[.,]\d")
_TO_STREET: Final = re.compile(_BETWEEN)
_TO_DIRECTION: Final = re.compile(
    rf"{_BETWEEN}(?:{'|'.join(sorted(RULES.directions, key=len, reverse=True))})\.?\s"
)
_DIRECTION_BEFORE: Final = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(sorted(RULES.directions, key=len, reverse=True))})\.?[ ]$"
)
# A street's own words without its kind are a place behind one of these: "lives on wisteria hollow".
_RESIDING: Final = re.compile(
    r"(?<![^\W_])(?:(?:lives?|lived|living|resid(?:es?|ed|ing)|stays?|stayed|staying|moved|moving|home|house|apartment|"
    r"condo|residence|place)[ ](?:alone[ ]|back[ ]|still[ ]|(?:with|w/)[ ]?(?:[a-z]+[ ]){1,2})?(?:is[ ]|was[ ])?"
    r"(?:on|at|in|to|off|near|by)|address(?:[ ]is|:)?|corner[ ]of|down|off)[ ]{1,2}(?:the[ ])?$"
)
# And its number by itself is behind one of these: "house no. 4417".
_HOUSE: Final = re.compile(
    r"(?<![^\W_])(?:(?:house|home|street|door|building|bldg|address|residence)\s?(?:no\.?|number|nr\.?|num\.?|#)?|"
    r"(?:lives?|lived|living|resid(?:es?|ed|ing)|stays?|staying)[ ](?:at|in)(?:[ ]no\.?|[ ]number)?)[ \t:#]{1,3}$"
)
_UNIT_BEHIND: Final = re.compile(
    rf"(?:[\s,]{{1,3}}(?:{'|'.join(RULES.units)}|#)\.?\s{{0,2}}#?\s?[a-z]?-?\d{{0,5}}[a-z]?(?![^\W_]))"
)


def find_addresses(reading: Reading, addresses: Iterable[str], lexicon: Lexicon) -> Iterator[Span]:
    whole: set[str] = set()
    boxes: set[str] = set()
    streets: list[_Street] = []
    zips: set[str] = set()
    towns: set[str] = set()
    for address in addresses:
        pieces = [piece for piece in _PIECES.split(folded(address).lower().strip()) if piece]
        whole.update(_whole(pieces))
        for i, piece in enumerate(pieces):
            rest, code = _without_code(piece)
            if code:
                zips.add(code)
            if any(map(str.isdigit, rest)) or (not i and len(pieces) > 1):
                boxes.update(_boxes(rest))
                streets += _streets(rest)
            elif rest and (i or len(pieces) == 1) and rest not in RULES.states:
                towns.add(_without_state(rest))
    for pattern in (*_compiled(whole), *_compiled(boxes)):
        for match in pattern.finditer(reading.small):
            yield Span(match.start(), match.end(), Category.LOCATION, 1.0, "KnownAddress")
    yield from _of_streets(reading, streets, lexicon)
    yield from _codes(reading, zips)
    yield from _towns(reading, towns, lexicon)
    yield from _misspelled(reading, streets, lexicon)


def _compiled(forms: Iterable[str]) -> Iterator[re.Pattern[str]]:
    alternatives = "|".join(sorted(forms, key=lambda form: (len(form), form), reverse=True))
    if alternatives:
        yield re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])")


def _whole(pieces: list[str]) -> Iterator[str]:
    words = [word for piece in pieces for word in _WORD.findall(piece)]
    if sum(map(len, words)) >= 6 and len(words) > 1:
        yield _BETWEEN.join(map(_spellings, words))


def _spellings(word: str) -> str:
    """A word of an address in each of its spellings: "Street", "St"."""
    spellings = RULES.street_types.get(word, ()) + RULES.directions.get(word, ())
    if not spellings:
        return re.escape(word)
    return f"(?:{'|'.join(sorted(map(re.escape, set(spellings)), key=len, reverse=True))})"


def _read(word: str, gap: str) -> str:
    """A word of a street, also misread; a longer one with `gap` between its letters."""
    if word in RULES.street_types or word in RULES.directions:
        return _spellings(word)
    return _misread(word, gap if len(word) > 5 else "")


def _misread(word: str, gap: str = "") -> str:
    if len(word) < 4 and not word.isdigit():
        return re.escape(word)
    return gap.join(_alike(character) for character in word)


def _alike(character: str) -> str:
    group = RULES.characters.get(character)
    alike = f"[{re.escape(group)}]" if group else re.escape(character)
    pair = RULES.pairs.get(character)
    return f"(?:{alike}|{re.escape(pair)})" if pair else alike


def _without_code(piece: str) -> tuple[str, str]:
    """The piece without its state and ZIP code, and the code."""
    found = _ZIP.search(piece)
    if found is not None:
        code = found[1] + (found[2] or "")
        return _without_state(piece[: found.start()].strip()), code
    other = _OTHER_ZIP.search(piece)
    if other is not None:
        return _without_state(piece[: other.start()].strip()), other[0]
    if _FOREIGN_CODE.match(piece):
        return "", piece
    return piece, ""


def _without_state(piece: str) -> str:
    head, _, last = piece.rpartition(" ")
    if last in RULES.states:
        return head
    return piece


def _boxes(line: str) -> Iterator[str]:
    box = _BOX.search(line)
    if box is not None:
        yield rf"p\.?\s?o\.?\s?box\s?#?\s?{box[1]}"


_Parts: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class _Street:
    """A street as the source writes it; all in small letters."""

    number: str  # of the house, or ""
    named: tuple[str, ...]  # with directions and kind
    bare: tuple[str, ...]  # without
    typed: bool

    def pattern(self, gap: str) -> re.Pattern[str]:
        """Its own words, also misread; the group `kind` takes part where its kind stands behind them."""
        words = _BETWEEN.join(_read(word, gap) for word in self.bare)
        kind = rf"(?:{_BETWEEN}(?P<kind>{_spellings(self.named[-1])}))?" if self.typed else "(?P<kind>(?!))?"
        whole = tuple(word for i, word in enumerate(self.named) if i or word not in RULES.directions)
        inner = whole != (*self.bare, *(self.named[-1:] if self.typed else ()))
        with_directions = rf"(?P<whole>{_BETWEEN.join(map(_spellings, whole))})|" if inner and whole else ""
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


def _streets(line: str) -> Iterator[_Street]:
    words = _WORD.findall(line)
    number = words[0] if words and _NUMBER.match(words[0]) else ""
    named = words[1:] if number else words
    for i, word in enumerate(named):
        if i and word in RULES.units:
            named = named[:i]
            break
    if named:
        typed = len(named) > 1 and named[-1] in RULES.street_types
        bare = [word for word in (named[:-1] if typed else named) if word not in RULES.directions] or named
        yield _Street(number, tuple(named), tuple(bare), typed)


def _of_streets(reading: Reading, streets: list[_Street], lexicon: Lexicon) -> Iterator[Span]:
    """Streets wherever they stand, with a number or without; their own words alone behind who lives there, and a
    house's number behind what says that it is one."""
    small = reading.small
    gap = _HYPHENATED if _BROKEN.search(small) else ""
    for street in streets:
        own, number = street.pattern(gap), re.compile(rf"{_misread(street.number)}(?![^\W_])")
        first = re.compile(rf"{_read(street.bare[0], gap)}(?![^\W_])")
        for at in _beginnings(small, (street.number, *street.beginnings)):
            numbered = number.match(small, at) if street.number else None
            end, score = -1, 1.0
            if numbered is not None:
                end = _numbered(small, numbered.end(), street, own, first)
                if end < 0 and sum(map(str.isdigit, street.number)) > 1 and _said(_HOUSE, small, at):
                    end, score = numbered.end(), 0.95
                    if _QUANTITY_BEHIND.match(small, end) or _DECIMALS.match(small, end):
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


def _numbered(small: str, at: int, street: _Street, own: re.Pattern[str], first: re.Pattern[str]) -> int:
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
    firsts = {word[:2] for word in words if word}
    if not firsts:
        return
    # A set of characters in front lets `re` run over what begins with none of them.
    one = "".join(
        RULES.characters.get(first[0], first[0]) + RULES.pairs.get(first[0], "")[:1] for first in firsts
    )
    two = "".join(
        RULES.characters.get(at, at) + RULES.pairs.get(at, "")[:1] for at in {first[-1] for first in firsts}
    )
    after_pair = "".join(RULES.pairs[first[0]][1:] for first in firsts if first[0] in RULES.pairs)
    for match in re.finditer(rf"[{re.escape(one)}][{re.escape(two + after_pair)}]", small):
        at = match.start()
        if not at or not small[at - 1].isalnum():
            yield at


def _tells(word: str) -> bool:
    """Whether the first word of a street's name tells the street: "Wisteria" of "Wisteria Hollow"."""
    return len(word) > 4 and word not in RULES.common


def _misspelled(reading: Reading, streets: Iterable[_Street], lexicon: Lexicon) -> Iterator[Span]:
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
    """How far from `at` an address goes on in one direction, and its words there: each, and whether it is right."""
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


def _codes(reading: Reading, codes: Iterable[str]) -> Iterator[Span]:
    forms: set[str] = set()
    for code in codes:
        if code.isdigit():
            forms.add(rf"{code[:5]}(?:[- ]?{code[5:]})?" if len(code) == 9 else code)
            forms.add(rf"{code[:5]}-\d{{4}}")
        else:
            forms.add(r"[\s-]?".join(map(re.escape, letters(code))))
    for pattern in _compiled(forms):
        for match in pattern.finditer(reading.small):
            if _is_code(reading.small, match):
                yield Span(match.start(), match.end(), Category.LOCATION, 0.97, "KnownZip")


def _is_code(small: str, match: re.Match[str]) -> bool:
    """Whether the digits are a postal code: no quantity; four of them, as abroad, are behind a place."""
    if _QUANTITY_BEHIND.match(small, match.end()):
        return False
    if len(match[0]) != 4 or not match[0].isdigit():
        return True
    before = _CODE_BEFORE.search(small, max(0, match.start() - 4), match.start())
    return before is not None and not _YEAR.fullmatch(match[0])


def _towns(reading: Reading, towns: Iterable[str], lexicon: Lexicon) -> Iterator[Span]:
    """Towns as written; one that is a word only with a capital where a place is meant; one of one word also
    misspelled or misread."""
    forms: dict[str, bool] = {}
    for town in towns:
        words = _WORD.findall(town)
        if sum(map(len, words)) < 3:
            continue
        is_word = all(lexicon.is_word(word) for word in words)
        forms[_BETWEEN.join(map(_town_word, words))] = is_word and len(words) == 1
    single = {letters(town) for town in _single(towns, lexicon)}
    for form, doubtful in forms.items():
        for pattern in _compiled([form]):
            for match in pattern.finditer(reading.small):
                if not doubtful or _place(reading, *match.span()):
                    yield Span(match.start(), match.end(), Category.LOCATION, 0.97, "KnownTown")
    if not single:
        return
    near = NearWords(single)
    of_word: dict[str, bool] = {}
    for match in TOKEN.finditer(reading.small):
        word = match[0]
        if word not in of_word:
            nearest = near.nearest(word.replace("'", ""))
            of_word[word] = nearest is not None and nearest[1] == 1 and not lexicon.is_word(word)
        if of_word[word] and reading.text[match.start()].isupper():
            yield Span(*match.span(), Category.LOCATION, 0.9, "KnownTownMisspelled")
    for found in MisreadWords(single).find(reading.small):
        if not all(lexicon.is_word(piece) for piece in found.pieces):
            yield Span(found.start, found.end, Category.LOCATION, 0.9, "KnownTownMisread")


def _single(towns: Iterable[str], lexicon: Lexicon) -> Iterator[str]:
    """The towns of one word that is no other, long enough to be told with a letter wrong."""
    for town in towns:
        words = _WORD.findall(town)
        if len(words) == 1 and len(town) >= 6 and not lexicon.is_word(words[0]):
            yield town


def _town_word(word: str) -> str:
    """Nothing beside a town says that one is meant: misread, a town that is a word is that word."""
    return _spellings(word) if word in RULES.street_types or word in RULES.directions else re.escape(word)


def _place(reading: Reading, start: int, end: int) -> bool:
    if not reading.text[start].isupper():
        return False
    before = re.search(r"([a-z]+)[ \t]{1,2}$", reading.small[max(0, start - 16) : start])
    if before is not None and before[1] in RULES.before_town:
        return True
    line = reading.text[max(0, start - 4) : start].rstrip(" \t")
    if line[-1:] in {"|", "^", '"', ">"} or (line and line[-1] not in ".:;\n\r!?•*-"):
        return True  # a field of its own, or a capital amid a sentence
    behind = re.match(r",[ \t]{0,2}([a-z]+)", reading.small[end : end + 24])
    return behind is not None and behind[1] in RULES.states


def find_emails(reading: Reading, emails: Iterable[str]) -> Iterator[Span]:
    """Also with "at" and "dot" in words, spaced out or broken over a line at a dot or the sign, and misread."""
    forms: set[str] = set()
    for email in emails:
        local, _, domain = folded(email).strip().lower().partition("@")
        if not local or not domain:
            continue
        at = r"\s{0,2}(?:@|\(at\)|\[at\]|\sat\s)\s{0,8}"
        dot = r"(?:\s?\.\s{0,8}|\sdot\s|\s?[(\[]dot[)\]]\s?)"
        account = "".join(
            dot if piece == "." else rf"\s?{re.escape(piece)}\s?" if piece in "_-+" else _misread(piece)
            for piece in re.split(r"([._+-])", local)
            if piece
        )
        forms.add(account + at + dot.join(map(_misread, domain.split("."))))
    for pattern in _compiled(forms):
        for match in pattern.finditer(reading.small):
            yield Span(match.start(), match.end(), Category.EMAIL, 1.0, "KnownEmail")
