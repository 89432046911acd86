"""Numbers behind "INC", "run" and a bare sign of number: runs of ambulances, badges, interpreters.

45 CFR 164.514(b)(2)(i)(R).
"""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class NumberedRun(PatternRecogniser):
    """Five digits or more; of tablets fewer are counted out."""

    category = Category.OTHER_ID
    score = 0.75
    pattern = re.compile(
        r"(?:\b(?:INC|Inc|INCIDENT|Incident|RUN|Run|PCR|CAD|DISPATCH|Dispatch|TRIP|Trip|BADGE|Badge|"
        r"CALL[ ]?NO|TICKET|Ticket|CASE|Case|"
        r"UNIT[ ]?ID|BOOKING|[Bb]ooking|DOCKET|[Dd]ocket|[Mm]atch run|MATCH RUN|(?:[Rr]un|[Cc]all|"
        r"[Ii]ncident|[Tt]rip|[Dd]ispatch|[Bb]adge)(?=[ ](?:no\.?|number|#))|OPERATOR|Operator|"
        r"INTERPRETER|Interpreter)[ ]?(?:ID|No\.?|no\.?|NO\.?|Number|number|NUMBER)?[ ]?[:#]{0,2}[ ]{0,2}|"
        r"(?<![\w&])(?<!OMIM )(?<!MIM )(?<!PMID )(?<!CPT )[#№][ ]?|"
        r"\b[A-Z]{2,6}#[ ]?)(?P<phi>(?:[A-Z]{1,3}-?)?\d[\d-]{3,11}\d(?:/\d{4,10})?)"
        r"(?![\w%]|[.,]\d|\s?(?:mg|ml|mcg|tabs?|units?)\b)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        count = len(digits(match["phi"]))
        return count >= 5 or (count == 4 and match["phi"][0].isalpha())
