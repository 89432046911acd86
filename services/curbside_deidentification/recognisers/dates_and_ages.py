"""The recognisers of letter C: dates, and ages of 90 and over. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

from typing import Final

from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.age_behind_sex import AgeBehindSex
from curbside_deidentification.recognisers.age_by_birthday import AgeBehindBirth, AgeByBirthday
from curbside_deidentification.recognisers.age_in_apposition import AgeInApposition
from curbside_deidentification.recognisers.age_in_decades import AgeInDecades
from curbside_deidentification.recognisers.age_in_months import AgeInMonths
from curbside_deidentification.recognisers.age_told import AgeTold
from curbside_deidentification.recognisers.age_with_sex import AgeWithSex
from curbside_deidentification.recognisers.compact_date import CompactDate
from curbside_deidentification.recognisers.cued_month_and_day import CuedMonthAndDay
from curbside_deidentification.recognisers.dashed_month_and_day import DashedMonthAndDay
from curbside_deidentification.recognisers.day_of_month import DayOfMonth
from curbside_deidentification.recognisers.dictation_date import DictationDate
from curbside_deidentification.recognisers.high_age import HighAge
from curbside_deidentification.recognisers.hl7_timestamp import Hl7Timestamp
from curbside_deidentification.recognisers.holiday import Holiday
from curbside_deidentification.recognisers.labelled_date import LabelledDate
from curbside_deidentification.recognisers.labelled_high_age import LabelledHighAge
from curbside_deidentification.recognisers.listed_month_and_day import ListedMonthAndDay
from curbside_deidentification.recognisers.lone_month_and_day import LoneMonthAndDay
from curbside_deidentification.recognisers.month_alone import MonthAlone
from curbside_deidentification.recognisers.month_and_day import MonthAndDay, WeekdayWithFigures
from curbside_deidentification.recognisers.month_and_day_range import MonthAndDayRange
from curbside_deidentification.recognisers.month_and_year import MonthAndYear
from curbside_deidentification.recognisers.numeric_date import NumericDate
from curbside_deidentification.recognisers.paired_days import PairedDays
from curbside_deidentification.recognisers.part_of_year import PartOfYear
from curbside_deidentification.recognisers.relative_weekday import RelativeWeekday
from curbside_deidentification.recognisers.roman_date import RomanDate
from curbside_deidentification.recognisers.season_of_year import SeasonOfYear
from curbside_deidentification.recognisers.spaced_date import SpacedDate
from curbside_deidentification.recognisers.timed_month_and_day import TimedMonthAndDay
from curbside_deidentification.recognisers.written_date import WrittenDate
from curbside_deidentification.recognisers.year_of_birth import YearOfBirth

DATES: Final[tuple[PatternRecogniser, ...]] = (
    NumericDate(),
    SpacedDate(),
    LabelledDate(),
    CompactDate(),
    Hl7Timestamp(),
    MonthAndYear(),
    MonthAndDay(),
    WeekdayWithFigures(),
    TimedMonthAndDay(),
    MonthAndDayRange(),
    LoneMonthAndDay(),
    CuedMonthAndDay(),
    DashedMonthAndDay(),
    DayOfMonth(),
    WrittenDate(),
    MonthAlone(),
    RelativeWeekday(),
    Holiday(),
    SeasonOfYear(),
    PartOfYear(),
    RomanDate(),
    PairedDays(),
    DictationDate(),
    ListedMonthAndDay(),
    AgeInDecades(),
    AgeInMonths(),
    HighAge(),
    AgeByBirthday(),
    AgeBehindBirth(),
    LabelledHighAge(),
    AgeInApposition(),
    AgeTold(),
    AgeWithSex(),
    AgeBehindSex(),
    YearOfBirth(),
)
