"""Biometric identifiers. 45 CFR 164.514(b)(2)(i)(P)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class Biometric(LabelledId):
    """Biometric identifiers, (P), as far as a text can hold one."""

    category = Category.BIOMETRIC
    pattern = labelled(
        r"fingerprint\ (?:id|number|template)|voice\ ?print\ (?:id|number)|biometric\ (?:id|"
        r"number)|retina(?:l)?\ scan\ id"
    )
