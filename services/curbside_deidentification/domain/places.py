"""Recognisers of places smaller than a state and of facilities. 45 CFR 164.514(b)(2)(i)(B).

Facility names are not among the eighteen, but a hospital's name places the patient in a town.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar, Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.domain.spans import Span

_TOWNS: Final = Path(__file__).with_name("data") / "places.txt"
# USPS Publication 28, appendix B: two-letter state and possession abbreviations.
_STATE: Final = (
    "(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|"
    "P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY])"
)
# USPS Publication 28, appendix C1: street suffixes in use.
_STREET: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Court|Ct|Place|Pl|"
    r"Circle|Cir|Way|Terrace|Ter|"
    r"Parkway|Pkwy|Highway|Hwy|Square|Sq|Trail|Trl|Loop|Crescent|Cres|Alley|Plaza|Pike|"
    r"Turnpike|Row|Path|Ridge|Run|Crossing|Heights|Hollow|Mews|Close)"
)
# Bounded, and begun only where a word begins: a long row of "A-" or "A'" costs no time.
_CAP: Final = r"[A-Z][^\W\d_]{0,40}(?:['’&-][^\W\d_]{1,40}){0,4}"
_BEFORE: Final = r"(?<![\w.'’&-])"


class StreetAddress(PatternRecogniser):
    """House number, street and suffix; unit, town, state and ZIP where they follow. USPS Publication 28."""

    category = Category.LOCATION
    score = 0.95
    pattern = re.compile(
        rf"(?<![\w./-])(?P<phi>\d{{1,6}}[A-Z]?[ ](?![AP]M\b)(?:[NSEW]{{1,2}}\.?[ ])?(?:(?:{_CAP}|"
        rf"\d{{1,3}}(?:st|nd|rd|th))[ ]+){{1,4}}{_STREET}\b\.?(?:\s+[NSEW]{{1,2}}\b\.?)?"
        rf"(?:,?\s+(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Bldg|Rm|\#)\.?\s*\#?[\w-]{{1,6}})?"
        rf"(?:,?\s+{_CAP}(?:\s{_CAP}){{0,2}},?\s+{_STATE}\b\.?(?:\s+\d{{5}}(?:-\d{{4}})?)?)?)"
    )


class PostBox(PatternRecogniser):
    """Post office boxes. USPS Publication 28, section 28."""

    category = Category.LOCATION
    pattern = re.compile(r"\bP\.?\s?O\.?\s?Box\s+\d{1,7}\b", re.IGNORECASE)


class TownAndState(PatternRecogniser):
    """ "Springfield, IL 62704" and "Springfield, IL". Abbreviations that are also words, credentials or
    conditions (MD, PA, MS, OR, IN, …) count only with a ZIP behind them."""

    category = Category.LOCATION
    pattern = re.compile(
        rf"{_BEFORE}(?P<phi>(?:(?:St|Mt|"
        rf"Ft)\.\s)?{_CAP}(?:[ ]{_CAP}){{0,2}},?[ ](?P<state>{_STATE})\b\.?"
        r"(?P<zip>,?\s+\d{5}(?:-\d{4})?)?)(?![\w-])"
    )
    _AMBIGUOUS: ClassVar = frozenset(
        "MD PA MS MA ME OR IN OK HI AL CO DE ID LA MT NE ND SC VA VI WA CT AR PR DC RI".split()  # noqa: SIM905
    )

    def valid(self, match: re.Match[str]) -> bool:
        return bool(match["zip"]) or ("," in match["phi"] and match["state"] not in self._AMBIGUOUS)


class Zip(PatternRecogniser):
    """ZIP codes behind a state or their label; a bare five-digit number is more often something else."""

    category = Category.LOCATION
    pattern = re.compile(
        rf"\b(?:{_STATE},?\s+|"
        rf"(?i:zip)(?i:\s?code)?\s{{0,2}}[:#]?\s{{0,2}}(?:is\s)?)(?P<phi>\d{{5}}(?:-\d{{4}})?)(?![\w-])"
    )


_KIND: Final = (
    r"(?:(?:Community|Regional|General|Memorial|Children['’]?s|Veterans|Teaching|County|"
    r"University|Women['’]?s|Specialty|Surgical|District|Baptist|Methodist|Presbyterian|"
    r"Lutheran|Catholic|Jewish|Medical|Health|Cancer|Heart|Rehabilitation|Family|Urgent|"
    r"Primary|Diagnostic|Imaging|Surgery|Care|Nursing|Senior|Mental|Behavioral|Eye|Dental|"
    r"Pain|Sports|Wellness|Research)\s+){0,4}"
    r"(?:Hospitals?|Hosp\b\.?|Medical\s+(?:Center|Centre|Group|Associates|Campus|College|"
    r"Ctr)|Health\s?care(?:\s+(?:System|Center|Services))?|Health(?:\s+(?:System|Center|"
    r"Centre|Network|Partners|Clinic|Services))?|Clinics?|Infirmary|Hospice|Sanatorium|"
    r"Sanitarium|Cancer\s+(?:Center|Institute)|Institute|Imaging(?:\s+(?:Center|"
    r"Associates))?|Radiology\s+(?:Associates|Group|Partners|Center)|"
    r"Pathology\s+(?:Associates|Group|Partners)|Laborator(?:y|ies)|Surgery\s+Center|"
    r"Surgical\s+Center|Nursing\s+(?:Home|Facility)|Rehab(?:ilitation)?(?:\s+Center)?|"
    r"Urgent\s+Care|Family\s+(?:Practice|Medicine|Health)|Medical|Memorial|Associates|"
    r"Pavilion|Center|Centre|Pharmacy|Assisted\s+Living|Manor|Physicians|Practice|VA)"
)
_FACILITY: Final = re.compile(
    rf"{_BEFORE}(?P<phi>(?:(?:St|Mt|Ft|Saint|Mount|"
    rf"Our\sLady\sof)\.?\s)?{_CAP}(?:[ ](?:(?:of|the|and|at|for|&|"
    rf"de)[ ]){{0,2}}{_CAP}){{0,5}}?[ ]{_KIND})(?:[ ](?:of|at|"
    rf"in)[ ](?P<of>{_CAP}(?:[ ]{_CAP}){{0,2}}))?(?!\w)"
)
_UNIVERSITY: Final = re.compile(
    rf"{_BEFORE}(?P<phi>(?:University|College|Hospital|Clinic|"
    rf"Institute)\s+of\s+(?:the\s+)?{_CAP}(?:(?:[ ]|,\s|\sat\s){_CAP}){{0,3}}|"
    rf"{_CAP}(?:[ ]{_CAP}){{0,2}}[ ](?:University|College|Nursing Home)(?:\s+(?:Hospital|"
    rf"Medical\s+Center|Health))?)(?!\w)"
)
_CARE_VERB: Final = (
    r"(?i:seen|treated|admitted|followed|evaluated|hospitali[sz]ed|diagnosed|presented|"
    r"transferred|referred|discharged|examined|operated|managed|visited|attended|received|"
    r"performed|done|scan|imaging|MRI|CT|study|biopsy|surgery|procedure|care|visit|"
    r"check-?up|appointment|employed|works|working|lives|living|resides|residing|from|"
    r"born|stay|stayed|ED|ER|clinic|follow-?up|last|recently|currently|previously|"
    r"initially|again|here|up)"
)
# Capitalised words behind "at" and the like: a place unless every one of them is a plain word.
_PLACE: Final = (
    rf"(?:(?:the|our|a)\s+)?(?P<phi>(?:(?:St|Mt|Ft)\.\s)?{_CAP}(?:[ ](?:(?:of|and|at|"
    rf"&)[ ]){{0,1}}{_CAP}){{0,4}})"
)
_AT: Final = re.compile(rf"\b(?i:at|near|outside|visited|visits|attends|attended)\s+{_PLACE}")
_TO: Final = re.compile(
    rf"\b(?:{_CARE_VERB}\s+(?:(?i:over|out|back|down|by\s+\w+)\s+)?(?:to|in|from|with|by)|"
    rf"(?i:from)|(?i:lives|resides|living|residing)\s+(?:in|near))\s+{_PLACE}"
)
PLACES: Final[tuple[PatternRecogniser, ...]] = (StreetAddress(), PostBox(), TownAndState(), Zip())


# A town by what people do in it, whatever its name means: "comes from Concord".
_LIVES: Final = re.compile(
    r"\b(?i:comes\s+from|came\s+from|lives\s+in|living\s+in|lived\s+in|resides\s+in|residing\s+in|born\s+in|native\s+of|"
    rf"resident\s+of|moved\s+(?:from|to)|grew\s+up\s+in|originally\s+from|hails\s+from|hometown\s+(?:of|is))\s+"
    rf"(?P<phi>{_CAP}(?:[ ]{_CAP}){{0,2}})"
)


def find_places(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """Addresses, facilities by their kind, and capitalised places behind "at", "from" and the like."""
    for recogniser in PLACES:
        for span in recogniser.find(text):
            if (
                recogniser is not PLACES[2]
                or not _all_words(text[span.start : span.end].split(",")[0], lexicon)
                or text[span.end - 1].isdigit()
            ):
                yield span
    for pattern, score in ((_FACILITY, 0.85), (_UNIVERSITY, 0.85)):
        for match in pattern.finditer(text):
            start, end = match.span("phi")
            trimmed = _facility(text, start, end, lexicon)
            if trimmed is not None:
                of_end = (
                    match.end("of")
                    if "of" in pattern.groupindex and match["of"] and not _all_words(match["of"], lexicon)
                    else end
                )
                yield Span(trimmed, of_end, Category.FACILITY, score, "Facility")
    for pattern in (_AT, _TO):
        for match in pattern.finditer(text):
            phrase = match["phi"]
            if _names_a_place(phrase, lexicon, abbreviations=pattern is _AT):
                yield Span(*match.span("phi"), Category.FACILITY, 0.7, "PlaceOfCare")
    for match in _LIVES.finditer(text):
        if not all(word.casefold() in GENERIC for word in match["phi"].split()):
            yield Span(*match.span("phi"), Category.LOCATION, 0.8, "Hometown")
    for match in _town_pattern().finditer(text):
        yield Span(match.start(), match.end(), Category.LOCATION, 0.75, "Town")


@cache
def _town_pattern() -> re.Pattern[str]:
    towns = sorted(_TOWNS.read_text("utf-8").splitlines(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, towns))})(?![\w-])")


def _names_a_place(phrase: str, lexicon: Lexicon, *, abbreviations: bool) -> bool:
    """Whether a word of `phrase` is in no vocabulary; an abbreviation ("UCSF") says so only behind "at"."""
    words = [word for word in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", phrase) if len(word) > 1]
    unknown = [word for word in words if not lexicon.is_word(word) and word.casefold() not in GENERIC]
    if not abbreviations or (len(words) == 1 and len(words[0]) < 3):
        unknown = [word for word in unknown if not word.isupper()]
    return bool(unknown)


def _all_words(phrase: str, lexicon: Lexicon) -> bool:
    return all(lexicon.is_word(word.strip(".,")) for word in phrase.split())


def _facility(text: str, start: int, end: int, lexicon: Lexicon) -> int | None:
    """Where the facility's own name starts, or None where nothing before its kind is a name."""
    words = [(match.start(), match[0].strip(".,")) for match in re.finditer(r"\S+", text[start:end])]
    opening = None
    for offset, word in words:
        bare = word.casefold()
        if bare in GENERIC or not word[:1].isupper():
            continue
        if opening is None and _letterhead(text, start):
            opening = start + offset
        if (
            bare in ("saint", "st", "mt", "mount")
            or not lexicon.is_word(word)
            or not _heading(text, start + offset)
        ):
            return start + offset if opening is None else opening
    whole_line = _letterhead(text, start) and text[end : end + 1] in ("", "\n", "\r")
    return opening if whole_line else None


def _letterhead(text: str, at: int) -> bool:
    """Whether a line begins at `at`: a facility's name may stand there whatever its words."""
    return text[:at].rstrip(" \t").endswith("\n") or not text[:at].strip()


def _heading(text: str, at: int) -> bool:
    """Whether the word at `at` opens a line in capitals or a sentence, where a capital proves nothing."""
    before = text[:at].rstrip(" ")
    return not before or before[-1] in ".\n:;•*-"
