"""Numbers and days in English words, as dictation has them."""

from __future__ import annotations

import calendar
from typing import Final

MONTHS: Final = tuple(calendar.month_name)[1:]
WEEKDAYS: Final = tuple(calendar.day_name)  # from Monday, as date.weekday() counts
_ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


def in_words(number: int) -> str:
    """0 to 199, as "ninety-three", "one hundred and two"."""
    if number >= 100:
        return "one hundred" + (f" and {in_words(number - 100)}" if number > 100 else "")
    if number < 20:
        return _ONES[number]
    return _TENS[number // 10 - 2] + (f"-{_ONES[number % 10]}" if number % 10 else "")


def ordinal(number: int) -> str:
    """1 to 99 as "1st", "22nd", "13th"."""
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def ordinal_in_words(number: int) -> str:
    """1 to 31 as "first", "twelfth", "twenty-second"."""
    if number < 10:
        return _ORDINALS[number - 1]
    if number == 12:
        return "twelfth"
    if number < 20:
        return f"{_ONES[number]}th"
    tens = "twent" if number < 30 else "thirt"
    return f"{tens}y-{_ORDINALS[number % 10 - 1]}" if number % 10 else f"{tens}ieth"
