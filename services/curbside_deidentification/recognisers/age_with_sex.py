"""Ages of 90 and over with the sex behind them: "94F". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETIES

# Behind one of these stands a temperature: "Temp 101F".
HOT: Final = re.compile(
    r"\b(?:temp\w{0,9}|fevers?|febrile|tm(?:ax)?|T|chills|pyrexia)\b(?:[^.;|\n]|\.\d){0,20}$", re.IGNORECASE
)
# "Technetium-99 m".
_ISOTOPE: Final = re.compile(r"\b(?:technetium|tc|thallium)\s?-?\s?\Z", re.IGNORECASE)
# Before a full stop it is a sentence by itself: "92F. SOFA 9", and of 100 and more a temperature as often.
_SENTENCE: Final = re.compile(r"(?:\A|[.;:|\n]|\b(?:[Aa]n?|[Pp]t|[Pp]atient))\s{0,3}\Z")


class AgeWithSex(PatternRecogniser):
    """ "94M", "94 F", "94/F" where a person is introduced. "101F" is a temperature elsewhere."""

    category = Category.AGE
    score = 0.85
    pattern = re.compile(
        rf"(?<![\w./-])(?P<phi>{NINETIES})(?:\s?/\s?|\s|-)?(?:[MF]|(?:fe)?male|WM|WF|BM|BF|AAM|"
        rf"AAF)(?=[,:]?\s{{1,2}}(?:with|"
        r"who|h/o|hx|PMHx?|c/o|s/p|p/w|presents?|presenting|presented|adm(?:itted)?|here|found|brought|BIBA|"
        r"BIBEMS|"
        r"was|is|has|had|from|sent|transferred|seen|known|in|on|p/t|pt|patient|resident|smoker|DNR)\b|"
        r",?\s{1,2}w/|(?<=\dM)\s{1,2}(?:ASA\s\d|[a-z]{4,}\s|[A-Z]{3,}\s[a-z])|"
        r",\s[a-z]|\)|"
        r"\s{0,3}(?:\n|\Z)|\s{1,2}#|\s{2,}|\s?\||(?P<stop>\.(?:\s|\Z)))",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        text, start = match.string, match.start()
        if match["stop"] is not None and (
            len(match["phi"]) > 2 or not _SENTENCE.search(text, max(0, start - 11), start)
        ):
            return False
        if _ISOTOPE.search(text, max(0, start - 14), start):
            return False
        return HOT.search(text, max(0, start - 30), start) is None
