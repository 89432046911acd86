"""Numbers inside a house by who is called: "Charge RN 5521", "reach me on 5521". 45 CFR 164.514(b)(2)(i)(D).

A pager that says so is `Pager`'s.
"""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.alternatives import by_initial
from curbside_deidentification.recognisers.writing.initials import DEGREE

_AROUND: Final = 48
_SIGN: Final = r"\s?[:=(–-]{0,2}\s?[#*]{0,2}\s?\Z"
# What a number behind it is, whatever its figures look like.
_LABEL: Final = by_initial(
    r"(?:tele)?phones?|tel|ph|land\s?line|hot\s?line|ext?n|fx|vm|c/b|cb(?=\s?[:#])|call\s?back|switch\s?board|"
    r"dect|speed\s?dial|short\s?(?:code|dial)|long\s?range|direct\s?line|pgr|(?-i:[Pp]g)|voice\s?mail|"
    r"(?:cell|mobile)(?=\s?[:#]|\s(?:no|num|number)\b)"
)
_LABELLED: Final = re.compile(
    rf"\b{_LABEL}\b\.?(?:\s?\([A-Za-z ]{{1,12}}\))?(?:\s(?:numbers?|no|num|id|is|at|on|to)\b\.?){{0,2}}"
    rf"{_SIGN}",
    re.IGNORECASE,
)
_SIGNED: Final = re.compile(r"[:#=*]\s?\Z")
_CALL: Final = by_initial(
    r"call(?:ed|ing)?|ring|rang|dial(?:l?ed)?|text(?:ed)?|pag(?:e|ed|ing)|phoned?|tried|try|contact(?:ed|able)?|"
    r"reach(?:ed|able)?|available|messages?|notif(?:y|ied)"
)
_CALLED: Final = re.compile(
    rf"\b{_CALL}\b(?:\s(?:me|us|him|her|them|back|to|the|ward|unit|team|floor|desk|RN|MD|nurse|lab|pharmacy|"
    rf"clinic|office|directly|answering)\b){{0,3}}(?:\s(?:at|on|to|via))?{_SIGN}",
    re.IGNORECASE,
)
_ROLE: Final = by_initial(
    r"pharmac(?:y|ist)|social\swork(?:er)?|case\smanage(?:ment|r)|charge(?:\s(?:nurse|RN))?|"
    r"(?:nurs(?:es?|ing)['’]?|RN)\sstation|(?:front|main|nursing)\sdesk|intern|(?:sr|senior|chief)\sresident|"
    r"resident|fellow|attending|hospitalist|registrar|dieta?ry|dietiti?an|transport(?:er)?|micro(?:biology)?|"
    r"house\s?(?:sup(?:ervisor)?|officer|staff|doctor)|radiology|rads|blood\sbank|lab|rapid\sresponse|"
    r"code\steam|on-?\s?call|team(?:\sphone)?|(?:ward|unit|floor)(?:\sclerk)?|clerk|nights?|days|evenings|"
    r"weekends?|after\s?(?:hours|\d\s?[ap]m)|operator|security|chaplain(?:cy)?|interpreters?|admitting|"
    r"bed\s(?:management|control|board)|questions|concerns|issues|internal|scheduling|"
    r"consults?(?:\sservice)?|"
    r"(?-i:SW|CM|RT|PT/OT|PT|OT|SLP|HUC|SHO|HO|ED|ER|PACU|CCU|MICU|SICU|NICU|PICU|ICU|RRT|R[1-5])"
)
_BY_ROLE: Final = re.compile(
    rf"(?<![\w/-]){_ROLE}\b[?,]?(?:\s(?:at|on|to|call|via|is)\b){{0,2}}{_SIGN}", re.IGNORECASE
)
_SERVICE: Final = r"IM|FM|EM|GI|ID|ICU|Surg(?:ery)?|Peds|Psych|Neuro|Cards|Renal|Ortho|Heme|Onc|Pulm"
_BY_DEGREE: Final = re.compile(rf"(?:\b{DEGREE}|\bR[1-5]\b|,\s(?:{_SERVICE})),?\s{{1,2}}[(#*]{{0,2}}\Z")
_BY_NAME: Final = re.compile(
    r"\b(?:d/w|discussed\swith|spoke\s(?:to|with)|per|by|with|from|via)\s(?:(?:Dr|Mr|Mrs|Ms)\.?\s)?"
    r"(?:[A-Z][a-z]+\s)?(?P<name>[A-Z][^\W\d_]?[a-z]{1,20}),?\s(?:(?:on|at)\s)?[(#*]{0,2}\Z"
)
# "Or page Dr. Osgood at 1915": who is asked to page needs a number before a time.
_ASKED: Final = re.compile(
    r"\b(?:page|beep)\s(?:Dr\.?\s)?(?:[A-Za-z][\w.'’-]{0,20}\s){1,3}(?:at|on|via)\s[(#*]{0,2}\Z",
    re.IGNORECASE,
)
_TITLED: Final = re.compile(
    r"\b(?:Dr|Mr|Mrs|Ms|Miss)\.?\s(?:[A-Za-z][\w.'’-]{0,20}\s){1,3}(?:at|on|via)\s[(#*]{0,2}\Z"
)
# "Paged (1640)": the number that was called.
_BRACKETED: Final = re.compile(r"\b(?:paged|called|phoned|rang|dialed|texted|reached)\s\(#?\Z", re.IGNORECASE)
_STAR: Final = re.compile(r"(?:\A|[\s(])\*\Z")
# Of a house whose numbers begin with the figure of their exchange, in a line of such numbers: "4-7781".
_LISTED: Final = re.compile(
    r"\b(?:beepers?|pagers?|phones?|bleeps?|ext(?:ension)?s|telephones?|call\slist|on-?call|numbers)\b[^\r\n]{0,160}?"
    r"(?:[A-Za-z.)][ :#(-]{0,3}|[,;/][ ]?)\Z",
    re.IGNORECASE,
)
_YEAR_OR_TIME: Final = re.compile(r"(?:19|20)\d\d|(?:[01]\d|2[0-3])[0-5]\d")
# Where nothing but a role or a verb stands before it, the number ends what is said.
_ENDS: Final = re.compile(
    r"[)\]]?(?:\s{0,3}(?:[;\r\n\])/&]|[.,](?!\d)|\Z)|\s{1,2}(?:to|for|with|if|when|until|till|or|and|aware|x\d|"
    r"will|prn|please|pls|before|after|by|twice|once|anytime|overnight|tonight|today|[-–—])(?:\b|\s))"
)


class InternalPhone(WordRecogniser):
    """Four or five figures, or four behind the one of their exchange, behind a word for a telephone. Behind a
    call, a role, a degree or a surname that is no word they end what is said, and are neither round, nor a
    year, nor a time ("RN 1430")."""

    category = Category.PHONE
    score = 0.8
    pattern = re.compile(
        r"(?<![\w.,/$+<>≤≥~-])(?P<phi>\d{4,5}|[1-9]-\d{4})(?![\w%°-]|[:/]\d|[.,]\d|\s?(?:[kmµunpf]?(?:g|l|mol|iu|u|eq|m)|mcg|"
        r"cc|units?|cells?|h(?:ou)?rs?|k?cal(?:ories)?|steps|copies|patients|mm|cm)\b)"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        before = match.string[max(0, match.start() - _AROUND) : match.start()]
        span, number = match.span("phi"), match["phi"]
        if number[1] == "-" and _LISTED.search(match.string, max(0, match.start() - 200), match.start()):
            return None if number.endswith("00") else span
        dated = _YEAR_OR_TIME.fullmatch(number) is not None
        if _LABELLED.search(before):
            return span if not dated or _SIGNED.search(before) else None
        if _BRACKETED.search(before) and match.string[match.end() : match.end() + 1] == ")":
            return span
        if _ASKED.search(before) and _ENDS.match(match.string, match.end()):
            return span
        if dated or number.endswith("00") or not _ENDS.match(match.string, match.end()):
            return None
        if any(cue.search(before) for cue in (_CALLED, _BY_ROLE, _BY_DEGREE, _TITLED, _STAR)):
            return span
        named = _BY_NAME.search(before)
        return span if named is not None and not lexicon.is_word(named["name"].casefold()) else None
