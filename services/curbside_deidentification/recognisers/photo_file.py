"""Names of image files. 45 CFR 164.514(b)(2)(i)(Q)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class PhotoFile(PatternRecogniser):
    """File names of images, (Q)."""

    category = Category.PHOTO
    pattern = re.compile(r"\b[\w-]{1,80}\.(?:jpe?g|png|heic|tiff?|bmp|gif)\b", re.IGNORECASE)
