"""A mention of a date, moved by days or cut to its year, written in the style that it was written in.

A mention may hold several ("April 29 to May 2, 2023"), a time of day, which stays, and a weekday, which
follows. What is not understood to the last word is not answered: the caller puts a tag there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from curbside.wording import MONTHS, WEEKDAYS, ordinal_in_words

_DAY_WORDS: Final = [ordinal_in_words(day) for day in range(1, 32)]
_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|"
    r"Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_WEEKDAY: Final = r"(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?)"
_NUMBER: Final = r"[0-9]{1,2}(?![0-9])(?:\s?(?:st|nd|rd|th)\b)?"
_WORDS: Final = "|".join(sorted((word.replace("-", "[- ]") for word in _DAY_WORDS), key=len, reverse=True))
_DAY: Final = rf"(?:{_NUMBER}|(?:{_WORDS})\b)"
_YEAR: Final = r"(?:(?:19|20)[0-9]{2}|['’][0-9]{2})(?![0-9])"
_TO: Final = r"\s?(?:-|–|to|and|through|thru|&)\s?"
_GAP: Final = r"[\s-]{0,2}"
# The first that fits at a place is taken, the longer forms before their parts.
_FORMS: Final = re.compile(
    r"(?P<time>T?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:\s?[AaPp]\.?[Mm]\b\.?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?)|"
    r"(?P<iso>(?P<iso_y>(?:19|20)[0-9]{2})(?P<iso_s>[-/. ])(?P<iso_m>[0-9]{1,2})(?P=iso_s)"
    r"(?P<iso_d>[0-9]{1,2})(?![0-9]))|"
    r"(?P<year_month>(?<![0-9])(?P<ym_y>(?:19|20)[0-9]{2})(?P<ym_s>[-/])(?P<ym_m>0[1-9]|1[0-2])(?![0-9/-]))|"
    r"(?P<compact>(?<![0-9])(?P<compact_y>(?:19|20)[0-9]{2})(?P<compact_m>[0-9]{2})(?P<compact_d>[0-9]{2})"
    r"(?P<compact_t>[0-9]{4}(?:[0-9]{2})?)?(?![0-9]))|"
    r"(?P<numeric>(?<![0-9])(?P<numeric_a>[0-9]{1,2})(?P<numeric_s>[-/. ])(?P<numeric_b>[0-9]{1,2})"
    r"(?P=numeric_s)(?P<numeric_y>[0-9]{4}|['’]?[0-9]{2})(?![0-9]))|"
    r"(?P<month_year>(?<![0-9])(?P<month_year_m>[0-9]{1,2})(?P<month_year_s>[-/])"
    r"(?P<month_year_y>(?:19|20)[0-9]{2})(?![0-9]))|"
    rf"(?P<month_first>\b(?P<mf_m>{_MONTH})(?![a-z])(?P<mf_1>\.?{_GAP}(?:the\s)?)(?P<mf_d>{_DAY})"
    rf"(?:(?P<mf_to>{_TO})(?P<mf_e>{_DAY}))?(?:(?P<mf_2>,?[\s-]{{0,2}}(?:of\s)?)(?P<mf_y>{_YEAR}))?)|"
    rf"(?P<day_first>\b(?P<df_d>{_DAY})(?:(?P<df_to>{_TO})(?P<df_e>{_DAY}))?(?P<df_1>{_GAP}(?:(?:day\s)?of\s)?)"
    rf"(?P<df_m>{_MONTH})(?![a-z])(?:(?P<df_2>\.?,?[\s-]{{0,2}}(?:of\s)?)"
    rf"(?P<df_y>{_YEAR}|(?<=[A-Za-z]-)[0-9]{{2}}(?![0-9])))?)|"
    rf"(?P<written_month>\b(?P<wm_m>{_MONTH})(?![a-z])(?:(?P<wm_1>\.?,?[\s/-]{{0,2}}(?:of\s)?)(?P<wm_y>{_YEAR}))?)|"
    r"(?P<month_day>(?<![0-9])(?P<month_day_m>[0-9]{1,2})(?P<month_day_s>[-/])"
    # Not where a year follows behind the same sign or a space: it is of that date, and moves with it or not.
    r"(?P<month_day_d>[0-9]{1,2})(?![0-9])"
    r"(?!\s*(?P=month_day_s)\s*['’]?[0-9]{2,4}(?![0-9/-])|,?\s+(?:19|20)[0-9]{2}(?![0-9])))|"
    rf"(?P<weekday>\b{_WEEKDAY}\b)|"
    # Likewise where a month and a day follow.
    r"(?P<year>(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])(?!\s*[-/.]\s*[0-9]{1,2}\s*[-/.]\s*[0-9]{1,2}(?![0-9])))",
    re.IGNORECASE,
)
# What may stand between and around the parts of a mention without meaning a date of its own.
_PLAIN: Final = re.compile(
    r"(?:\b(?:of|the|to|and|through|thru|from|until|till|on|at|in|mid|early|late|between|day|circa|about|hours|"
    r"hrs|am|pm)\b|\s|[-–—.,;:()&/~'’])*",
    re.IGNORECASE,
)
# The middle of a month or a year stands for one whose day is not said.
_MIDDLE_DAY: Final = 15
_MIDDLE_MONTH: Final = 7
# Any year without a 29 February: a month alone has no use for the year.
_SOME_YEAR: Final = 2001
_HIGH_AGE: Final = 90


@dataclass(frozen=True, slots=True)
class _Reading:
    """How years that a mention leaves out or abbreviates are read."""

    default: int | None
    latest: int | None
    day_first: bool = False

    def full(self, written: str) -> int:
        """Four digits of a year of which two may be written: not more than a year after the document."""
        digits = written.strip("'’")
        if len(digits) == 4:
            return int(digits)
        return self._century(int(digits))

    def _century(self, two: int) -> int:
        latest = self.latest if self.latest is not None else 2029
        year = latest - latest % 100 + two
        return year if year <= latest + 1 else year - 100


def shifted_mention(
    mention: str, offset: timedelta, reference_year: int | None, *, day_first: bool = False
) -> str | None:
    """`mention` with every date in it moved by the days of `offset`; None where it is not understood.

    A month and day without a year are read as of a year that the mention names, or else of `reference_year`.
    `day_first` reads 03/04/2023 as the third of April, and writes it so.
    """
    days = timedelta(days=offset.days)
    reading = replace(_reading(mention, reference_year), day_first=day_first)
    return _rewritten(mention, lambda found: _shifted(found, days, reading))


def years_of(mention: str, reference_year: int | None) -> str | None:
    """The years in `mention`, joined by a dash; None where there is none, or it is not understood, or one
    tells an age of 90 or more by `reference_year` (45 CFR 164.514(b)(2)(i)(C))."""
    reading = _reading(mention, reference_year)
    if _rewritten(mention, lambda _: "") is None or tells_high_age(mention, reference_year):
        return None
    years = _years(mention, reading)
    return "-".join(dict.fromkeys(map(str, years))) if years else None


def tells_high_age(mention: str, reference_year: int | None) -> bool:
    """Whether a year in `mention` tells an age of 90 or more by `reference_year`, as that of a birth does."""
    years = _years(mention, _reading(mention, reference_year))
    if not years:
        return False
    today = reference_year if reference_year is not None else max(years)
    return min(years) <= today - _HIGH_AGE


def _years(mention: str, reading: _Reading) -> list[int]:
    return [reading.full(written) for written in map(_year_in, _FORMS.finditer(mention)) if written]


def writes_day_first(mentions: Iterable[str]) -> bool:
    """Whether some date is possible only with the day first, and none only with the month first.

    Without a sign, the month is first, as the United States write.
    """
    pairs = [
        (int(found["numeric_a"]), int(found["numeric_b"]))
        for mention in mentions
        for found in _FORMS.finditer(mention)
        if found["numeric_a"]
    ]
    return any(first > 12 for first, _ in pairs) and not any(second > 12 for _, second in pairs)


def years_in(text: str) -> list[int]:
    """The four-digit years of the dates in `text`."""
    written = map(_year_in, _FORMS.finditer(text))
    return [int(year) for year in written if year is not None and len(year) == 4]


def _reading(mention: str, reference_year: int | None) -> _Reading:
    named = years_in(mention)
    default = named[-1] if named else reference_year
    if default is None:
        short = next((year for year in map(_year_in, _FORMS.finditer(mention)) if year), None)
        default = _Reading(None, None).full(short) if short else None
    return _Reading(default, reference_year)


def _year_in(found: re.Match[str]) -> str | None:
    """The year that one form writes, as it writes it."""
    groups = found.groupdict()
    if groups["year"] is not None:
        return found["year"]
    names = ("iso_y", "compact_y", "numeric_y", "month_year_y", "ym_y", "mf_y", "df_y", "wm_y")
    return next((groups[name] for name in names if groups[name] is not None), None)


def _rewritten(mention: str, rewrite: Callable[[re.Match[str]], str | None]) -> str | None:
    """`mention` with each form in it rewritten; None where one could not be, or anything is left over."""
    pieces: list[str] = []
    reached = 0
    dated = False
    for found in _FORMS.finditer(mention):
        between = mention[reached : found.start()]
        piece = rewrite(found)
        if piece is None or not _PLAIN.fullmatch(between):
            return None
        pieces += (between, piece)
        reached = found.end()
        dated = dated or found.lastgroup != "time"
    rest = mention[reached:]
    return "".join((*pieces, rest)) if dated and _PLAIN.fullmatch(rest) else None


def _shifted(found: re.Match[str], days: timedelta, reading: _Reading) -> str | None:
    try:
        return _WRITERS[str(found.lastgroup)](found, days, reading)
    except (ValueError, OverflowError):  # no day of the calendar, or beyond it
        return None


def _same(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    return found[0]


def _iso(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    year, month, day = found["iso_y"], found["iso_m"], found["iso_d"]
    moved = date(int(year), int(month), int(day)) + days
    separator = found["iso_s"]
    padded = _padded(month, day)
    return separator.join((f"{moved.year:04}", _digits(moved.month, padded), _digits(moved.day, padded)))


def _compact(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    moved = date(int(found["compact_y"]), int(found["compact_m"]), int(found["compact_d"])) + days
    return f"{moved.year:04}{moved.month:02}{moved.day:02}{found['compact_t'] or ''}"


def _numeric(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    first, second, year = found["numeric_a"], found["numeric_b"], found["numeric_y"]
    day_first = int(first) > 12 or (reading.day_first and int(second) <= 12)
    month, day = (second, first) if day_first else (first, second)
    moved = date(reading.full(year), int(month), int(day)) + days
    padded = _padded(first, second)
    parts = [_digits(moved.month, padded), _digits(moved.day, padded)]
    return found["numeric_s"].join((*(reversed(parts) if day_first else parts), _year(moved, year)))


def _month_year(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    month, year = found["month_year_m"], found["month_year_y"]
    moved = date(int(year), int(month), _MIDDLE_DAY) + days
    return f"{_digits(moved.month, len(month) == 2)}{found['month_year_s']}{moved.year:04}"


def _year_month(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    moved = date(int(found["ym_y"]), int(found["ym_m"]), _MIDDLE_DAY) + days
    return f"{moved.year:04}{found['ym_s']}{moved.month:02}"


def _month_day(found: re.Match[str], days: timedelta, reading: _Reading) -> str | None:
    if reading.default is None:
        return None
    first, second = found["month_day_m"], found["month_day_d"]
    day_first = int(first) > 12 or (reading.day_first and int(second) <= 12)
    month, day = (second, first) if day_first else (first, second)
    moved = date(reading.default, int(month), int(day)) + days
    parts = [_digits(part, _padded(first, second)) for part in (moved.month, moved.day)]
    return found["month_day_s"].join(reversed(parts) if day_first else parts)


def _month_first(found: re.Match[str], days: timedelta, reading: _Reading) -> str | None:
    month, written_year = found["mf_m"], found["mf_y"]
    moved = _moved_days(month, found["mf_d"], found["mf_e"], written_year, days, reading)
    if moved is None:
        return None
    start, end = moved
    hyphens = "-" in found["mf_1"]
    text = _month(start, month, hyphens) + found["mf_1"] + _day(start, found["mf_d"])
    year_gap = (found["mf_2"] or "") if written_year else ""
    if end is not None:
        if written_year and end.year != start.year:
            text += year_gap + _year(start, written_year)
        text += found["mf_to"]
        if (end.year, end.month) != (start.year, start.month):
            text += _month(end, month, hyphens) + found["mf_1"]
        text += _day(end, found["mf_e"])
    return text + (year_gap + _year(end or start, written_year) if written_year else "")


def _day_first(found: re.Match[str], days: timedelta, reading: _Reading) -> str | None:
    month, written_year = found["df_m"], found["df_y"]
    moved = _moved_days(month, found["df_d"], found["df_e"], written_year, days, reading)
    if moved is None:
        return None
    start, end = moved
    hyphens = "-" in found["df_1"]
    year_gap = (found["df_2"] or "") if written_year else ""
    text = _day(start, found["df_d"])
    if end is not None:
        if (end.year, end.month) != (start.year, start.month):
            text += found["df_1"] + _month(start, month, hyphens)
        if written_year and end.year != start.year:
            text += year_gap + _year(start, written_year)
        text += found["df_to"] + _day(end, found["df_e"])
    text += found["df_1"] + _month(end or start, month, hyphens)
    return text + (year_gap + _year(end or start, written_year) if written_year else "")


def _moved_days(
    month: str, day: str, last: str | None, year: str | None, days: timedelta, reading: _Reading
) -> tuple[date, date | None] | None:
    """The first and, of a range within a month, the last day, moved."""
    number = reading.full(year) if year else reading.default
    if number is None:
        return None
    start = date(number, _month_number(month), _day_number(day))
    end = date(number, _month_number(month), _day_number(last)) if last else None
    if end is not None and end < start:
        return None
    return start + days, None if end is None else end + days


def _written_month(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    month, year = found["wm_m"], found["wm_y"]
    number = reading.full(year) if year else reading.default or _SOME_YEAR
    moved = date(number, _month_number(month), _MIDDLE_DAY) + days
    text = _month(moved, month, "-" in (found["wm_1"] or ""))
    return text + (found["wm_1"] + _year(moved, year) if year else "")


def _weekday(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    written = found[0]
    number = next(n for n, name in enumerate(WEEKDAYS) if name[:3].casefold() == written[:3].casefold())
    moved = WEEKDAYS[(number + days.days) % 7]
    return _cased(moved if written.casefold().endswith("day") else moved[:3], written)


def _bare_year(found: re.Match[str], days: timedelta, reading: _Reading) -> str:
    return f"{(date(int(found['year']), _MIDDLE_MONTH, 1) + days).year:04}"


_WRITERS: Final[dict[str, Callable[[re.Match[str], timedelta, _Reading], str | None]]] = {
    "time": _same,
    "iso": _iso,
    "compact": _compact,
    "numeric": _numeric,
    "month_year": _month_year,
    "year_month": _year_month,
    "month_day": _month_day,
    "month_first": _month_first,
    "day_first": _day_first,
    "written_month": _written_month,
    "weekday": _weekday,
    "year": _bare_year,
}


def _padded(*written: str) -> bool:
    """Whether numbers below ten have a zero before them, as far as `written` shows."""
    return all(len(number) == 2 for number in written)


def _digits(number: int, padded: bool) -> str:
    return f"{number:02}" if padded else str(number)


def _year(moved: date, written: str) -> str:
    """The year in as many digits as `written` has, behind an apostrophe where that has one."""
    digits = written.strip("'’")
    mark = written[: len(written) - len(digits)]
    return f"{moved.year:04}" if len(digits) == 4 else f"{mark}{moved.year % 100:02}"


def _month_number(written: str) -> int:
    return next(n for n, name in enumerate(MONTHS, 1) if name[:3].casefold() == written[:3].casefold())


def _month(moved: date, written: str, hyphens: bool) -> str:
    """The month's name, as long as `written`: "May" is whole, but between hyphens ("12-May-2023")."""
    name = MONTHS[moved.month - 1]
    whole = written.casefold() in (month.casefold() for month in MONTHS)
    if len(written) == 3 and hyphens:
        whole = False
    return _cased(name if whole else name[:3], written)


def _day_number(written: str) -> int:
    if written[0] in "0123456789":
        return int(re.match(r"[0-9]+", written)[0])  # type: ignore[index]  # a digit stands there
    return _DAY_WORDS.index(written.casefold().replace(" ", "-")) + 1


def _day(moved: date, written: str) -> str:
    if written[0] not in "0123456789":
        word = _DAY_WORDS[moved.day - 1]
        return _cased(word.replace("-", " ") if " " in written else word, written)
    digits, space, suffix = re.fullmatch(r"([0-9]+)(\s?)(\w*)", written).groups()  # type: ignore[union-attr]
    number = _digits(moved.day, digits.startswith("0"))
    if not suffix:
        return number
    ending = "th" if 10 <= moved.day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(moved.day % 10, "th")
    return number + space + (ending.upper() if suffix.isupper() else ending)


def _cased(word: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.lower() if like.islower() else word
