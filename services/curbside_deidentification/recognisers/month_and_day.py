"""Month and day without a year, placed by the word before. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.days import (
    MONTH_DAY,
    NO_MEASURE,
    PLACING,
    is_fraction,
    is_measured,
)

_FIGURES: Final = re.compile(r"\d{1,2}/\d{1,2}")
# "cut by 1/2", "narrowed by 2/3", "depression screen 2/6": of an amount or a score, no date.
_CHANGED: Final = re.compile(
    r"(?:reduc|decreas|increas|cut|shorten|lower|rais|taper|dimin|shr[iau]nk|fill|compress|collaps|narrow|"
    r"occupy|involv)\w*\s(?:\w+\s){0,2}\Z|"
    r"\b(?:depression|anxiety|cognit\w+|memory|swallow\w*|pain|falls?|risk|frailty|functional|sedation)\s\Z",
    re.IGNORECASE,
)
# What is done on a day: the day stands right behind it.
_DONE: Final = (
    r"\w{2,16}(?:ectomy|plasty|ostomy|otomy|oscopy|ography|ogram|centesis|desis|rrhaphy)|repair|bypass|"
    r"graft(?:ing)?|surgery|biopsy|CT|MRI|MRA|PET|CXR|KUB|x-?rays?|films?|echo|TTE|TEE|EKG|ECG|EEG|"
    r"ultrasound|"
    r"cath(?:eterization)?|stent(?:ing|s)?|scan|replacement|fixation|transplant(?:ation)?|fusion|resection|"
    r"ablation|emboli[sz]ation|implantation|placement|amputation|delivery|c-section|transfusion|injection|"
    r"infusion|chemo(?:therapy)?|radiation|dialysis|procedure|operation|excision|drainage|debridement|"
    r"closure|reconstruction|TKA|THA|TKR|THR|ORIF|CABG|TURP|TAVR|PCI|ERCP|EGD|(?:[BUSW]|sputum\s|blood\s|urine\s)?Cx|"
    r"cultures?|labs?|UA|BMP|CMP|CBC"
)


_BEFORE: Final = re.compile(
    rf"(?:\b(?:{PLACING})\b[.:]?\s{{1,3}}(?:on\s|is\s|for\s|was\s|from\s)?|"
    r"\bC\d{1,2}\s?D\d{1,2}\s?[=:(]?\s?|"
    r"\b(?:POD|PPD|HD|DOL|(?:post-?op|hospital)\sday|day)\s?#?\s?\d{1,3},?\s?[(,-]?\s?|"
    r"\b(?:appts?|appointment|visit|f/u|follow-?up|mtg|meeting|consult|eval|seen|call)"
    r"(?:\s(?:w/|with|by)\s?(?-i:[A-Z][\w.'’-]{1,20}\s){1,3}(?:on\s)?|\s#?\d{1,2}\s?[-–:(,]\s?)|"
    rf"\b(?:{_DONE})\s(?:on\s|of\s|was\s|is\s|from\s|\()?|\[)\Z",
    re.IGNORECASE,
)


class MonthAndDay(PatternRecogniser):
    """Month and day behind a word that places in time, a weekday, or what was done on the day.

    Without one, 5/5 is strength and 4/10 is pain; "from" is left out for the same reason.
    """

    category = Category.DATE
    score = 0.8
    pattern = re.compile(
        rf"(?<![\w./+-])(?P<phi>{MONTH_DAY}(?:(?:,|\s(?:and|&|or|vs\.?|versus))\s{MONTH_DAY})*){NO_MEASURE}(?!-\d)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        text, start = match.string, match.start()
        placed = _BEFORE.search(text, max(0, start - 40), start)
        if placed is None:
            return False
        if not all(map(is_fraction, _FIGURES.findall(match["phi"]))):
            return True
        return not is_measured(text, placed.start()) and not _CHANGED.search(
            text, max(0, placed.start() - 30), placed.start()
        )


class WeekdayWithFigures(PatternRecogniser):
    """ "Sat 3/4", "3/4 (Sat)": a weekday in capitals or with one, since "sat" is a saturation too."""

    category = Category.DATE
    score = 0.85
    pattern = re.compile(
        r"\b(?P<phi>(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?|"
        r"(?:MON|TUES?|WED(?:NES)?|THU(?:RS?)?|FRI|SAT(?:UR)?|SUN)(?:DAY)?)[.,]{0,2}\s{1,2}"
        rf"(?:\()?{MONTH_DAY}|"
        rf"{MONTH_DAY}\s?\((?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun|MON|TUES?|WED|THU(?:RS?)?|FRI|SAT|SUN)"
        r"(?i:(?:nes|ur)?day)?\.?\))(?!-\d)"
    )
