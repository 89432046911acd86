"""Account and encounter numbers. 45 CFR 164.514(b)(2)(i)(J)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class Account(LabelledId):
    """Account numbers, (J), and the encounter numbers that billing keys on."""

    category = Category.ACCOUNT
    pattern = labelled(
        r"account|acct|a/c|CSN|FIN|encounter\ (?:number|no\.?|id|\#)|visit\ (?:number|no\.?|"
        r"id|\#)|invoice|billing\ (?:number|id)|"
        r"credit\ card|bank\ account|routing",
        r"encounter|visit|bill|claim",
    )
