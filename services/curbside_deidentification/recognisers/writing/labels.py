"""Values behind a label: "MRN: 1", "account no. 1". An identifier next to its label is found by the label."""

from __future__ import annotations

import re
from typing import Final

from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.alternatives import by_initial

# "Vehicle plate (parking): 1".
_QUALIFIED: Final = r"(?:\s?\([A-Za-z][A-Za-z /.-]{1,22}\))?"
# Between a label and its value: "MRN: 1", "MRN# 1", "MRN number is 1", "MRN (1)". Bounded, so that a long
# row of dashes costs no time.
_JOIN: Final = (
    rf"{_QUALIFIED}(?:\.{{2,40}}|_{{2,40}})?(?:\s{{0,3}}(?:\b(?:numbers?|num|nos?|nbr|nr|id|ids|"
    rf"ident(?:ifier|ification)?|code|is|was|of|"
    r"listed\sas|on\sfile|given\sas|[\"']?value)\b\.?|[#:=(.|>{{\[\"\-])){0,6}\s{0,3}"
)
# A weak label ("case", "order") is a plain word too: it counts with a sign or "number" behind it, or before
# what can only be an identifier.
_WEAK_JOIN: Final = (
    rf"(?P<sign>{_QUALIFIED}\s{{0,2}}(?:(?:numbers?|num|nos?|nbr|nr|id|ids|identifier)\b\.?\s{{0,2}}[#:=|]?|"
    rf"[#:=|])"
    r"\s{0,2}[#:=(]?\s{0,2}|\s{1,2}\(?)"
)
# What counts or measures the figures that begin a line.
_MEASURE: Final = (
    r"(?:m[gl]|mcg|cc|units?|tabs?|[mc]m|kg|lbs?|patients?|cases?|days?|weeks?|months?|years?|yrs?|y/?o|hours?|"
    r"minutes?|times)\b"
)
_VALUE: Final = (
    r"(?=[A-Za-z#._/*-]{0,10}\d|(?-i:[A-Z]{1,4})\s\d|"
    # A licence to drive behind its state: "WA ABC*12D3".
    r"(?-i:[A-Z]{2} [A-Z0-9]{1,8}\*))"
    # Four or five figures are seldom a whole number: the line's end breaks it.
    r"(?P<phi>(?:(?!(?:19|20)\d\d\D)\d{3,5}[ ]?\r?\n[ \t]{0,4}(?!(?:19|20)\d\d\b)\d{3,6})"
    rf"(?![\w%/:-]|\.\d|[ ]{_MEASURE})|"
    # One figure by one, as a form's boxes are read.
    r"\d(?: \d){4,11}(?! ?[\w-])|\d{2,4}(?: - \d{2,4}){2,3}(?![\w-])|"
    r"(?-i:[A-Z]{2} [A-Z0-9]{1,8}\*[A-Z0-9]{2,9})|"
    r"\d{2,4}(?: \d{2,4}){1,3}(?![\w-])|(?-i:[A-Z]{1,4})\s\d{4,12}(?![\w.%-])|"
    r"[A-Za-z]{1,3}\d{2}:\d{2,7}(?!\w)|\d{2}:[A-Za-z]{1,3}-?\d{3,7}(?!\w)|"
    r"#?[A-Za-z0-9]{1,24}(?:[-./_*]?[A-Za-z0-9]{1,24}){0,6})"
)
_WORD: Final = re.compile(r"[A-Za-z]{6}|[a-z]{3}")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_DATE: Final = re.compile(r"\d{1,2}/\d{1,2}(?:/\d{2,4})?|(?:19|20)\d\d[-/]\d\d[-/]\d\d.*")
# A blood pressure, a decimal, a range of a laboratory.
_QUANTITY: Final = re.compile(
    r"\d{2,3}/\d{2,3}|\d{1,4}\.\d{1,3}|(?!0\d)\d{1,4}(?:\.\d{1,3})?-(?!0\d)\d{1,4}(?:\.\d{1,3})?"
)
_UNIT: Final = re.compile(
    r"\s?(?:%|(?:[kmµnp]?g|[mµd]?[lL]|m?mol|[mk]?Eq|[um]?IU|mcg|MG|MCG|ML|CC|cc|c?m|mm|K|units?)\b)"
)
_COUNTED: Final = re.compile(
    r"\s?-?(?:cells|copies|days?|weeks?|months?|years?|hours?|minutes?|patients?|people|women|men|children|"
    r"dogs|"
    r"cases|times|feet|pounds|lbs?|dollars|k?cal(?:ories?)?|steps|visits|beats|subjects|samples|"
    r"participants)\b",
    re.IGNORECASE,
)


def labelled(strong: str, weak: str = "") -> re.Pattern[str]:
    """A pattern for a value behind one of `strong` labels, or behind a `weak` one."""
    ended = r"(?:(?<=[#=])|(?![a-z]))"
    branches = [rf"{by_initial(strong)}{ended}{_JOIN}"] if strong else []
    if weak:
        branches.append(rf"{by_initial(weak)}{ended}{_WEAK_JOIN}")
    return re.compile(rf"\b(?:{'|'.join(branches)}){_VALUE}", re.IGNORECASE)


def digits(value: str) -> str:
    return "".join(character for character in value if character.isdigit())


def _is_long_pair(value: str) -> bool:
    """Whether "6547-7482" is one number and no range: four and four figures, neither round nor a year."""
    first, dash, second = value.partition("-")
    return (
        bool(dash)
        and first.isdigit()
        and second.isdigit()
        and len(first) == len(second) == 4
        and not (first.endswith("00") or second.endswith("00"))
        and not (_YEAR.fullmatch(first) and _YEAR.fullmatch(second))
    )


class LabelledId(PatternRecogniser):
    """A value behind its label: it has three digits or more and is no year, day or measurement."""

    score = 0.95

    def valid(self, match: re.Match[str]) -> bool:
        value, text, end = match["phi"], match.string, match.end("phi")
        count = len(digits(value))
        if count < 3 or _YEAR.fullmatch(value) or _DATE.fullmatch(value) or _COUNTED.match(text, end):
            return False
        sign = match.groupdict().get("sign")
        if sign is None:
            return True
        if (_QUANTITY.fullmatch(value) and not _is_long_pair(value)) or _UNIT.match(text, end):
            return False
        if sign.strip(" \n\t("):
            return True
        # A word and a number: "order 829092563", "claim WC1234567", and not "case 12 of 2014".
        return (count >= 5 or (count >= 4 and not value.isdigit())) and not _WORD.search(value)
