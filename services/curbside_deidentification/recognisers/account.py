"""Account and encounter numbers. 45 CFR 164.514(b)(2)(i)(J)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class Account(LabelledId):
    """Account numbers, (J), and the encounter numbers that billing keys on."""

    category = Category.ACCOUNT
    pattern = labelled(
        r"acct|a/c|account\ (?:number|no\.?|num|id|\#)|CSN|FIN|HAR|encounter\ (?:number|no\.?|id|\#|CSN)|"
        r"visit\ (?:number|no\.?|id|\#)|billing\ (?:number|no\.?|id|account)|guarantor\ (?:number|id|\#)|"
        r"financial\ (?:number|no\.?|\#)|admission\ (?:number|no\.?|id|\#)|episode\ (?:number|no\.?|id|\#)|"
        r"invoice|credit\ card|bank\ account|routing|receipt",
        r"account|encounter|visit|bill|claim|statement|enc|contact\ serial|adm|admission|episode|voucher|"
        r"transaction",
    )


class ContactSerialNumber(PatternRecogniser):
    """Epic's number of a contact with the letters that are a part of it: "CSN 12345678"."""

    category = Category.ACCOUNT
    score = 0.9
    pattern = re.compile(r"\bCSN \d{6,12}(?!\w)")
