"""Telephone numbers behind their label. 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class LabelledPhone(PatternRecogniser):
    """Any number of seven digits or more behind a word for telephone; a line may end before its last four."""

    category = Category.PHONE
    pattern = re.compile(
        r"\b(?:phones?|telephone|tel|mobile|mob|cell(?:ular|phone)?|pager|beeper|landline|voice\s?mail|"
        r"hotline|TTY|TDD|"
        r"call(?:\s?back)?(?:\s(?:him|her|them|us|me))?(?:\s(?:at|on))?|callback|contact|direct(?:\sline)?|"
        r"home|work|office|day(?:time)?|evening|emergency|ph|dial|text|(?:his|her|my|their|best|callback)\snumber)\b"
        r"(?:\s?\((?:cell|home|work|mobile|office|[hcwmo])\))?"
        r"\.?(?:\s(?:numbers?|no\.?|\#|line|phone|contact))?\s{0,2}(?:is|at|on|was)?\s{0,2}[:#|]?\s{0,2}"
        r"(?P<phi>\(?\d{3}[\-. )/]{1,3}\d{3}[-. ]?\r?\n[ \t]{0,8}\d{4}(?!\d)|"
        # One figure by one, as a form's boxes are read.
        r"\(?\d(?:[ ]\d){2}[ )./-]{1,3}\d(?:[ ]\d){2}[ ./-]{1,3}\d(?:[ ]\d){3}|"
        r"\(?\d[\d\-. ()/]{5,16}\d)(?![\d/])",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        value = match["phi"]
        return (
            7 <= len(digits(value)) <= 15 and value.count("/") <= 1 and "  " not in value.partition("\n")[0]
        )
