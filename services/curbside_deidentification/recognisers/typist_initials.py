"""Initials of who dictated and who typed: "JD:mt", "JD/MT", "Job #1234 mt". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME, words
from curbside_deidentification.domain.spans import Span

_DAY: Final = (
    r"(?:\d{1,4}[-/.]\d{1,2}(?:[-/.]\d{2,4})?|\d{1,2}[- ]?[A-Za-z]{3,9}[- ,]{0,2}(?:\d{2,4})?|"
    r"[A-Za-z]{3,9}\.?[ ]\d{1,2}(?:st|nd|rd|th)?(?:,?[ ]\d{2,4})?|"
    r"(?:19|20)\d{6,12})(?:[ T,]{1,2}(?:at[ ])?\d{1,2}:?\d{2}(?::\d{2})?(?:[ ]?[AaPp]\.?[Mm]\.?)?)?"
)
# What a transcription service writes next to initials: dates and times of dictation and typing, job numbers.
_STAMP: Final = (
    r"(?:DD|DT|TD|TT|D/T|D&T|D|T|R|Dictated|Transcribed|Typed|Dict|Trans|Job|Doc|Document|"
    r"Conf(?:irmation)?|JOB|DOC|DOCUMENT|DICTATED|"
    r"TRANSCRIBED|Voice|VJ|Auth|ID|cc|CC|c)(?:[ ]?(?:ID|No|NO|Number|NUMBER|Date|DATE|on|by|"
    r"BY)\b)?\.?[ ]?[:#/]"
)
# "JD:mt", "jd/MT/12": the first of two or three is who dictated.
_PAIR: Final = r"[A-Za-z]{2,4}[ ]?[:/|][ ]?[A-Za-z]{2,4}(?:[:/]?\d{1,10}|[:/][A-Za-z]{2,4})?"
_PAIRED: Final = re.compile(
    rf"(?:(?m:^)[ \t]{{0,8}}(?P<line>[A-Za-z]{{2,4}}[ ]?[:/|"
    rf"][ ]?[A-Za-z]{{2,4}}(?:[ ]?[:/][ ]?[A-Za-z]{{2,4}})?(?:[ ]?[:/]?[ ]?[\d/]{{1,14}})?|"
    rf"[A-Z]{{2,4}}[ ][a-z]{{2,4}})[ \t]{{0,8}}(?m:$)"
    rf"|(?<![\w/:.,-])(?P<before>{_PAIR})(?=[ \t\r\n]{{1,4}}(?-i:{_STAMP}))"
    rf"|(?<!\w)(?:(?:T|DT|TD|TT|Transcribed|TRANSCRIBED|Typed|Trans|D|Dictated|DICTATED)"
    rf"[ ]?:[ ]{{0,2}}{_DAY}|"
    rf"(?:Job|JOB|Doc|DOC|Document|Conf)[ ]?(?:ID|No)?\.?[ ]?"
    rf"(?:[#:]{{1,2}}[ ]?[\w/-]{{3,24}}|[A-Z]{{0,3}}\d{{4,12}}(?=[ ])))"
    rf"[ \t\r\n,;/-]{{1,6}}(?P<behind>{_PAIR}|[a-z]{{2,4}}\d{{0,3}}|[A-Z]{{3}})(?=[\s.,;)]|$))"
)
# "TR : qk / rf92 / 4234": who typed, who dictated, the job.
_TRANSCRIBER: Final = re.compile(
    r"\b(?:TR|Tr|TRANS|Trans|TYP|Typ)[ ]?:[ ]{0,3}(?P<typed>[A-Za-z]{2,4}\d{0,3}"
    r"(?:[ ]?/[ ]?[A-Za-z]{2,4}\d{0,3})?)(?=[ ]?[/\r\n]|$|[ ]{1,3}[A-Z])"
)
# "JD/mt/rv", and in capitals at the end: "JD / MT / 12345".
_MIXED: Final = re.compile(
    r"(?<![\w/:.-])(?:(?P<mixed>[A-Z]{2,4}(?:[ ]?/[ ]?|"
    r":)[a-z]{2,4}(?:[ ]?/[ ]?[a-z]{2,4})?)(?:[ ]?/[ ]?[\d/]{2,14})?(?![\w/])"
    r"|(?<=[.!] )(?P<end>[A-Z]{2,4}(?:[ ]?/[ ]?|"
    r":)[A-Z]{2,4}(?:[ ]?/[ ]?[A-Z]{2,4})?)(?:[ ]?/[ ]?[\d/]{2,14})?[ ]{0,3}(?m:$))"
)
# The last of a document, whatever the letters mean elsewhere: "ZD/am".
_FOOT: Final = re.compile(
    r"(?:\n[ \t]{0,4}|[;.,)][ ]{1,4}(?!(?:M?[GL]|[MNPU][GL]|"
    r"MEQ|MM|IU|U)[/:]))(?P<foot>[A-Z]{2,3}[/:][a-z]{2,3})\s{0,9}\Z"
)
# "45M (JD)", "dd 1/2/24 dt 1/2/24 mt".
_OTHERS: Final = re.compile(
    rf"\d[ ]?(?:[MFmf]|[Yy]\.?/?[Oo]\.?(?:[ ]?[MFmf])?|[Yy][Oo][MFmf])[ ]\((?P<one>[A-Z]{{2,3}})\)|"
    rf"\b(?:dd|dt|DD|DT)[ ]{{1,2}}{_DAY}[ ,]{{1,3}}(?P<behind>[a-z]{{2,4}}|"
    rf"[A-Z]{{2,4}})(?=[ .]{{0,3}}(?m:$)|[ ]{{2}})"
)
# "2230 JDM: pt asleep", "tech initials JDM".
_TIMED: Final = re.compile(
    r"(?:(?<![\d:])\d\d:?\d\d[ ](?P<one>[A-Z]{2,3})(?=:[ ](?:[a-z]|PT\b|PATIENT\b))"
    r"|\b(?i:initials)[ ]{1,2}(?P<typed>[A-Z]{2,4})(?![\w]))"
)
# Initials and the day of an entry, by themselves in a line or behind a surname.
_DATED: Final = re.compile(
    r"(?:(?m:^)[ \t]{0,8}|(?<=\d[ ])|(?<=[a-z][ ]))(?P<one>[A-Z]{3})"
    r"(?=[ ,]{1,2}\d{1,2}[-/]\d{1,2}[-/](?:\d\d){1,2}(?!\d)[ \t\d:APMapm]{0,12}(?m:$))"
)
_TYPED: Final = re.compile(
    r"\b(?i:transcribed|typed|dictated|keyed)(?:[ ](?i:by))?[ :]{1,3}(?P<typed>[A-Z]{2,4}|"
    r"[a-z]{2,4})(?=[.;,)\]]?[ ]{0,3}(?:[\r\n]|$)|[.;)\]](?:[ ]|$)|[ ]{2,}|[ ]\d)"
)
# Initials of one person behind what that person did.
_ONE: Final = re.compile(
    r"\b(?:(?:(?i:signed|initialed|entered|verified|recorded|witnessed|administered|given|drawn|"
    r"collected|scribed|"
    r"checked|read|resulted|reviewed|charted|documented|released|called|reported|received|performed|"
    r"cosigned|edited|keyed|taken|transported)\b(?:[ ]by\b)?"
    r"|(?i:uc|hus|hcu|mlt|psr|csr|cma|ma|md|np|pa|cna|lpn|provider|reviewed|checked|witness|"
    r"transcriptionist|transcriber|typist|trans|tr|dict|typ|initials|init|dictator|tech|scribe|rn|nurse|"
    r"operator|author|user|staff|clerk|phlebotomist)[ ]{0,2}(?:(?i:initials|id)[ ]?)?[:#])"
    r"[ ]{0,3}[:#]?[ ]{0,3})(?P<one>[A-Z]{2,4}|[a-z]{2,4}|"
    r"[A-Z]\.[A-Z]\.(?:[A-Z]\.)?)(?=[.;,)\]]?[ ]{0,3}(?:[\r\n]|$)|[.;)\]](?:[ ]|$)|[ ]{2,}|[ ]\d|"
    r"[ ]/[ ]|[ ](?:[A-Z][\w]{0,14}(?:[ ][a-z]{2,3})?:|@|at[ ]\d|on[ ]\d))"
)
# "called 1/9/24 by JDM": an act, and at the end of the sentence who did it.
_BY: Final = re.compile(
    r"(?:\d|\b(?i:called|paged|notified|faxed|phoned|to|given|drawn|given|reported|read|verified|"
    r"checked|completed|done|changed|placed|performed|taken|obtained|collected|sent|tested|reviewed))"
    r"[ ](?i:by)[ ](?P<one>[A-Z]{2,4}|[a-z]{2,3}\d?)(?=[.;,)]?[ ]{0,2}(?:[\r\n]|$)|[.;)][ ]|[ ]at[ ]\d|"
    r"[ ]on[ ]\d|[ ]\d)"
)
_IN_BRACKETS: Final = re.compile(
    r"(?:\b(?:MD|DO|RN|LPN|LVN|NP|PA|PA-C|NP-C|FNP|CNA|CRNA|RT|RRT|PT|OT|MA|CMA|P[Hh]\.?D\.?|PharmD|RPh|"
    r"SLP|MSW|LCSW|BSN|M\.D\.|D\.O\.|R\.N\.)[ ,]{0,2}[(\[](?P<one>[A-Z]{2,4})[)\]]"
    # The marks by which Epic tells who wrote a passage: "[JD.1]", "[JD1.2T]".
    r"|\[(?P<mark>[A-Z]{2,3})\d?\.\d{1,2}[A-Z]{0,2}\])"
)
# Two dashes or a slash, initials, and perhaps a degree, at a line's end.
_DASHED: Final = re.compile(
    r"(?:--|—|~|/s/|/es/|//)[ ]{0,2}(?P<one>[A-Z]{2,4}|[A-Z]\.[A-Z]\.(?:[A-Z]\.)?)(?:[ ,]{1,2}(?:MD|DO|"
    r"RN|LPN|NP|PA|PA-C|NP-C|CNA|RT|MA))?[ \t]{0,4}(?m:$)"
)
_UNITS: Final = (
    "/dl",
    "/min",
    "/hpf",
    "/kg",
    "/ml",
    "/day",
    "/hr",
    "/lpf",
    "/wk",
    "/hour",
    "/mm",
    "/sec",
    "/l",
)
# By these things are done, and none is a person.
_THINGS: Final = words("abbreviations")


class TypistInitials:
    """Two to four letters where a transcription service, a laboratory or a nurse puts initials.

    "Transcribed jdm.", "D: 1/2/24 T: 1/2/24 JD/mt", "called to Dr. Osgood at 1410 by JDM", "RN (JDM)".
    """

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for pattern in (
            _PAIRED,
            _FOOT,
            _MIXED,
            _OTHERS,
            _TRANSCRIBER,
            _TYPED,
            _TIMED,
            _DATED,
            _ONE,
            _BY,
            _IN_BRACKETS,
            _DASHED,
        ):
            for match in pattern.finditer(text):
                group = match.lastgroup
                if group in ("mark", "foot") or (
                    group is not None and _initials(match[group], lexicon, pair=group in ("behind", "typed"))
                ):
                    yield Span(match.start(group), match.end(group), Category.NAME, 0.85, "TypistInitials")


def _initials(written: str, lexicon: Lexicon, *, pair: bool) -> bool:
    lower = written.casefold()
    letters = [part for part in re.split(r"[^a-z]+", lower) if part]
    if len(letters) > 1 and not re.fullmatch(r"(?:[A-Z]\.){2,3}", written):
        # A unit of measurement, or two abbreviations, by themselves in a line.
        units = lower.endswith(_UNITS)
        unknown = sum(
            not (part in _THINGS or part in NEVER_NAME or lexicon.is_word(part)) for part in letters
        )
        return not units and (pair or NEVER_NAME.isdisjoint(letters)) and unknown > (len(letters) > 2)
    bare = "".join(letters)
    if bare in _THINGS or bare in NEVER_NAME:
        return False
    # Behind a stamp three letters are a typist's even where they are a word: "Job #1234 gel".
    return (pair and len(bare) < 4) or not lexicon.is_word(bare)
