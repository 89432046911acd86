"""Parts of towns: "the Riverside neighborhood". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.places import CAP


class Neighbourhood(PatternRecogniser):
    """Capitalised words between an article and a word for a part of a town or a group of homes."""

    category = Category.LOCATION
    score = 0.8
    pattern = re.compile(
        rf"\b(?i:the|in|from|at)[ ](?P<phi>{CAP}(?:[ ]{CAP}){{0,2}})[ ](?i:neighbou?rhood|subdivision|"
        rf"section[ ]of[ ]town|"
        r"(?:housing|public)[ ]projects?|projects|mobile[ ]home[ ]park|trailer[ ]park|trailer[ ]court|"
        r"apartments?|condos?|"
        r"townhouses|campground|reservation|exit|overpass)\b"
    )
