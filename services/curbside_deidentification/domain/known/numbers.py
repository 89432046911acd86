"""Record, account, security and telephone numbers, in any grouping, misread, mistyped, or their last four."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.known.edits import NearWords
from curbside_deidentification.domain.known.identifiers import Known
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.spelling import Reading, letters
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

# Between two characters of a number: a separator, spaces, or the end of a line.
_SEPARATOR: Final = r"(?:[-\s./()^]{0,3}|-[ \t]?\r?\n[ \t]{2,8})"
_SHORTEST: Final = 4
# Shorter ones turn up by chance where a digit may be read for a letter, or one may be wrong.
_SHORTEST_MISREAD: Final = 6
_SHORTEST_MISTYPED: Final = 8
_SSN: Final = re.compile(r"\d{3}-\d{2}-\d{4}")
_EXTENSION: Final = re.compile(r"\s*(?:\bext(?:ension)?\.?|x|#)\s*\d{1,6}\s*$", re.IGNORECASE)
_EXTENSION_BEHIND: Final = r"(?:,?\s{0,2}(?:ext(?:ension)?\.?|x)\s{0,2}\d{1,6})?"
_MASKED: Final = (
    r"(?:(?:ending|ends)(?:[ ](?:in|with))?|last[ ](?:four|4)(?:[ ]digits)?(?:[ ]of[ ](?:[a-z']+[ ]){1,3})?"
    r"(?:[ ]?(?:is|are|:))?|(?<![a-z0-9*#•])[x*#•]{2,12}(?:[-. ]?[x*#•]{1,6}){0,2}[-. ]?|"
    r"(?<!\.)\.{2,12}|…)[ ]{0,2}#?"
)
_PHONE_LABEL: Final = (
    r"(?<![^\W_])(?:phone|cell|mobile|telephone|tel|ph|extension|ext)\.?[ ]?(?:no\.?|number|#)?[ :#-]{1,3}"
)
_UNIT_BEHIND: Final = re.compile(
    rf"\s?(?:%|/\s?(?:[a-z]*l|hpf|mm3|cmm|day|hr|min)\b|x\s?10|(?:{'|'.join(RULES.quantities)})\b)"
)
_LABEL_BEFORE: Final = re.compile(
    rf"(?:\b(?:{'|'.join(RULES.number_labels)})\b[\s:.#=is]{{0,6}}|"
    r"\b(?:reached|reachable|called)[ ](?:at|on)[ ]|#\s?|[|~>\"])$"
)
# With a digit near its beginning: no word is looked at.
_TOKEN: Final = re.compile(r"(?<![^\W_])(?=[a-z]{0,6}[-/.]?\d)[0-9a-z]+(?:[-/.][0-9a-z]+){0,6}(?![^\W_])")


def find_numbers(reading: Reading, known: Known, lexicon: Lexicon) -> Iterator[Span]:
    ssns = [number for number in known.numbers if _SSN.fullmatch(number.strip())]
    others = [number for number in known.numbers if number not in ssns]
    for values, category, recogniser in (
        (known.mrns, Category.MRN, "KnownMrn"),
        (ssns, Category.SSN, "KnownSsn"),
        (others, Category.OTHER_ID, "KnownNumber"),
    ):
        yield from _grouped(reading, values, category, recogniser)
        yield from _lettered(reading, values, category, recogniser, lexicon)
        yield from _mistyped(reading, values, category, recogniser)
    yield from _phones(reading, known.phones)


def _grouped(reading: Reading, values: Iterable[str], category: Category, recogniser: str) -> Iterator[Span]:
    forms: set[str] = set()
    last_four: set[str] = set()
    for value in values:
        key = letters(value)
        digits = "".join(filter(str.isdigit, key))
        if len(key) < _SHORTEST:
            continue
        forms.add(_pattern(key))
        significant = key.lstrip("0")
        if len(significant) >= _SHORTEST:
            forms.add(rf"(?:0{_SEPARATOR}){{0,8}}{_pattern(significant)}")
        if (
            key != digits
            and len(digits) >= _SHORTEST_MISREAD
            and key.lstrip("abcdefghijklmnopqrstuvwxyz") == digits
        ):
            forms.add(_pattern(digits))  # "MX-441202" without its letters
        if len(digits) >= _SHORTEST_MISREAD:
            last_four.add(digits[-4:])
    for match in _matches(reading.small, forms):
        if _identifies(reading.small, match):
            yield Span(match.start(), match.end(), category, 1.0, recogniser)
    yield from _last_four(reading, last_four, category, recogniser)


def _lettered(
    reading: Reading, values: Iterable[str], category: Category, recogniser: str, lexicon: Lexicon
) -> Iterator[Span]:
    """Identifiers without a digit, as they are written and only where they are no words."""
    keys = {value.strip().lower() for value in values}
    forms = [
        re.escape(key) for key in keys if key.isalpha() and len(key) > _SHORTEST and not lexicon.is_word(key)
    ]
    for match in _matches(reading.small, forms):
        yield Span(match.start(), match.end(), category, 1.0, recogniser)


def _pattern(key: str) -> str:
    """The characters of `key` with any separators; a digit may be read for the letter that it looks like."""
    if len(key) < _SHORTEST_MISREAD:
        return _SEPARATOR.join(map(re.escape, key))
    return _SEPARATOR.join(
        f"[{re.escape(RULES.characters[character])}]" if character in RULES.characters else character
        for character in key
    )


def _matches(small: str, forms: Iterable[str]) -> Iterator[re.Match[str]]:
    alternatives = "|".join(sorted(forms, key=lambda form: (len(form), form), reverse=True))
    if alternatives:
        yield from re.finditer(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])", small)


def _identifies(small: str, match: re.Match[str]) -> bool:
    """Whether the number is one, and no quantity, year or word that has the same characters."""
    read = letters(match[0])
    if not any(map(str.isdigit, read)):
        return False
    if not read.isdigit() or len(read) > 7:
        return True
    if _UNIT_BEHIND.match(small, match.end()):
        return False
    if len(read) > _SHORTEST:
        return True
    return _LABEL_BEFORE.search(small, max(0, match.start() - 24), match.start()) is not None


def _last_four(
    reading: Reading, digits: Iterable[str], category: Category, recogniser: str, label: str = ""
) -> Iterator[Span]:
    before = re.compile(f"(?:{_MASKED}|{label})$" if label else f"(?:{_MASKED})$")
    alternatives = "|".join(sorted(set(digits)))
    if not alternatives:
        return
    # The digits are rarer than what may stand before them, which is looked for where they are.
    for match in re.finditer(rf"(?<!\d)(?:{alternatives})(?!\w)", reading.small):
        masked = before.search(reading.small, max(0, match.start() - 64), match.start())
        if masked is not None and not _UNIT_BEHIND.match(reading.small, match.end()):
            yield Span(*match.span(), category, 0.95, f"{recogniser}LastFour")


def _mistyped(reading: Reading, values: Iterable[str], category: Category, recogniser: str) -> Iterator[Span]:
    """One digit wrong, missing, too many, or two exchanged."""
    keys = {key for key in map(letters, values) if len(key) >= _SHORTEST_MISTYPED}
    if not keys:
        return
    near = NearWords(keys)
    of_token: dict[str, bool] = {}
    for match in _TOKEN.finditer(reading.small):
        token = match[0]
        if len(token) < _SHORTEST_MISTYPED - 1:
            continue
        if token not in of_token:
            key = letters(token)
            nearest = near.nearest(key) if sum(map(str.isdigit, key)) >= 4 else None
            of_token[token] = nearest is not None and nearest[1] == 1
        if of_token[token]:
            yield Span(*match.span(), category, 0.9, f"{recogniser}Mistyped")


def _phones(reading: Reading, phones: Iterable[str]) -> Iterator[Span]:
    forms: set[str] = set()
    last_four: set[str] = set()
    for phone in phones:
        digits = "".join(filter(str.isdigit, _EXTENSION.sub("", phone)))
        if len(digits) < 7:
            if len(digits) >= _SHORTEST:
                forms.add(_pattern(digits))
            continue
        last_four.add(digits[-4:])
        if len(digits) == 11 and digits[0] == "1":
            digits = digits[1:]
        if len(digits) == 10:
            # North America: with the country's code or without the area's.
            forms.add(rf"(?:\+?0{{0,2}}1{_SEPARATOR})?\(?{_pattern(digits)}{_EXTENSION_BEHIND}")
            forms.add(rf"{_pattern(digits[3:6])}[-. ]{_pattern(digits[6:])}{_EXTENSION_BEHIND}")
            forms.add(rf"{_pattern(digits[3:])}{_EXTENSION_BEHIND}")
        else:
            forms.add(rf"\+?{_pattern(digits)}{_EXTENSION_BEHIND}")
            if len(digits) > 10:
                # Elsewhere: with a nought for the country's code.
                forms.add(rf"\(?0{_SEPARATOR}{_pattern(digits[-9:])}")
                forms.add(rf"\(?0{_SEPARATOR}{_pattern(digits[-10:])}")
    for match in _matches(reading.small, forms):
        if _identifies(reading.small, match):
            start = match.start() - (reading.small[match.start() - 1 : match.start()] in {"(", "+"})
            yield Span(max(start, 0), match.end(), Category.PHONE, 1.0, "KnownPhone")
    yield from _last_four(reading, last_four, Category.PHONE, "KnownPhone", _PHONE_LABEL)
