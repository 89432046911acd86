"""Certificate and licence numbers behind their label. 45 CFR 164.514(b)(2)(i)(K)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class License(LabelledId):
    """Certificate and licence numbers, (K); NPI and DEA numbers name the clinician."""

    category = Category.LICENSE
    pattern = labelled(
        r"licen[cs]e|licensure|lic\.?\ ?(?:no\.?|num|number|\#)|certificate\ (?:no\.?|number|\#)|DEA|NPI|"
        r"UPIN|"
        r"driver'?s?'?\ ?lic(?:en[cs]e)?\.?(?:\ (?-i:[A-Z]{2})\b)?(?:\ D/?L\b)?|"
        r"D/?L\ ?(?:no\.?|number|\#)|DLN|OLN|passport|state\ id|"
        r"(?:RN|MD|LPN|NP|PA|PT|DO)\ lic\.?|green\ card|visa\ (?:no\.?|number|\#)|alien\ (?:no\.?|number)",
        r"lic|cert|registration|reg|DL",
    )
