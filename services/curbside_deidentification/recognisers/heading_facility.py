"""Practices and houses whose name heads a document: "Tender Years Pediatrics". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.alternatives import by_initial
from curbside_deidentification.recognisers.writing.facility_words import OF_EVERY_HOUSE
from curbside_deidentification.recognisers.writing.places import CAP

# What heads a document: its first lines, or as much of a text whose lines were joined.
_HEAD: Final = re.compile(r"\A(?:[^\r\n]{0,160}(?:\r?\n|\Z)){1,6}|\A.{0,160}", re.DOTALL)
_COLUMN: Final = r"(?:(?m:^)[ \t]{0,40}|[ \t]{2,}|[ ][-–|•][ ])"
_COLUMN_END: Final = r"(?=[ \t]{0,40}(?m:$)|[ \t]{2,}|[ ][-–|•][ ])"
_WORDS: Final = rf"{CAP}(?:[ ](?:(?:of|the|and|&)[ ]){{0,2}}{CAP}){{0,3}}"
_PRACTICE: Final = by_initial(
    r"pa?ediatrics|radiology|imaging|pathology|dermatology|cardiology|orthopa?edics|urology|nephrology|"
    r"ophthalmology|optometry|gastroenterology|oncology|neurology|psychiatry|rheumatology|endocrinology|"
    r"anesthesia|allergy|dental|dentistry|orthodontics|podiatry|obstetrics|ob/gyn|walk-in(?:[ ]care)?|"
    r"(?:dental|eye|vision|surgery|sleep|allergy|wellness|heart)[ ](?:center|centre|associates|group|"
    r"partners|institute)|(?:sports|family|internal)[ ]medicine|medic[ ](?:one|\d)|dialysis|home[ ]?care|"
    r"answering[ ]service|skilled[ ]nursing|snf|ambulance|EMS|counseling|chiropractic"
)
_COMPANY: Final = r"(?:,[ ](?:P\.?C\.?|P\.?L?L\.?C\.?|P\.?A\.?|Inc\.?|Ltd\.?))?"
_NAMED: Final = re.compile(
    rf"{_COLUMN}(?P<phi>(?P<name>{_WORDS})[ ](?:(?:and|AND|&)[ ])?(?i:{_PRACTICE}){_COMPANY}){_COLUMN_END}"
)
# A line that says what a practice treats, with a company's letters or the word for who they are: "Osgood Ear
# Nose & Throat, P.A.", "Associates in Dermatology", "Spine Specialists of the Uplands".
_CAPS: Final = rf"{CAP}(?:,?[ ](?:(?:of|for|in|the|and|&|-|–|OF|FOR|IN|THE|AND)[ ]){{0,2}}{CAP}){{0,7}}"
_WHO: Final = by_initial(
    r"associates|specialists|consultants|physicians|surgeons|partners|providers|clinicians|centers?|clinics?|"
    r"institute|group|affiliates|professionals|solutions"
)
_PART: Final = (
    r"(?i:ear,?[ ]nose,?[ ](?:and|&)[ ]throat|foot[ ](?:and|&)[ ]ankle|bone[ ](?:and|&)[ ]joint|"
    r"heart[ ](?:and|&)[ ]"
    r"vascular|head[ ](?:and|&)[ ]neck|hand[ ](?:and|&)[ ](?:wrist|upper[ ]extremity)|skin[ ](?:and|"
    r"&)[ ]laser|"
    r"brain[ ](?:and|&)[ ]spine|allergy[ ](?:and|&)[ ]asthma|arthritis[ ](?:and|&)[ ]rheumatology|"
    r"digestive[ ](?:health|care)|eye[ ]care|foot[ ]care|kidney[ ]care|women['’]s[ ](?:health|care))"
)
_LINE: Final = re.compile(
    rf"(?m:^)[ \t]{{0,40}}(?P<phi>{_CAPS},?[ ](?:P\.?A\.?|P\.?C\.?|P\.?L?L\.?C\.?|L\.?L\.?[CP]\.?|Inc\.?|"
    rf"INC\.?)"
    rf"|(?i:{_WHO})[ ](?i:in|of|for)[ ](?:(?i:the)[ ])?{_CAPS}"
    rf"|{_CAPS}[ ](?i:{_WHO})[ ](?i:of|at)[ ](?:(?i:the)[ ])?{CAP}(?:[ ]{CAP}){{0,2}}"
    rf"|(?!(?i:department|division|section|dept|review|exam|{_PART})\b){CAP}(?:[ ]{CAP}){{0,2}}[ ]{_PART}"
    rf"(?:[ ](?i:{_WHO}))?)(?=[ \t]{{0,40}}(?m:$)|[ \t]{{2,}})"
)
# The right column of a line with the title.
_BESIDE_TITLE: Final = re.compile(
    rf"(?m:^)[ \t]{{0,20}}[A-Z][A-Z0-9 ,/&()-]{{5,60}}?[ \t]{{3,60}}"
    rf"(?P<phi>(?P<name>{_WORDS}))[ \t]{{0,9}}(?m:$)"
)
# Whose name says where they are, wherever it stands.
_OF: Final = re.compile(
    r"(?<![\w-])(?P<phi>(?:Visiting[ ]Nurses?(?:[ ](?:Association|Service))?|VNA|Hospice|Open[ ]MRI|Sisters|"
    rf"Home[ ](?:Care|Health)|Dialysis|Rehab|Pediatrics)[ ]of[ ](?:the[ ])?{CAP}(?:[ ]{CAP}){{0,2}})(?![\w-])"
)
# Where somebody goes, or is called.
_PLACED: Final = re.compile(
    r"(?:\b(?:to|from|at|by|with|called|via)[ ]|(?<=[.;] )|(?i:facility|pharmacy|service)[ ]?:[ ]{1,3})"
    rf"(?P<phi>(?P<name>{_WORDS})[ ](?:SNF|ALF|LTAC|Skilled[ ]Nursing|Answering[ ]Service|Drugs?|Rexall|"
    r"Apothecary|Mortuary|Crematory|"
    r"Funeral[ ](?:Home|Service|Chapel)|Fire(?:[ ](?:and[ ]|&[ ])?Rescue|[ ]Dep(?:artmen)?t)?|EMS|Ambulance))"
    r"(?![\w-])|(?<=Pharmacy: )(?P<drug>[A-Z][a-z]+[ ]Drugs?)\b"
)
# Of such words a practice's name is made: "South County Pediatrics".
_ABOUTS: Final = frozenset(
    ("north", "south", "east", "west", "central", "county", "city", "metro", "community")
)
_COMMON: Final = OF_EVERY_HOUSE - _ABOUTS


class HeadingFacility:
    """A name before what a practice does, in the first lines; what stands beside the title in capitals; and
    "Hospice of the Foothills". "Diagnostic Radiology" is a department of any house."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        head = _HEAD.match(text)
        heading = head[0] if head else ""
        for pattern, searched in (
            (_NAMED, heading),
            (_LINE, heading),
            (_BESIDE_TITLE, heading),
            (_OF, text),
            (_PLACED, text),
        ):
            for match in pattern.finditer(searched):
                found = match.groupdict()
                if not found.get("name") or _is_own(match["name"]):
                    group = "phi" if match["phi"] else "drug"
                    yield Span(*match.span(group), Category.FACILITY, 0.75, type(self).__name__)


def _is_own(name: str) -> bool:
    """Whether a word of `name` says which one it is."""
    parts = [part.strip(".,'’").casefold() for part in re.split(r"[ /-]", name)]
    return not all(part in _COMMON for part in parts)
