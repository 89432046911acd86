"""Device identifiers and serial numbers behind their label. 45 CFR 164.514(b)(2)(i)(M)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled


class LabelledDevice(LabelledId):
    """Device identifiers and serial numbers, (M)."""

    category = Category.DEVICE
    pattern = labelled(
        r"serial(?:\ (?:number|no\.?|\#))?|S/N|UDI|device\ (?:id|identifier|number|serial)|"
        r"implant\ (?:id|number|serial)|IMEI",
        r"SN|device|lot|implant|generator|model",
    )
