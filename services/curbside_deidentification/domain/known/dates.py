"""A known date in every style that records write it in, whole or in part.

A year by itself stays: it is none of the elements that Safe Harbor removes. So does the age that follows
from a date of birth, below 90.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from curbside.phi import Category
from curbside.wording import MONTHS, in_words, ordinal, ordinal_in_words
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.spelling import Reading, folded
from curbside_deidentification.domain.spans import Span

_ROMAN: Final = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_WEEKDAY: Final = (
    r"(?:(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?[.,]?\s{1,2}(?:the\s)?)?"
)
_TIME: Final = (
    r"(?:(?:t|,?\s)\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:\s?[ap]\.?m\.?)?(?:z|\s?[+-]\d\d:?\d\d)?)?"
)
_BORN: Final = (
    r"(?:\b(?:born(?:\s(?:on|the))?|date\sof\sbirth|birth\s?da(?:te|y)|dob|d\.o\.b\.|b\.|bdate)"
    r"[\s:(=.]{1,4}(?:is\s|was\s|on\s)?)"
)
_ISO: Final = re.compile(r"(\d{4})-?(\d\d)(?:-?(\d\d))?(?!\d{1,3}$)(?:\D.*|\d{4,}.*)?$")
_NUMERIC: Final = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d\d)\b")
_YEAR_FIRST: Final = re.compile(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})\b")
_MONTH_NAME: Final = re.compile(r"(?<![a-z])(" + "|".join(month[:3] for month in MONTHS) + r")[a-z]*", re.I)


@dataclass(frozen=True, slots=True)
class _Day:
    year: int
    month: int
    day: int | None


def find_dates(reading: Reading, values: Iterable[str]) -> Iterator[Span]:
    days = sorted({day for value in values for day in _read(value)}, key=str)
    if not days:
        return
    whole = "|".join(dict.fromkeys(form for day in days for form in _forms(day)))
    born = "|".join(dict.fromkeys(form for day in days for form in _forms_behind_a_label(day)))
    for match in re.finditer(
        rf"(?<![^\W_])(?<!\d[-/.]){_WEEKDAY}(?:{whole}){_TIME}(?![^\W_])", reading.small
    ):
        yield Span(match.start(), match.end(), Category.DATE, 1.0, "KnownDate")
    if born:
        for match in re.finditer(rf"{_BORN}(?P<phi>{born})(?![^\W_])(?![/-]\d)", reading.small):
            yield Span(*match.span("phi"), Category.DATE, 0.95, "KnownDate")


def _read(value: str) -> Iterator[_Day]:
    """The days that `value` may mean: 02/03/1961 is in March where the day is written first."""
    value = folded(value).strip().lower()
    iso, first, numeric = _ISO.match(value), _YEAR_FIRST.match(value), _NUMERIC.match(value)
    if iso is not None:
        yield from _day(iso[1], iso[2], iso[3])
    elif first is not None:
        yield from _day(*first.groups())
    elif numeric is not None:
        one, other, year = numeric.groups()
        for written in (year,) if len(year) == 4 else (f"19{year}", f"20{year}"):
            yield from _day(written, one, other)
            yield from _day(written, other, one)
    else:
        month = _MONTH_NAME.search(value)
        year_of = re.search(r"(?<!\d)\d{4}(?!\d)", value)
        day_of = re.search(r"(?<!\d)\d{1,2}(?!\d)", value)
        if month is not None and year_of is not None:
            number = [name[:3].lower() for name in MONTHS].index(month[1].lower()) + 1
            yield from _day(year_of[0], str(number), day_of[0] if day_of else None)


def _day(year: str, month: str, day: str | None) -> Iterator[_Day]:
    if 1 <= int(month) <= 12 and (day is None or 1 <= int(day) <= 31):
        yield _Day(int(year), int(month), int(day) if day else None)


def _digits(number: int, width: int, *, padded: bool = False) -> str:
    """A number as a scanner may misread it, with or without its noughts."""
    text = str(number)
    zeros = "[0o]" * max(0, width - len(text))
    figures = "".join(f"[{re.escape(RULES.characters.get(one, one))}]" for one in text)
    return (zeros if padded else f"(?:{zeros})?" if zeros else "") + figures


def _year(year: int) -> str:
    short = _digits(year % 100, 2, padded=True)
    return rf"(?:{_digits(year, 4)}|'?{short}|{_year_in_words(year)})"


def _year_in_words(year: int) -> str:
    rest = year % 100
    if not rest or year // 100 not in (19, 20):
        return "nineteen[ -]hundred" if year == 1900 else "two[ -]thousand" if year == 2000 else str(year)
    words = _spaced(in_words(rest))
    century = (
        "nineteen(?:[ -]hundred)?(?:[ -]and)?"
        if year // 100 == 19
        else "(?:twenty|two[ -]thousand(?:[ -]and)?)"
    )
    return rf"{century}[ -](?:oh?[ -])?{words}"


def _month_name(month: int) -> str:
    name = MONTHS[month - 1].lower()
    short = "sept?" if month == 9 else name[:3]
    return rf"(?:{name}|{short}\.?)"


def _day_of_month(day: int) -> str:
    suffix = ordinal(day)[-2:]
    return rf"(?:{_digits(day, 2)}(?:\s?{suffix})?|{_spaced(ordinal_in_words(day))})"


def _spaced(words: str) -> str:
    return words.replace("-", "[ -]")


def _forms(date: _Day) -> Iterator[str]:
    """Styles that say by themselves that they are this date."""
    year, month, name = _year(date.year), _digits(date.month, 2), _month_name(date.month)
    full = _digits(date.year, 4)
    gap = r"[\s,.\-/]{0,3}(?:of[\s,]{1,2})?"
    if date.day is None:
        yield rf"{name}{gap}{year}"
        yield rf"{month}[-/.]{full}"
        yield rf"{full}[-/.]{month}"
        return
    day, in_words = _digits(date.day, 2), _day_of_month(date.day)
    padded_day, padded_month = _digits(date.day, 2, padded=True), _digits(date.month, 2, padded=True)
    separator = r"\s?[-/._\\ ]\s?"
    for one, other in {(month, day), (day, month)}:
        yield rf"{one}{separator}{other}{separator}{year}"
    yield rf"{full}{separator}{month}{separator}{day}"
    yield rf"{full}{separator}{day}{separator}{month}"
    yield rf"{full}{padded_month}{padded_day}(?:\d{{4}}(?:\d\d)?(?:[+-]\d{{4}})?)?"
    yield rf"{padded_month}{padded_day}{full}"
    yield rf"{padded_day}{padded_month}{full}"
    yield rf"{day}[-. ]{_ROMAN[date.month - 1]}[-. ]{full}"
    # A month's name with its day, whether a year follows or not.
    yield rf"(?:the\s)?{in_words}{gap}(?:{name}){gap}{year}"
    yield rf"{name}{gap}(?:the\s)?{in_words}{gap}{year}"
    yield rf"{full}[-/. ]{name}[-/. ]{day}"
    yield rf"(?:the\s)?{in_words}(?:\s{{1,2}}|-)(?:of\s)?(?:day\sof\s)?{name}"
    yield rf"{name}(?:\s{{1,2}}|-)(?:the\s)?{in_words}"
    # The month with its year.
    yield rf"{name}[\s,]{{1,3}}(?:of\s)?(?:{full}|'{_digits(date.year % 100, 2, padded=True)})"
    yield rf"{month}[-/]{full}"


def _forms_behind_a_label(date: _Day) -> Iterator[str]:
    """Styles that are quantities elsewhere: 2/3 is a fraction, 020361 a count."""
    if date.day is None:
        return
    month, day = _digits(date.month, 2), _digits(date.day, 2)
    short = _digits(date.year % 100, 2, padded=True)
    padded_day, padded_month = _digits(date.day, 2, padded=True), _digits(date.month, 2, padded=True)
    yield rf"{month}[-/]{day}"
    yield rf"{day}[-/]{month}"
    for one, other in {(padded_month, padded_day), (padded_day, padded_month)}:
        yield rf"{one}{other}{short}"
    yield rf"{short}{padded_month}{padded_day}"
    yield rf"{month}[-/]'?{short}"
