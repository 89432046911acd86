"""Health plan beneficiary numbers behind their label. 45 CFR 164.514(b)(2)(i)(I)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class HealthPlan(LabelledId):
    """Health plan beneficiary numbers, (I)."""

    category = Category.HEALTH_PLAN
    pattern = labelled(
        r"insurance\ (?:plan|policy|card|member|group|id|number|no\.?|\#)|policy(?:\ holder)?|health\ ?plan|"
        r"plan\ (?:number|no\.?|id|\#)|member(?:ship)?\ ?(?:id|number|no\.?|\#)|"
        r"subscriber|insured(?:'s)?\ (?:id|number|no\.?|\#)|(?:group|grp)\.?\ (?:number|no\.?|id|\#)|grp|"
        r"medicare(?:\ (?:id|number|no\.?|claim|HIC))?|medi-?cal|"
        r"medicaid(?:\ (?:id|number|no\.?))?|HICN?|MBI|MCD|MCR|beneficiary|payer\ id|RX\ ?(?:BIN|PCN|GRP|"
        r"group)|"
        r"tricare|DBN|CIN|(?:prior\ )?auth(?:orization)?\ (?:number|no\.?|id|\#|code)|"
        r"pre-?cert(?:ification)?",
        r"plan|member|group|insurance|certificate|auth(?:orization)?|referral|coverage",
    )
