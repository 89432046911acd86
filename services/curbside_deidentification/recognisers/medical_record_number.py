"""Medical record numbers behind their label. 45 CFR 164.514(b)(2)(i)(H)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class MedicalRecordNumber(LabelledId):
    """Medical record number, (H). No national format: found by its label."""

    category = Category.MRN
    pattern = labelled(
        r"E?MRN|MRUN|MR\s?\#|M\.R\.(?:N\.|\s?\#)?|MR\sNo|E?MPI|medical\ record|"
        r"med(?:ical)?\.?\ ?rec(?:ord)?s?|"
        r"health\ record|EMR|EHR|PHR|unit\ (?:number|no\.?|\#)|unit\ record|"
        r"hosp(?:ital)?\.?\ (?:number|no\.?|num|id|\#)|chart\ (?:number|no\.?|id|\#)|history\ (?:number|no\.|"
        r"\#)|"
        r"(?:patient|pt|pat|client|resident|member)(?:'s)?\.?\ ?(?:id|identifier|identification|number|no\.|"
        r"num|\#)|"
        r"DOD\ ID|EDIPI|NHI|URN|UR\ (?:number|no\.?)|CRN|reg(?:istration)?\.?\ (?:number|no\.?|\#)",
        r"record|chart|hosp|MR|patient|ICN",
    )
