"""Biometric identifiers. 45 CFR 164.514(b)(2)(i)(P)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled

_KIND = (
    r"(?:finger\ ?prints?|thumb\ ?print|palm(?:\ (?:vein|print))?|hand\ geometry|voice\ ?prints?|"
    r"retina(?:l)?|"
    r"iris|face|facial(?:\ recognition)?|biometric)"
)


class Biometric(LabelledId):
    """Biometric identifiers, (P), as far as a text can hold one."""

    category = Category.BIOMETRIC
    pattern = labelled(
        rf"{_KIND}(?:\ (?:scan|template|record|card|hash|image|enrol?lment|token|profile|file|sample)){{0,2}}"
        r"\ ?(?:id|number|no\.?|ref(?:erence)?|\#)",
        rf"{_KIND}(?:\ (?:scan|template|record|card|hash|enrol?lment|token|profile|file|sample)){{0,2}}",
    )
