"""Ages of 90 and over with the sex before them: "F/97", "M 94". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETIES


class AgeBehindSex(PatternRecogniser):
    """With a slash or a label wherever it stands; with a space where a line or a sentence begins and a
    person is told of behind, since "F 98" is a temperature elsewhere."""

    category = Category.AGE
    score = 0.85
    pattern = re.compile(
        r"(?:(?<![\w/])(?:[MF]|(?i:(?:fe)?male))[ ]?/[ ]?|"
        r"\b(?i:sex|gender)(?:[ ]?/[ ]?(?i:age))?[ ]?[:=][ ]{0,2}(?:[MF]|(?i:(?:fe)?male))(?:[ ,/]|,[ ])|"
        r"(?:^|(?<=[.;|\]] )|(?<=[,:(] )|(?<=[(|])|(?<=[ \t]{2}))(?:[MF]|(?i:(?:fe)?male))[ ,]{1,2}"
        r"(?=\d{2,3}(?:,?[ ](?i:with|w/|who|h/o|hx|c/o|s/p|p/w|presents?|presenting|presented|adm(?:itted)?|"
        r"here|found|brought|from|sent|transferred|seen|known|pt|patient|resident)\b|\)|[ ]?\||\s*$)))"
        rf"(?P<phi>{NINETIES})(?![\w/%°-]|\.\d)",
        re.MULTILINE,
    )
