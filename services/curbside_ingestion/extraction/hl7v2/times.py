"""Times of HL7 v2 (2.A.22 DTM: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]) as RFC 3339."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final

_DTM: Final = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d{1,6})?)?)?)?([+-]\d{4})?", re.ASCII
)
_OFFSET: Final = re.compile(r"[+-]\d{4}$", re.ASCII)
_YEARS: Final = range(1900, 2101)  # as domain/report


def offset_of(text: str) -> str:
    """The offset at the end of a time, e.g. "-0500"; empty where it has none."""
    found = _OFFSET.search(text)
    return found[0] if found and _DTM.fullmatch(text) else ""


def iso_of(text: str, default_offset: str = "") -> str:
    """RFC 3339 where the hour and its offset are known, else the day alone; empty where no day is.

    `default_offset` is that of MSH-7, which holds for the whole message (2.15.9.7).
    """
    found = _DTM.fullmatch(text.strip())
    if not found:
        return ""
    year, month, day, hour, minute, second, offset = found.groups()
    try:
        moment = date(int(year), int(month), int(day))
        if moment.year not in _YEARS:
            return ""
        offset = offset or default_offset
        if hour is None or not offset:
            return moment.isoformat()
        zone = f"{offset[:3]}:{offset[3:]}"
        return datetime.fromisoformat(f"{moment}T{hour}:{minute or '00'}:{second or '00'}{zone}").isoformat()
    except ValueError:
        return ""
