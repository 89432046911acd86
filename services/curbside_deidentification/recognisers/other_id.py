"""Any other identifying number behind its label. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class OtherId(LabelledId):
    """Any other unique identifying number, (R): accessions, cases, specimens, orders."""

    category = Category.OTHER_ID
    score = 0.92
    pattern = labelled(
        r"accession|specimen\ (?:number|no\.?|id|\#)|requisition|case\ (?:number|no\.?|id)|"
        r"order\ (?:number|no\.?|id|\#)|study\ (?:id|number|no\.)|site\ id|trial\ id|confirmation|"
        r"(?:(?<=\()|\b)ID(?=\s?[#:=])|employee|badge|tracking",
        r"case|specimen|order|ref(?:erence)?|ID|study|file|ticket|job|document|dictation|report",
    )
