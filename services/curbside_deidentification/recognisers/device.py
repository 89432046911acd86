"""Device identifiers and serial numbers behind their label. 45 CFR 164.514(b)(2)(i)(M)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class LabelledDevice(LabelledId):
    """Device identifiers and serial numbers, (M)."""

    category = Category.DEVICE
    pattern = labelled(
        r"ser(?:ial)?\.?\ ?(?:number|num|no\.?|\#)|serial|S/N|UDI(?:-DI|-PI)?|GTIN|"
        r"(?:device|implant|lead|generator|pump|asset)\ (?:id|identifier|number|no\.|serial|\#)|IMEI|"
        r"lot/serial|lot\ (?:number|no\.?|\#)|batch\ (?:number|no\.?|\#)|catalog(?:ue)?\ (?:number|no\.?|\#)",
        r"SN|ser|device|lot|implant|generator|model|lead|asset|batch",
    )
