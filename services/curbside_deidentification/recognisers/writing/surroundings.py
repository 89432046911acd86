"""What stands before and behind a name in clinical notes, and how much it says that a name stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from curbside_deidentification.domain.name_words import phrases, words
from curbside_deidentification.recognisers.writing.deeds import DEED
from curbside_deidentification.recognisers.writing.names import CREDENTIAL

_KIN: Final = words("kin")
_STAFF: Final = words("staff")
_TITLES: Final = frozenset(("dr", "drs", "mr", "mrs", "ms", "miss", "prof", "doctor"))


def _table(*weighed: tuple[float, Iterable[str]]) -> Mapping[str, float]:
    """Phrases with their weights; the last weight of a phrase stands."""
    return MappingProxyType({phrase: weight for weight, listed in weighed for phrase in listed})


# With a colon, an equals sign, a bar or a column between.
_LABELS: Final = _table(
    (1, phrases("weak_labels")),
    (2, phrases("patient")),
    (2, _KIN),
    (2, phrases("short_roles")),
    (3, _STAFF),
    (3, phrases("labels")),
)
# With a space between.
_CUES: Final = _table(
    (-2, phrases("determiners")),
    (0.5, phrases("slight")),
    (1, phrases("weak")),
    (1.5, _STAFF),
    (2, _TITLES),
    (2, _KIN),
    (2, phrases("strong")),
    (2, phrases("short_roles")),
    (2, (f"{done} by" for done in words("done"))),
)
# With a comma, a bracket or a dash between: an apposition.
_APPOSED: Final = _table(
    (1.5, phrases("short_roles")),
    (1.5, phrases("services")),
    (1, _STAFF),
    (2, _KIN),
    (2, phrases("patient")),
    (2, ("male", "female", "man", "woman", "gentleman", "lady", "boy", "girl")),
)
# A label before a colon, a degree behind a name at a line's end.
_DEGREES: Final = words("degrees")
_SIGNED: Final = _table((2, phrases("sign_off")))
# A label that says nothing of a person: "Findings:", "Peer to peer:".
ANY_LABEL: Final = 0.25
# What a full stop shortens before a name.
_SHORTENED: Final = frozenset(
    """pt attn appt dr drs mr mrs ms prof phys det ofc sgt lt capt cpl fr rev
    chap msgr rab br bro sr st hon gov
    sen atty esq asst mgr supv coord tech anes surg ref prov neph card""".split()  # noqa: SIM905
)
_FAR: Final = 44
_LAST_LINE: Final = re.compile(r"[^\r\n]{1,30}\s{0,20}\Z")
_CUE_WORD: Final = re.compile(r"[^\W\d_][\w'/’.-]*")
_OPENING: Final = " \t\r\n\"“‘'([*_<>"


def before(text: str, start: int) -> float:
    """What stands before `start`, from 0 to 3."""
    chunk = text[max(0, start - _FAR) : start]
    left = chunk.rstrip(_OPENING)
    gap = chunk[len(left) :]
    sign = left[-1:]
    if sign and sign in ":=,|–—-#~;":
        left = left[:-1].rstrip(" \t*_)")
    elif "\n" in gap or "  " in gap or "\t" in gap:
        sign = "\n"
    else:
        sign = "(" if "(" in gap else ""
    if not left or left[-1] in "!?]}":
        return 0
    if sign in ("-", "–", "—", "~") and not gap.strip(" ") and left.endswith(("\n", "\r")):
        # A name behind a dash ends a note; a dash and a space begins any entry of a list.
        return 0 if gap else 1.5 if _LAST_LINE.match(text, start) else 0.75
    words = [word.rstrip(".") for word in _CUE_WORD.findall(left.casefold())[-3:]]
    if not words or (left[-1] == "." and words[-1] not in _SHORTENED):
        return 0
    if not left.casefold().rstrip(".").endswith(words[-1]):
        return 0
    ending = [" ".join(words[-count:]) for count in range(len(words), 0, -1)]
    if sign in (":", "=", "|") and sign:
        return _heaviest(ending, _LABELS) or ANY_LABEL
    if sign == "\n":
        # A column or the next line: a label by itself, or a sentence that is wrapped there.
        label = min(2, _heaviest(ending, _LABELS)) if words[-1] not in _DEGREES else 0
        return max(label, _heaviest(ending, _CUES) if gap.count("\n") == 1 else 0, _heaviest(ending, _SIGNED))
    if sign in (",", "(", "–", "—", "-"):
        signed = _heaviest(ending, _SIGNED) if sign == "," else 0
        return max(signed, _heaviest(ending, _APPOSED))
    return _heaviest(ending, _CUES) if not sign else 0


def _heaviest(ending: Iterable[str], table: Mapping[str, float]) -> float:
    """The weight of the longest phrase of `ending` that `table` has."""
    return next((table[phrase] for phrase in ending if phrase in table), 0)


_NUMBER: Final = (
    r"(?:\d{1,3}|(?:(?:twen|thir|for|fif|six|seven|eigh|nine)t(?:y|een)|eighteen|"
    r"one\s?hundred)[a-z -]{0,12}?)"
)
_AGE: Final = (
    r"(?:,?\s{1,2}(?:(?:is|was)\s(?:now\s)?(?:an?\s)?(?:[a-z,-]{2,14}\s){0,3}?|(?:an?|age|"
    r"aged)\s(?:[a-z,-]{2,14}\s){0,2}?)|[,(]?\s?[(]?\s?(?<=[ (,]))"
    rf"{_NUMBER}[\s-]{{0,2}}(?:y(?:ea)?rs?\b|y\.?\s?/?o\b|yof|yom|y\b|(?:month|mo|week|wk|"
    rf"day)s?[\s-]old\b|m/o|d/o|[mf]\b)"
)
# "Osgood - 68M", "Osgood | 68 y/o".
_AGED: Final = (
    r",?\s(?:age|aged|ages)\s\d{1,3}\b|(?:\s[-–—]\s|\s?[|/,]\s?|:\s)\d{1,3}\s?(?:(?-i:[MF])\b|"
    r"y\.?\s?/?o\b|yom\b|yof\b|yr\b)"
)
_ID: Final = (
    r"\s{0,4}[(,/|-]{0,2}\s{0,4}(?:\(?(?:MRN?|M\.R\.|DOB|D\.O\.B|MR\s?#|med(?:ical)?\s(?:rec(?:ord)?|"
    r"record)\s?(?:#|no|number)|"
    r"SSN|date\sof\sbirth|born\b|acct|unit\s?(?:no|#)|UNIT\s?NUMBER|\#\s?\d\d|birthdate|b\.\s?\d|FIN\b|"
    r"chart\s?(?:#|no)))"
)
_SAYS: Final = (
    r",?\s(?:(?:is|was)\s)?(?:states?|stated|says?|said|denies|denied|complains|c/o|returns?|returned|"
    r"presents?\b|presented|"
    r"rest(?:ing|ed)|sleeping|slept|ambulat(?:ed|es|ing)|verbali[sz]\w{1,3}|request\w{1,3}|phoned|"
    r"agree[sd]?|"
    r"lives|liv(?:ed|ing)\swith|at\s(?:the\s)?bedside|in\sto\svisit|in\sroom|visiting|feels|felt|doing|"
    r"tolerat(?:ed|es|ing)|refus(?:ed|es|ing)|awake|"
    r"notified|updated|aware|alert|family\s(?:meeting|conference|aware|updated|notified|present|"
    r"requests)|saw|plays|eats|walks|crawls|smiles|asked|asks|wants|thinks|understands|understood|"
    r"arrived|underwent|will\ssee|will\sfollow|to\s(?:follow|see|call|bedside|room)\b|"
    r"seen\s(?:in|by|at|today)|brought|admitted|discharged|transferred\s(?:to|from)|present\b|"
    r"the\s(?:healthcare|health\scare)|"
    r"an?\s(?:pleasant|delightful|well\sknown|retired|widowed|married|single)\b|known\sto|who\b|"
    r"accompanied|appears|reports|reported\sto|reported\sthat|tolerating|calling|called\b|calls|"
    r"dictating|speaking|spoke|visits|visited|helps|helped|plans|planned|ate|drank|attended|"
    r"participated|endorses|endorsed|expressed|identified|prefers|enjoys|drives|drove|born|raised|"
    r"wishes|hopes|taught|greeted|joined|scrubbed|recs|amb|did\swell|here\b|educated|instructed|"
    r"on\scall|came|went|declined|consented|signed|wrote|ordered|recommended|assisted|assessed)(?!\w)"
)
_NUMBERED: Final = (
    r",?\s{1,3}(?:pager\b|beeper\b|p\.?\s?#?\d{3,5}\b|x\d{3,5}\b|ext\b|"
    r"\#?\d{3}[-.]\d{3}[-.]\d{4}|\(\d{3}\)|tel\b|phone\b|cell\b|(?:NPI|DEA|lic(?:ense)?)\b|PGY)"
)
_SERVICE: Final = "|".join(sorted(phrases("services")))
# What people have: "Osgood's note".
_OF: Final = (
    r"['’]s\s(?:own|patients?|cat|dog|house|home|apartment|trailer|truck|car|birthday|wedding|"
    r"funeral|statement|wishes|questions|"
    r"records|paperwork|insurance|employer|lawyer|attorney|parents|children|kids|bedside|"
    r"belongings|clothes|glasses|dentures|"
    r"walker|wheelchair|bed|voice|name|opinion|advice|consult|consultation|orders?|notes|exam|assessment|"
    r"attention|permission|consent|signature|pager|cell|number|schedule|clinic|practice|partner|"
    r"concerns?|behavior|note|chart|labs|CT|MRI|x-ray|family|room|care|case|condition|phone|"
    r"teacher|doctor|nurse|office|recs|"
    rf"request|report|behalf|service|team|{'|'.join(sorted(_KIN))})\b"
)
# Degrees and years of training that the list of degrees has not.
_LEARNING: Final = (
    r"MS-?[1-4]|CA-?[1-3]|R[1-5]|SRNA|SN|LMSW|LSW|CCLS|CRC|CHES|LAc|LMFT|LPC|LMHC|CADC|BCBA|Esq"
)
_STRONGLY: Final = re.compile(
    rf"(?P<age>{_AGE}|{_AGED})|(?P<id>{_ID})|(?P<degree>\s?,?\s{{0,3}}\(?(?-i:{CREDENTIAL}|DO|MD|NP-C|"
    rf"FNP(?:-[A-Z]{{1,2}})?|AGNP|CMA|RMA|MA|CNA|LVN|RPh|CCC-SLP|OTR/?L?|RRT|DVM|"
    rf"MSN|EMT(?:-[PB])?|BS|RDMS|RVT|CST|ACNP|PGY-?\d|{_LEARNING})(?!\w))|(?P<numbered>{_NUMBERED})|"
    rf"(?P<says>{_SAYS})|(?P<deed>{DEED})|(?P<service>\s\((?:{_SERVICE})\)|\s[-–]\s(?:{_SERVICE})\b)|"
    rf"(?P<of>{_OF})|(?P<number>\s\([A-Z]{{0,2}}\d[\d-]{{5,}}\))|(?P<arrow>\s?(?:->|=>|→)\s?(?=[A-Z]))|"
    rf"(?P<record>:[ ]?\d{{1,2}}[-/]\d|"
    rf"\s{{1,3}}[A-Z]{{0,3}}\d[\d-]{{4,}})|(?P<kin>\s?[,(]\s?(?:(?:his|her|the|our|my|your|an?|pt'?s?|"
    rf"patient's)\s)?(?:home\s|primary\s|charge\s)?(?:{'|'.join(sorted(_KIN | _STAFF))})\b)",
    re.IGNORECASE,
)
_WEIGHTS: Final = MappingProxyType({"age": 3.0, "degree": 2.5, "service": 2.5, "record": 1.5})
_WEAKLY: Final = re.compile(
    r"['’][sS]\b|\s[a-z]{2,12}(?:s|ed)\b|\s(?:and|AND)\s(?=[A-Z])|,?\s(?i:is|has|had|was|will|did|does|"
    r"took|came|went|needs|were|would|should|can|continues|remains|received|used|performed|gave|"
    r"demonstrated|met)\b|[\"”],|,(?=[^\s\d])|\s\((?:[A-Z]{2,4})\)|\s?/\s|\s(?:at|AT)\s\d{1,2}:?\d\d|"
    r"\s{2,}\S|\s?\d{1,2}/\d{1,2}|/(?=[A-Z][a-z]{2})|\s?[\"”]?[,;]?\s?[\r\n]|\s?$"
)


_POSSESSED: Final = re.compile(_OF, re.IGNORECASE)


def is_possessor(text: str, end: int) -> bool:
    """Whether what people have stands behind `end`: "Osgood's patient"."""
    return _POSSESSED.match(text, end) is not None


def behind(text: str, end: int) -> float:
    """What stands behind `end`, from 0 to 3."""
    if text[end : end + 1] == "." and text[end + 1 : end + 2] in ("", " ", "\n", "\r"):
        return 0.5
    match = _STRONGLY.match(text, end)
    if match is not None:
        return _WEIGHTS.get(match.lastgroup or "", 2)
    if _WEAKLY.match(text, end):
        return 1
    return 0.5 if text[end : end + 1] in (",", ";", ")") else 0
