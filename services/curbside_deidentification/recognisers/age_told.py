"""Ages of 90 and over of which a verb or a relative tells: "died at 94". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETIES, NINETY_WORDS

_KIN: Final = (
    r"(?:great[- ])?(?:grand)?(?:mother|father|parents?|aunt|uncle|mom|dad)|sister|brother|wife|husband|"
    r"spouse|cousin|sib(?:ling)?|patient|pt|MGM|MGF|PGM|PGF|"
    r"g(?:rand|ran|ram|reat-?g)?-?(?:ma|pa|mom|dad)(?:ma|pa)?|grammy|granny|gramps|gran|nana|nanna"
)
_NEARLY: Final = r"(?:about|almost|nearly|over|around|approximately|now|currently|already|only|a\sripe)\s"
_NO_AGE: Final = (
    r"(?!\s?%|[-/.:]\d|\s/|\s(?:kg|lbs?|pounds|percent|on|mg|degrees|beats|bpm|feet|ft|miles|yards|meters|cm|"
    r"mmHg|"
    r"days?|weeks?|months?|minutes?|hours?|units?|times|over|(?:to|and)\s\d)\b)"
)


_TOLD: Final = re.compile(
    r"\b(?:(?:died|dies|deceased|dead|death|passed(?:\s(?:away|on))?|expired|survived|"
    r"(?:lived|living|lives)(?=\s(?:to|until|till|past|beyond))|alive|healthy|well)(?:\s(?:and\swell|"
    r"naturally|peacefully|suddenly|in\s(?:his|her|their)\ssleep))?,?\s"
    rf"(?:at|to|until|till|past|beyond)\s(?:(?:the\s)?age\s(?:of\s)?)?(?:be\s)?(?:{_NEARLY})?|"
    r"(?:died|passed(?:\saway)?|expired)\s(?:by|of|from|in|with|after)\s[a-z][a-z\s-]{2,40}?\s(?:at|aged?)\s(?:age\s)?|"
    r"(?:deceased|dec\.|d\.)\s?[(:,-]?\s?|"
    r"(?:approaching|nearing|turning)\s|(?:alive|living),?\s[(]?|made\sit\sto\s|"
    r"(?:say(?:s|ing)|despite|about|for|of|jokes)\s(?:\w+\s)?being\s(?!\d+\s[a-z]+s\b)|"
    rf"(?:he|she|who|{_KIN}|(?:Mr|Mrs|Ms|Miss|Dr)\.?\s[A-Z][\w'-]{{1,20}})(?:\s(?:just|recently))?\s"
    rf"(?:is|was|turn(?:ed|s)|will\sbe)\s(?:{_NEARLY}|a\s(?=\Z))?)\Z",
    re.IGNORECASE,
)
# "At 94, she is": what a person is at an age.
_AT: Final = re.compile(r"\bat\s(?:age\s|nearly\s|almost\s)?\Z", re.IGNORECASE)
_PERSON: Final = re.compile(
    r",?\s(?:s?he|they|the\spatient|pt|his|her|mom|dad|Mrs?\.|Ms\.)\b(?!\sblood|\sheart|\spulse)",
    re.IGNORECASE,
)
# "Mother had a stroke at 94": what befell a relative at an age.
_BEFELL: Final = re.compile(
    rf"\b(?!(?:patient|pt)\b)(?:{_KIN})\b[^.;\n\d]{{1,60}}?\s(?:at|aged?)\s\Z", re.IGNORECASE
)
_BESIDE: Final = re.compile(rf"\b(?:{_KIN})\s?(?:[-–:(,]\s?)?\Z", re.IGNORECASE)
_GOES_ON: Final = re.compile(
    r"\s?(?:[,;.)]|\+(?!\d)|\Z)|\s(?:and|A&W|alive|healthy|living|well|with|died|s?he|years?|when|who|old|now)\b",
    re.IGNORECASE,
)
# A number of words that says one by one is told of a life; "ninety" and "one hundred" are of anything.
_IN_WORDS: Final = re.compile(r"ninety[- ]?\w|hundred\s\w", re.IGNORECASE)
# What is read off an instrument: "your temperature is ninety eight point six".
_READ: Final = re.compile(
    r"\b(?:temp(?:erature)?|fever|febrile|spik\w+|"
    r"rate|pulse|sats?|saturat\w+|oxygen|pressure|weight|weigh\w*|sugars?|glucose|systolic|"
    r"diastolic|look(?:ing)?\sat)\b[^.;\n]{0,24}\Z",
    re.IGNORECASE,
)
_DECIMAL: Final = re.compile(
    r"(?:\s(?:\.|point)\s|\.(?=\d))(?:\d|(?:zero|one|two|three|four|five|six|seven|eight|nine)\b)",
    re.IGNORECASE,
)


class AgeTold(PatternRecogniser):
    """Behind a verb of living and dying, or beside a relative."""

    category = Category.AGE
    score = 0.88
    pattern = re.compile(rf"(?<![\w./-])(?P<phi>{NINETIES}|{NINETY_WORDS})\b{_NO_AGE}", re.IGNORECASE)

    def valid(self, match: re.Match[str]) -> bool:
        text, (start, end) = match.string, match.span("phi")
        if _DECIMAL.match(text, end):
            return False
        if _AT.search(text, max(0, start - 12), start) and _PERSON.match(text, end):
            return True
        if _TOLD.search(text, max(0, start - 60), start):
            return True
        if _IN_WORDS.search(match["phi"]) and _GOES_ON.match(text, end):
            return not _READ.search(text, max(0, start - 40), start)
        if _BEFELL.search(text, max(0, start - 80), start) and _GOES_ON.match(text, end):
            return not _READ.search(text, max(0, start - 40), start)
        beside = _BESIDE.search(text, max(0, start - 24), start)
        return beside is not None and _GOES_ON.match(text, end) is not None
