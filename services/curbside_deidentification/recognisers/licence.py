"""Certificate and licence numbers behind their label. 45 CFR 164.514(b)(2)(i)(K)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class License(LabelledId):
    """Certificate and licence numbers, (K); NPI and DEA numbers name the clinician."""

    category = Category.LICENSE
    pattern = labelled(
        r"licen[cs]e|lic\.?\ (?:no\.?|number|\#)|certificate|DEA|NPI|UPIN|driver'?s?\ licen[cs]e|passport",
        r"lic|cert|registration",
    )
