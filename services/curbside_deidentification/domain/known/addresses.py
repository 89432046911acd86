"""Known addresses whole and by parts: house number and street, street, unit, town, ZIP code; and e-mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.known.confusions import MisreadWords
from curbside_deidentification.domain.known.edits import NearWords
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.spelling import TOKEN, Reading, folded, letters
from curbside_deidentification.domain.known.streets import (
    BETWEEN,
    QUANTITY_BEHIND,
    WORD,
    Street,
    find_streets,
    misread,
    spellings,
    streets_of,
)
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

_PIECES: Final = re.compile(r"\s*[,;^\n\r]+\s*")
_ZIP: Final = re.compile(r"(?<![\w-])(\d{5})(?:[- ]?(\d{4}))?$")
_OTHER_ZIP: Final = re.compile(r"(?:^|(?<=[a-z.] ))\d{4}(?:\d\d)?$")
_CODE_BEFORE: Final = re.compile(r"(?:[a-z][,.]?[ \t]{1,2}|[|^>\"])$")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_FOREIGN_CODE: Final = re.compile(r"(?=.*\d)(?=.*[a-z])[a-z0-9]{2,4}[ -]?[a-z0-9]{2,4}$")
_BOX: Final = re.compile(r"\bp\.?\s?o\.?\s?box\s?(\d+)")


def find_addresses(reading: Reading, addresses: Iterable[str], lexicon: Lexicon) -> Iterator[Span]:
    whole: set[str] = set()
    boxes: set[str] = set()
    streets: list[Street] = []
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
                streets += streets_of(rest)
            elif rest and (i or len(pieces) == 1) and rest not in RULES.states:
                towns.add(_without_state(rest))
    for pattern in (*_compiled(whole), *_compiled(boxes)):
        for match in pattern.finditer(reading.small):
            yield Span(match.start(), match.end(), Category.LOCATION, 1.0, "KnownAddress")
    yield from find_streets(reading, streets, lexicon)
    yield from _codes(reading, zips)
    yield from _towns(reading, towns, lexicon)


def _compiled(forms: Iterable[str]) -> Iterator[re.Pattern[str]]:
    alternatives = "|".join(sorted(forms, key=lambda form: (len(form), form), reverse=True))
    if alternatives:
        yield re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])")


def _whole(pieces: list[str]) -> Iterator[str]:
    words = [word for piece in pieces for word in WORD.findall(piece)]
    if sum(map(len, words)) >= 6 and len(words) > 1:
        yield BETWEEN.join(map(spellings, words))


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


def _codes(reading: Reading, codes: Iterable[str]) -> Iterator[Span]:
    forms: set[str] = set()
    for code in codes:
        if code.isdigit():
            five = misread(code[:5])
            forms.add(rf"{five}(?:[- ]?{misread(code[5:])})?" if len(code) == 9 else misread(code))
            forms.add(rf"{five}-\d{{4}}")
        else:
            forms.add(r"[\s-]?".join(map(re.escape, letters(code))))
    for pattern in _compiled(forms):
        for match in pattern.finditer(reading.small):
            if _is_code(reading.small, match):
                yield Span(match.start(), match.end(), Category.LOCATION, 0.97, "KnownZip")


def _is_code(small: str, match: re.Match[str]) -> bool:
    """Whether the digits are a postal code: no quantity; four of them, as abroad, are behind a place."""
    if QUANTITY_BEHIND.match(small, match.end()):
        return False
    if match[0][0].isdigit() and len(match[0]) == 5 and sum(map(str.isdigit, match[0])) < 4:
        return False  # a word or a code of letters
    if len(match[0]) != 4 or not match[0].isdigit():
        return True
    before = _CODE_BEFORE.search(small, max(0, match.start() - 4), match.start())
    return before is not None and not _YEAR.fullmatch(match[0])


def _towns(reading: Reading, towns: Iterable[str], lexicon: Lexicon) -> Iterator[Span]:
    """Towns as written; one that is a word only with a capital where a place is meant; one of one word also
    misspelled or misread."""
    forms: dict[str, bool] = {}
    for town in towns:
        words = WORD.findall(town)
        if sum(map(len, words)) < 3:
            continue
        is_word = all(lexicon.is_word(word) for word in words)
        forms[BETWEEN.join(map(_town_word, words))] = is_word and len(words) == 1
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
        words = WORD.findall(town)
        if len(words) == 1 and len(town) >= 6 and not lexicon.is_word(words[0]):
            yield town


def _town_word(word: str) -> str:
    """Nothing beside a town says that one is meant: misread, a town that is a word is that word."""
    return spellings(word) if word in RULES.street_types or word in RULES.directions else re.escape(word)


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
    """Also with "at" and "dot" in words, misread, spaced out or broken over a line at a dot or the sign."""
    forms: set[str] = set()
    for email in emails:
        local, _, domain = folded(email).strip().lower().partition("@")
        if not local or not domain:
            continue
        at = r"\s{0,2}(?:@|\(at\)|\[at\]|\sat\s)\s{0,8}"
        dot = r"(?:\s?\.\s{0,8}|\sdot\s|\s?[(\[]dot[)\]]\s?)"
        account = "".join(
            dot if piece == "." else rf"\s?{re.escape(piece)}\s?" if piece in "_-+" else misread(piece)
            for piece in re.split(r"([._+-])", local)
            if piece
        )
        forms.add(account + at + dot.join(map(misread, domain.split("."))))
    for pattern in _compiled(forms):
        for match in pattern.finditer(reading.small):
            yield Span(match.start(), match.end(), Category.EMAIL, 1.0, "KnownEmail")
