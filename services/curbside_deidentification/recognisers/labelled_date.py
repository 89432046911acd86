"""Dates behind their label, whatever stands between their parts. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import SPACED_DAY, SPACED_MONTH, SPACED_YEAR

# The bars of a form's boxes, the marks of a scanner, a line for each part. What is typed is the others'.
_AROUND: Final = r"[\s|]{0,3}"
_SIGN: Final = r"[-/._–—]"
_APART: Final = r"(?:[ ]?\|[ ]?|[ \t]{1,3}|[ ]?\r?\n[ \t]{0,8})"


def _boxed(part: str) -> str:
    """`part` of a date, whose figures stand in a form's boxes."""
    return part.replace("[ ]?", "[ |]{0,3}")


_MONTH: Final = _boxed(SPACED_MONTH)
_DAY: Final = _boxed(SPACED_DAY)
_YEAR: Final = _boxed(SPACED_YEAR)


class LabelledDate(PatternRecogniser):
    """Of birth, of a stay, or of what the label says: "DOB: 0 3 | 1 4 | 1 9 5 1", "DOS 3 - 4 - 22"."""

    category = Category.DATE
    score = 0.94
    pattern = re.compile(
        r"\b(?:DO[BSADEI]|D\.O\.[BSAD]\.?|birth\s?(?:date|day)|b-?day|born(?:\son)?|LMP|EDD|EDC|"
        r"(?:date|day)s?\s(?:of|for)\s(?:the\s)?\w{3,14}(?:\s\w{3,14})?|"
        r"(?:admit|admission|adm|discharge|service|visit|exam|collection|report|surgery|procedure|death|"
        r"onset|injury|start|stop|end|due|signature|signed|today['’]?s)\s?dates?|dates?(?=\s?[:=#|]))"
        r"\s{0,2}(?:(?:[:=#|(\[._]|\b(?:is|was)\b)\s{0,3}){0,4}"
        rf"(?P<phi>(?:{_MONTH}{_AROUND}(?P<s1>{_SIGN}){_AROUND}{_DAY}{_AROUND}(?P=s1){_AROUND}|"
        rf"{_DAY}{_AROUND}(?P<s2>{_SIGN}){_AROUND}{_MONTH}{_AROUND}(?P=s2){_AROUND}|"
        rf"(?:{_MONTH}{_APART}{_DAY}|{_DAY}{_APART}{_MONTH}){_APART})(?:{_YEAR}|['’]?\d[ |]?\d)|"
        rf"{_YEAR}[ ]?(?P<s3>{_SIGN})[ ]?{_MONTH}[ ]?(?P=s3)[ ]?{_DAY})"
        r"(?![\w/%]|\.\d|[ ]?(?:m[gl]|mcg|cc|units?|tabs?|mm|cm)\b)",
        re.IGNORECASE,
    )
