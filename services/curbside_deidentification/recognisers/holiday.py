"""Holidays: they fall on a day of the year. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Holiday(PatternRecogniser):
    """Federal holidays, 5 U.S.C.

    6103(a), and others by which people tell a day. "Christmas disease" stays.
    """

    category = Category.DATE
    score = 0.8
    pattern = re.compile(
        r"\b(?P<phi>(?:Christmas(?: Eve| Day)?(?!\s(?:disease|factor|tree|eye))|"
        r"Thanksgiving(?: Day)?|New Year['’]?s(?: Eve| Day)?|"
        r"Labor Day|Memorial Day|Independence Day|(?:the )?Fourth of July|4th of July|Juneteenth|"
        r"Veterans['’]? Day|"
        r"Columbus Day|Presidents['’]? Day|Martin Luther King(?:,? Jr\.?)?(?: Day)?|MLK Day|Inauguration Day|"
        r"Easter(?: Sunday| Monday)?|Good Friday|Palm Sunday|Ash Wednesday|Halloween|Valentine['’]?s Day|"
        r"St\.? Patrick['’]?s Day|Mother['’]?s Day|Father['’]?s Day|Groundhog Day|Hanukkah|"
        r"Chanukah|Yom Kippur|"
        r"Rosh Hashanah|Passover|Ramadan|Eid al-(?:Fitr|Adha)|Diwali|Kwanzaa|Boxing Day|"
        r"Cinco de Mayo))(?![\w-])"
    )
