"""Whom a ClinicalDocument's header names: identifiers to be found in its text."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from urllib.parse import unquote

from lxml import etree

from curbside_ingestion.extraction.markup import local

_MAX_VALUES: Final = 50
_MAX_LENGTH: Final = 200
_SSN: Final = "2.16.840.1.113883.4.1"  # HL7's OID registry: US social security numbers
_MRN: Final = re.compile(r"\bmrn\b|medical record|hospital|master patient", re.I)
# A shorter number ("29") would redact ages and doses wherever it stands.
_MIN_MRN: Final = 4
_MIN_NUMBER: Final = 5
# RoleClass of an associatedEntity that is nobody's kin; all others (NOK, PRS, ECON, CAREGIVER …) are.
_STAFF_CLASSES: Final = frozenset({"PROV", "ASSIGNED", "AGNT", "LIC"})
_RELATIVES: Final = frozenset({"guardianPerson", "relatedPerson", "subject"})
_KINDS: Final = [
    "names",
    "nicknames",
    "relatives",
    "staff",
    "mrns",
    "numbers",
    "dates_of_birth",
    "addresses",
    "phones",
    "emails",
]


def identifier(element: etree._Element | None) -> str | None:
    """An II as IHE writes it (ITI TF-3, 4.2.3.2.26): root, and `^` and extension where there is one."""
    if element is None or element.get("nullFlavor"):
        return None
    return "^".join(filter(None, (element.get("root"), element.get("extension")))) or None


def patient_id(root: etree._Element) -> str | None:
    """The patient's id: one whose assigner reads as one of medical records, else the first that is no social
    security number, else the first. The same document gives the same always."""
    ids = [
        item
        for item in root.iterfind("{*}recordTarget/{*}patientRole/{*}id")
        if not item.get("nullFlavor") and (item.get("extension") or item.get("root"))
    ]
    ids.sort(
        key=lambda item: (
            not item.get("extension"),
            not _MRN.search(item.get("assigningAuthorityName") or ""),
            item.get("root") == _SSN,
        )
    )
    return (ids[0].get("extension") or ids[0].get("root")) if ids else None


def known(root: etree._Element) -> dict[str, list[str]]:
    """Everyone's names, and the header's ids, addresses and numbers, in the order of the document."""
    found: dict[str, dict[str, None]] = {kind: {} for kind in _KINDS}
    for element in root.iter():
        if element.get("nullFlavor"):
            continue
        name = local(element)
        if name == "name":
            _add_name(element, found)
        elif any(local(above) in ("section", "component") for above in element.iterancestors()):
            continue  # the body's ids and addresses are of results and drugs
        elif name == "id":
            _add_id(element, found)
        elif name == "birthTime" and local(_parent(element)) == "patient":
            _add(found["dates_of_birth"], _date(element.get("value") or ""))
        elif name == "addr":
            for value in _addresses(element):
                _add(found["addresses"], value)
        elif name == "telecom":
            _add_telecom(element.get("value") or "", found)
    return {kind: list(values)[:_MAX_VALUES] for kind, values in found.items() if values}


def _add(values: dict[str, None], value: str) -> None:
    value = " ".join(value.split())
    if value and len(value) <= _MAX_LENGTH and value.isprintable():
        values.setdefault(value)


def _parent(element: etree._Element) -> etree._Element:
    parent = element.getparent()
    return element if parent is None else parent


def _add_name(element: etree._Element, found: dict[str, dict[str, None]]) -> None:
    """A person's name in natural order without titles; organisations', drugs' and devices' are not read."""
    holder = _parent(element)
    kind = local(holder)
    if kind == "patient":
        values = found["names"]
    elif kind in _RELATIVES:
        values = found["relatives"]
    elif kind in ("assignedPerson", "informationRecipient"):
        values = found["staff"]
    elif kind == "associatedPerson":
        staff = _parent(holder).get("classCode") in _STAFF_CLASSES
        values = found["staff" if staff else "relatives"]
    else:
        return
    given: list[str] = []
    family: list[str] = []
    for part in element:
        text = " ".join("".join(part.itertext()).split())
        if part.get("nullFlavor") or not text:
            continue
        if local(part) == "given" and "CL" in (part.get("qualifier") or "").split():
            if kind == "patient":
                _add(found["nicknames"], text)
            else:
                _add(values, text)
        elif local(part) == "given":
            given.append(text)
        elif local(part) == "family":
            family.append(text)
    if given or family:
        _add(values, " ".join((*given, *family)))
        if len(given) > 1 and family:
            _add(values, " ".join((given[0], *family)))
    elif not len(element):
        _add(values, element.text or "")


def _add_id(element: etree._Element, found: dict[str, dict[str, None]]) -> None:
    value = element.get("extension") or ""
    if local(_parent(element)) == "patientRole" and element.get("root") != _SSN:
        if len(value) >= _MIN_MRN:
            _add(found["mrns"], value)
    elif len(value) >= _MIN_NUMBER and any(character.isdigit() for character in value):
        _add(found["numbers"], value)


def _date(value: str) -> str:
    try:
        return datetime.strptime(value.strip()[:8], "%Y%m%d").date().isoformat()
    except ValueError:
        return ""


def _addresses(element: etree._Element) -> list[str]:
    parts: dict[str, list[str]] = {}
    for part in element:
        text = " ".join("".join(part.itertext()).split())
        if text and not part.get("nullFlavor"):
            parts.setdefault(local(part), []).append(text)
    streets = parts.get("streetAddressLine") or [
        " ".join(parts.get("houseNumber", []) + parts.get("streetName", []))
    ]
    region = " ".join(parts.get("state", []) + parts.get("postalCode", []))
    whole = ", ".join(filter(None, (*streets, *parts.get("city", []), region)))
    if not len(element):
        whole = element.text or ""
    return [whole, *(street for street in streets if len(street) >= _MIN_NUMBER)]


def _add_telecom(value: str, found: dict[str, dict[str, None]]) -> None:
    scheme, colon, rest = value.strip().partition(":")
    scheme = scheme.casefold() if colon else "tel"
    rest = unquote(rest if colon else value).strip()
    if scheme == "mailto" or (not colon and "@" in rest):
        _add(found["emails"], rest.partition("?")[0])
    elif scheme in ("tel", "fax", "sms", "callto") and sum(map(str.isdigit, rest)) >= _MIN_NUMBER:
        _add(found["phones"], rest.partition(";")[0])
