"""Known addresses whole and by parts: house number and street, street, unit, town, ZIP code; and e-mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.known.confusions import MisreadWords
from curbside_deidentification.domain.known.edits import NearWords, within
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.spelling import TOKEN, Reading, folded, letters
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

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
# A street's own words without its kind are a place behind one of these: "lives on wisteria hollow".
_RESIDING: Final = (
    r"(?<![^\W_])(?:(?:lives?|lived|living|resid(?:es?|ed|ing)|stays?|stayed|staying|moved|moving|home|house|apartment|"
    r"condo|residence|place)[ ](?:alone[ ]|back[ ]|still[ ]|(?:with|w/)[ ]?(?:[a-z]+[ ]){1,2})?(?:is[ ]|was[ ])?"
    r"(?:on|at|in|to|off|near|by)|address(?:[ ]is|:)?|corner[ ]of|down|off)[ ]{1,2}(?:the[ ])?"
)
# And its number by itself is behind one of these: "house no. 4417".
_HOUSE: Final = (
    r"(?<![^\W_])(?:(?:house|home|street|door|building|bldg|address|residence)\s?(?:no\.?|number|nr\.?|num\.?|#)?|"
    r"(?:lives?|lived|living|resid(?:es?|ed|ing)|stays?|staying)[ ](?:at|in)(?:[ ]no\.?|[ ]number)?)[ \t:#]{1,3}"
)
_UNIT: Final = (
    rf"(?:[\s,]{{1,3}}(?:{'|'.join(RULES.units)}|#)\.?\s{{0,2}}#?\s?[a-z]?-?\d{{0,5}}[a-z]?(?![^\W_]))?"
)


def find_addresses(reading: Reading, addresses: Iterable[str], lexicon: Lexicon) -> Iterator[Span]:
    whole: set[str] = set()
    forms: set[str] = set()
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
                forms.update(_boxes(rest))
                streets += _streets(rest)
            elif rest and (i or len(pieces) == 1) and rest not in RULES.states:
                towns.add(_without_state(rest))
    forms.update(form for street in streets for form in street.forms(lexicon))
    for pattern in (*_compiled(whole), *_compiled(forms)):
        for match in pattern.finditer(reading.small):
            yield Span(match.start(), match.end(), Category.LOCATION, 1.0, "KnownAddress")
    yield from _behind_a_label(reading, streets)
    yield from _codes(reading, zips)
    yield from _towns(reading, towns, lexicon)
    yield from _misspelled(reading, streets, towns, lexicon)


def _compiled(forms: Iterable[str]) -> Iterator[re.Pattern[str]]:
    alternatives = "|".join(sorted(forms, key=lambda form: (len(form), form), reverse=True))
    if alternatives:
        yield re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])")


def _whole(pieces: list[str]) -> Iterator[str]:
    words = [word for piece in pieces for word in _WORD.findall(piece)]
    if sum(map(len, words)) >= 6 and len(words) > 1:
        yield _BETWEEN.join(map(_spellings, words))


def _spellings(word: str) -> str:
    """A word of an address in each of its spellings: "Street", "St"; a longer one also misread or hyphenated."""
    spellings = RULES.street_types.get(word, ()) + RULES.directions.get(word, ())
    if not spellings:
        return _misread(word)
    return f"(?:{'|'.join(sorted(map(re.escape, set(spellings)), key=len, reverse=True))})"


def _misread(word: str) -> str:
    if len(word) < 4 and not word.isdigit():
        return re.escape(word)
    gap = _HYPHENATED if len(word) > 5 and word.isalpha() else ""
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


@dataclass(frozen=True, slots=True)
class _Street:
    """A street as the source writes it; all in small letters."""

    number: str  # of the house, or ""
    named: tuple[str, ...]  # with directions and kind
    bare: tuple[str, ...]  # without
    typed: bool

    @property
    def kind(self) -> str:
        return _spellings(self.named[-1]) if self.typed else ""

    @property
    def own(self) -> str:
        """The street's own words, with its kind or without, and with any direction."""
        any_direction = rf"(?:(?:{'|'.join(sorted(RULES.directions, key=len, reverse=True))})\.?\s)?"
        kind = rf"(?:{_BETWEEN}{self.kind})?" if self.typed else ""
        return any_direction + _BETWEEN.join(map(_spellings, self.bare)) + kind

    @property
    def telling(self) -> bool:
        return sum(map(len, self.bare)) >= 3 and not all(map(str.isdigit, self.bare))

    def forms(self, lexicon: Lexicon) -> Iterator[str]:
        """What is this street wherever it stands."""
        street = _BETWEEN.join(map(_spellings, self.named))
        if self.number:
            # With the number the street's bare name is enough; the unit behind goes with it.
            number = _misread(self.number)
            yield rf"{number}{_BETWEEN}{street}{_UNIT}"
            if sum(map(len, self.bare)) >= 3:
                yield rf"{number}{_BETWEEN}{self.own}{_UNIT}"
            first = self.bare[0]
            if len(first) >= 4 and (len(self.number) > 2 or first not in RULES.common):
                yield rf"{number}{_BETWEEN}{_spellings(first)}"  # "4417 Wisteria" of "Wisteria Hollow Court"
        if self.typed and self.telling:
            yield street
        elif not self.typed and len(self.named) > 1 and not all(map(lexicon.is_word, self.named)):
            yield street  # "Larkspur Cottage"
        if len(self.bare) > 1 and self.telling and not RULES.common.issuperset(self.bare):
            yield self.own  # "Wisteria Hollow" without its kind


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


def _behind_a_label(reading: Reading, streets: Iterable[_Street]) -> Iterator[Span]:
    """A street's own words behind who lives there, and a house's number behind what says that it is one."""
    own = "|".join(dict.fromkeys(one.own for one in streets if one.telling and (one.number or one.typed)))
    numbers = "|".join(
        dict.fromkeys(_misread(one.number) for one in streets if sum(map(str.isdigit, one.number)) > 1)
    )
    for before, phi in ((_RESIDING, own), (_HOUSE, numbers)):
        if not phi:
            continue
        for match in re.finditer(rf"{before}(?P<phi>{phi})(?![^\W_]|[.,]\d)", reading.small):
            if not _QUANTITY_BEHIND.match(reading.small, match.end()):
                yield Span(*match.span("phi"), Category.LOCATION, 0.95, "KnownAddress")


def _misspelled(
    reading: Reading, streets: Iterable[_Street], towns: Iterable[str], lexicon: Lexicon
) -> Iterator[Span]:
    """A town of one word, and a word of a street beside another part of its address, with one edit."""
    single = {letters(town) for town in _single(towns, lexicon)}
    of_street = {word: one for one in streets for word in one.bare if len(word) > 4 and word.isalpha()}
    if not single and not of_street:
        return
    near = NearWords((*single, *of_street))
    of_word: dict[str, str | None] = {}
    for match in TOKEN.finditer(reading.small):
        word = match[0]
        if word not in of_word:
            nearest = near.nearest(word.replace("'", ""))
            of_word[word] = nearest[0] if nearest is not None and nearest[1] == 1 else None
        meant = of_word[word]
        if meant is None or word == meant:
            continue
        is_word = lexicon.is_word(word)
        if meant in single and not is_word and reading.text[match.start()].isupper():
            yield Span(*match.span(), Category.LOCATION, 0.9, "KnownTownMisspelled")
        if meant in of_street:
            yield from _beside(reading, *match.span(), of_street[meant], meant, is_word=is_word)


def _beside(
    reading: Reading, start: int, end: int, street: _Street, meant: str, *, is_word: bool
) -> Iterator[Span]:
    """The misspelled word with what else of its address stands on either side; nothing where none does."""
    small = reading.small
    at = street.bare.index(meant)
    before = _BEFORE.search(small, max(0, start - 24), start)
    behind = _BEHIND.match(small, end, end + 24)
    said = before[1] if before is not None else ""
    earlier = bool(said) and (
        (not at and street.number and re.fullmatch(_misread(street.number), said) is not None)
        or (at > 0 and within(said, street.bare[at - 1], 1))
    )
    said = behind[1] if behind is not None else ""
    later = bool(said) and (
        within(said, street.bare[at + 1], 1)
        if at + 1 < len(street.bare)
        else street.typed and re.fullmatch(street.kind, said) is not None
    )
    if (earlier and later) or ((earlier or later) and not is_word):
        yield Span(
            before.start(1) if earlier and before is not None else start,
            behind.end(1) if later and behind is not None else end,
            Category.LOCATION,
            0.9,
            "KnownAddressMisspelled",
        )


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
