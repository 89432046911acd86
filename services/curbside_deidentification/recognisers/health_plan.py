"""Health plan beneficiary numbers behind their label. 45 CFR 164.514(b)(2)(i)(I)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class HealthPlan(LabelledId):
    """Health plan beneficiary numbers, (I)."""

    category = Category.HEALTH_PLAN
    pattern = labelled(
        r"insurance(?:\ (?:plan|policy|card|member|group))?|policy(?:\ holder)?|health\ ?plan|"
        r"plan\ (?:number|no\.?|id|\#)|member(?:ship)?\ ?(?:id|number|no\.?|\#)|"
        r"subscriber|group\ (?:number|no\.?|id|\#)|medicare(?:\ (?:id|number))?|"
        r"medicaid(?:\ (?:id|number))?|HICN?|MBI|beneficiary|payer\ id",
        r"plan|member|group",
    )
