"""Licence plates beside the vehicle: "silver Honda, KTR 4471". 45 CFR 164.514(b)(2)(i)(L)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.alternatives import by_initial

_AROUND: Final = 64
# What is driven and parked, and who makes it.
_VEHICLE: Final = re.compile(
    r"\b"
    + by_initial(
        r"cars?|trucks?|vans?|minivans?|sedans?|SUV|motorcycles?|motorbike|scooter|vehicles?|ride|taxi|cab|uber|lyft|"
        r"pickup|trailer|bus|automobile|valet|parked|parking|towed|drives|driving|driver|impounded|garage|"
        r"hondas?|toyota|ford|chevy|chevrolet|subaru|nissan|hyundai|kia|jeep|bmw|tesla|mazda|volkswagen|vw|volvo|dodge|"
        r"chrysler|buick|cadillac|lexus|acura|audi|mercedes|gmc|pontiac|civic|accord|camry|corolla|prius|altima|"
        r"sentra|focus|fusion|explorer|silverado|outback|forester|elantra|sonata|cr-v|rav4|f-?150|tahoe|odyssey"
    )
    + r"\b",
    re.IGNORECASE,
)


class PlateOfVehicle(PatternRecogniser):
    """Letters and figures in a form of a plate, behind a word for a vehicle in the same line."""

    category = Category.VEHICLE
    score = 0.85
    pattern = re.compile(
        r"(?<![\w-])(?P<phi>[A-Z]{2,3}[ -]?\d{4}|[A-Z]{3}[ -]?\d{3}|\d{1,3}[ -][A-Z]{3}|\d[A-Z]{3}\d{3}|"
        r"\d{4}[ -]?[A-Z]{2,3}|[A-Z]{2}\d\d[ ]?[A-Z]{3})(?![\w-]|\.\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        before = match.string[max(0, match.start() - _AROUND) : match.start()]
        return _VEHICLE.search(before.rpartition("\n")[2]) is not None
