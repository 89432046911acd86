"""Ages of 90 and over behind a label. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETY_WORDS, SCANNED_NINETIES

_LABEL = (
    r"\bage[ds]?(?:\s(?:of|at\s(?:death|onset|diagnosis|dx|admission|visit|exam|time\sof\s\w{3,12})))?"
    r"(?:\s?\((?:yrs?|years?|y)\))?(?:\s?/\s?(?:sex|gender|race|DOB))?"
)


class LabelledHighAge(PatternRecogniser):
    """The same behind "age", "aged", "turned"; in words behind "now" and "past", too."""

    category = Category.AGE
    score = 0.92
    pattern = re.compile(
        rf"(?:{_LABEL}|\b(?:turn(?:ed|ing|s)|is now)|"
        rf"\b(?:now|past|over|nearly|almost|nearing|approaching|celebrated|reached)(?=\s{NINETY_WORDS}\s?[.,;!)])|"
        rf"\b(?:liv(?:es?|ed|ing)|alive|independent|di(?:ed|es)|passed|drives|still)\b[^.\n\d]{{0,40}}?\b(?:at|of|is|to|be)"
        rf"(?=\s{NINETY_WORDS}\s?[.,;!)]))\s{{0,2}}(?:[:=|(-]|\.{{2,40}}|is|was)?\s{{0,3}}"
        rf"0?(?P<phi>{SCANNED_NINETIES}(?:\.\d(?!\d))?|"
        rf"{NINETY_WORDS})(?:Y(?:RS?|O)?)?\b(?!\d|[./]\d|%|\s?(?:mg|mm|cm|kg|%|days?|weeks?|wks?|months?|"
        rf"mos?|minutes?|"
        rf"hours?|hrs?|degrees|percent|beats|bpm))",
        re.IGNORECASE,
    )
