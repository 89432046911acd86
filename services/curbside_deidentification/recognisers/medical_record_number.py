"""Medical record numbers behind their label. 45 CFR 164.514(b)(2)(i)(H)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class MedicalRecordNumber(LabelledId):
    """Medical record number, (H). No national format: found by its label."""

    category = Category.MRN
    pattern = labelled(
        r"MRN|MR\s?\#|medical\ record|med(?:ical)?\.?\ rec(?:ord)?s?|health\ record|EMR|EHR|"
        r"unit\ (?:number|no\.?)|"
        r"hospital\ (?:number|no\.?|id)|chart\ (?:number|no\.?|id|\#)|"
        r"(?:patient|pt)(?:'s)?\ ?(?:id|identifier|number|no\.|\#)",
        r"record|chart|hosp|unit",
    )
