"""Days as clinical text writes them, by the name of the style."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from curbside.wording import MONTHS, WEEKDAYS, in_words, ordinal, ordinal_in_words


def year_in_words(year: int) -> str:
    """1900 to 2099 as "nineteen forty-two", "two thousand seven", "twenty twenty-one"."""
    century, rest = divmod(year, 100)
    if 2000 <= year < 2010:
        return "two thousand" + (f" {in_words(rest)}" if rest else "")
    ending = in_words(rest) if rest >= 10 else f"oh-{in_words(rest)}" if rest else "hundred"
    return f"{in_words(century)} {ending}"


def _month(day: date) -> str:
    return MONTHS[day.month - 1]


def _weekday(day: date) -> str:
    return WEEKDAYS[day.weekday()]


DATE_STYLES: Final[Mapping[str, Callable[[date], str]]] = MappingProxyType(
    {
        "us": lambda d: f"{d.month:02d}/{d.day:02d}/{d.year}",
        "us_loose": lambda d: f"{d.month}/{d.day}/{d.year}",
        "us_short": lambda d: f"{d.month}/{d.day}/{d.year % 100:02d}",
        "us_dashed": lambda d: f"{d.month:02d}-{d.day:02d}-{d.year}",
        "us_dotted": lambda d: f"{d.month}.{d.day}.{d.year % 100:02d}",
        "month_day": lambda d: f"{d.month}/{d.day}",
        "iso": lambda d: d.isoformat(),
        "compact": lambda d: f"{d:%Y%m%d}",
        "long": lambda d: f"{_month(d)} {d.day}, {d.year}",
        "long_ordinal": lambda d: f"{_month(d)} {ordinal(d.day)}, {d.year}",
        "short_month": lambda d: f"{_month(d)[:3]} {d.day}, {d.year}",
        "dotted_month": lambda d: f"{_month(d)[:3]}. {d.day}, {d.year}",
        "caps_month": lambda d: f"{_month(d)[:3].upper()} {d.day:02d} {d.year}",
        "european": lambda d: f"{d.day} {_month(d)} {d.year}",
        "military": lambda d: f"{d.day:02d} {_month(d)[:3].upper()} {d.year}",
        "dashed_month": lambda d: f"{d.day:02d}-{_month(d)[:3]}-{d.year % 100:02d}",
        "dashed_caps": lambda d: f"{d.day:02d}-{_month(d)[:3].upper()}-{d.year}",
        "tight": lambda d: f"{d.day:02d}{_month(d)[:3].upper()}{d.year}",
        "day_month": lambda d: f"{_month(d)} {d.day}",
        "day_month_ordinal": lambda d: f"{_month(d)} {ordinal(d.day)}",
        "ordinal_of": lambda d: f"the {ordinal(d.day)} of {_month(d)}",
        "ordinal_of_year": lambda d: f"the {ordinal(d.day)} of {_month(d)}, {d.year}",
        "month_year": lambda d: f"{_month(d)} {d.year}",
        "month_of": lambda d: f"{_month(d)} of {d.year}",
        "month_slash_year": lambda d: f"{d.month:02d}/{d.year}",
        "month": _month,
        "words": lambda d: f"{_month(d)} {ordinal_in_words(d.day)}, {year_in_words(d.year)}",
        "words_of": lambda d: f"the {ordinal_in_words(d.day)} of {_month(d)}",
        "ordinal_day": lambda d: f"the {ordinal(d.day)}",
        "weekday_full": lambda d: f"{_weekday(d)}, {_month(d)} {d.day}, {d.year}",
        "weekday_short": lambda d: f"{_weekday(d)[:3]} {d.month}/{d.day}",
        "weekday_month": lambda d: f"{_weekday(d)}, {_month(d)} {ordinal(d.day)}",
        "weekday_last": lambda d: f"last {_weekday(d)}",
        "weekday_the": lambda d: f"{_weekday(d)} the {ordinal(d.day)}",
        "weekday_bare": lambda d: f"{_weekday(d)[:3]} {d.month:02d}/{d.day:02d}",
        "weekday_behind": lambda d: f"{d.month}/{d.day} ({_weekday(d)[:3]})",
        "weekday_past": lambda d: f"this past {_weekday(d)}",
        "weekday_short_last": lambda d: (
            f"last {_weekday(d)[:4] if d.weekday() in (1, 3) else _weekday(d)[:3]}"
        ),
        "weekday_next": lambda d: f"next {_weekday(d)}",
        "weekday_ago": lambda d: f"a week ago {_weekday(d)}",
        "weekday_before": lambda d: f"{_weekday(d)} before last",
        "weekday_caps": lambda d: f"{_weekday(d)[:3].upper()} {_month(d)[:3].upper()} {d.day}",
        "month_day_full": lambda d: f"{d.month:02d}/{d.day:02d}",
        "month_day_short": lambda d: f"{_month(d)[:3]} {d.day}",
        "month_day_dotted": lambda d: f"{_month(d)[:3]}. {ordinal(d.day)}",
        "month_day_caps": lambda d: f"{_month(d)[:3].upper()} {d.day}",
        "day_month_short": lambda d: f"{d.day} {_month(d)[:3]}",
        "day_month_tight": lambda d: f"{d.day:02d}{_month(d)[:3].upper()}",
        "day_dash_month": lambda d: f"{d.day}-{_month(d)[:3]}",
        "month_day_words": lambda d: f"{_month(d)} the {ordinal_in_words(d.day)}",
        "ordinal_of_month": lambda d: f"the {ordinal(d.day)} of last month",
        "us_apostrophe": lambda d: f"{d.month}/{d.day}/'{d.year % 100:02d}",
        "month_apostrophe": lambda d: f"{_month(d)[:3]} '{d.year % 100:02d}",
        "month_slash_short": lambda d: f"{_month(d)[:3]}/{d.year}",
        "year_first": lambda d: f"{d.year}/{d.month:02d}/{d.day:02d}",
        "european_dotted": lambda d: f"{d.day:02d}.{d.month:02d}.{d.year}",
        "day_first_tight": lambda d: f"{d.month:02d}{d.day:02d}{d.year}",
        "six_figures": lambda d: f"{d.month:02d}{d.day:02d}{d.year % 100:02d}",
        "stamp": lambda d: f"{d.isoformat()}T{d.day % 24:02d}:{d.day:02d}:00Z",
        "lower_month": lambda d: f"{_month(d).lower()} {ordinal(d.day)}",
        "year": lambda d: str(d.year),
    }
)
