"""Names of image files. 45 CFR 164.514(b)(2)(i)(Q)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class PhotoFile(PatternRecogniser):
    """File names of images, (Q)."""

    category = Category.PHOTO
    pattern = re.compile(
        r"\b[\w-]{1,80}\.(?:jpe?g|png|heic|heif|tiff?|bmp|gif|webp|raw|cr2|nef|dng|mp4|mov|avi|dcm)\b|"
        # Names that cameras give, JEITA CP-3461 (DCF): four letters and four digits.
        r"\b(?:IMG|DSC[FN_]?|PXL|VID|MVI|SAM|DCIM|PICT)[_-]?\d{4,8}(?:_\d{4,9})?\b",
        re.IGNORECASE,
    )
