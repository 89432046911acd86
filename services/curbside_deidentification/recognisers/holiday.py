"""Holidays by which people tell a day. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_OWNED: Final = r"(?:['’]?s|s['’])?"
_DAYS: Final = (
    rf"(?:Labou?r|Memorial|Independence|Columbus|Inauguration|Election|Flag|Armistice|Remembrance|Earth|"
    rf"Arbor|"
    rf"Boxing|Canada|Victoria|Australia|Anzac|Bastille|Pioneer|Three\sKings|Guy\sFawkes|"
    rf"(?:President|Veteran|Patriot|Mother|Father|Grandparent|Groundhog|Valentine|People|April\sFool|"
    rf"All\sSaint|"
    rf"All\sSoul|(?:St\.?|Saint)\s(?:Patrick|Valentine|Stephen|Nicholas|Andrew)){_OWNED}|"
    r"Martin\sLuther\sKing(?:,?\sJr\.?)?|MLK|Juneteenth)\sDay"
)
_OTHERS: Final = (
    r"(?:Christmas|Xmas|X-mas)(?:\s?(?:Eve|Day|time|morning|night|week))?(?!\s(?:disease|factor|trees?|eye))|"
    rf"Thanksgiving(?:\s(?:Day|Eve|week))?|(?:(?:Lunar|Chinese|Jewish)\s)?New\sYear{_OWNED}(?:\s(?:Eve|"
    rf"Day))?|"
    r"(?:the\s)?(?:Fourth|4th)\sof\sJuly|Juneteenth|Kwanzaa|Hallowe['’]?en|"
    r"Easter(?:\s(?:Sunday|Monday|week|Eve|Day))?(?!\s(?:seals?|eggs?|lil))|(?:Good|Black)\sFriday|"
    r"(?:Palm|Pentecost|Whit|Super\s?Bowl)\sSunday|Holy\sWeek|(?:Holy|Maundy)\sThursday|Cyber\sMonday|"
    r"Ash\sWednesday|(?:Fat|Shrove)\sTuesday|Mardi\sGras|Pentecost|Ch?anuk+ah?|Hanuk+ah?|Yom\sKippur|"
    r"Rosh\sHa-?shanah?|Passover|Pesach|Purim|Sukkot|Shavuot|Ramadh?an|"
    r"Eid(?:\s|-)(?:al|ul)[- ](?:Fitr|Adha)|(?-i:Eid)|Muharram|Ashura|Diwali|Deepavali|Navratri|"
    r"[VW]esak|Nowruz|Cinco\sde\sMayo|"
    rf"(?:St\.?|Saint)\s(?:Patrick|Valentine){_OWNED}|D[ií]a\sde\slos\sMuertos|Day\sof\sthe\sDead|"
    r"(?<=during\s)(?-i:Lent|Advent)"
)


class Holiday(PatternRecogniser):
    """Federal holidays, 5 U.S.C. 6103(a), and others. "Christmas disease" and a Christmas tree stay."""

    category = Category.DATE
    score = 0.8
    # Nearly all begin with a capital: to look at those words first takes a tenth of the time.
    pattern = re.compile(
        r"\b(?=[A-Z]|4th|christmas|xmas|thanksgiving|easter|new year|labor|memorial|halloween|the fourth|"
        rf"mother|father|valentine|ramadan|passover|the (?:Fourth|4th))(?P<phi>(?i:(?:{_DAYS}|"
        rf"{_OTHERS})(?:\sweekend)?))(?!\w|"
        rf"-\w)"
    )
