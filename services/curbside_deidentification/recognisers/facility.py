"""Hospitals, clinics and other facilities by their kind. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.facilities import own_name
from curbside_deidentification.recognisers.writing.places import BEFORE, CAP, all_words

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


class Facility(WordRecogniser):
    """A name and a word for the kind of place: "Green Valley Clinic", with its town where "of" adds one."""

    category = Category.FACILITY
    score = 0.85
    pattern = re.compile(
        rf"{BEFORE}(?P<phi>(?:(?:St|Mt|Ft|Saint|Mount|"
        rf"Our\sLady\sof)\.?\s)?{CAP}(?:[ ](?:(?:of|the|and|for|&|"
        rf"de)[ ]){{0,2}}{CAP}){{0,5}}?[ ]{_KIND})(?:[ ](?:of|at|"
        rf"in)[ ](?P<of>{CAP}(?:[ ]{CAP}){{0,2}}))?(?!\w)"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        start, end = match.span("phi")
        opening = own_name(match.string, start, end, lexicon)
        if opening is None:
            return None
        return opening, match.end("of") if match["of"] and not all_words(match["of"], lexicon) else end
