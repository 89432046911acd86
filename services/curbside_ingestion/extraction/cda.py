"""C-CDA R2.1: a ClinicalDocument's narrative as text, and its header as a report's fields."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from datetime import datetime
from typing import Final

from lxml import etree

from curbside_ingestion.domain.types import OTHER, type_named
from curbside_ingestion.extraction import documents
from curbside_ingestion.extraction.cda_header import identifier, known, patient_id
from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    DocumentText,
    EmptyDocument,
    Extraction,
    Found,
    Kind,
    Limits,
    MissingContent,
    UnreadableDocument,
    UnsupportedDocument,
)
from curbside_ingestion.extraction.markup import joined_cells, local, parse, tidy
from curbside_ingestion.extraction.sniffing import kind_of

# HL7 V3 data types, TS: YYYYMMDD, then hours, minutes, seconds and the offset, each as far as it is known.
_TIME: Final = re.compile(r"(\d{8})(?:(\d{2})(\d{2})?(\d{2})?(?:\.\d+)?)?(Z|[+-]\d{2}:?(?:\d{2})?)?")
_BLOCKS: Final = frozenset({"paragraph", "caption", "list", "item", "table", "tr", "footnote", "text"})
_SPACE: Final = re.compile(r"[ \t\r\n]+")


def read_text(data: bytes, limits: Limits = DEFAULT_LIMITS) -> DocumentText:
    """The sections' titles, in capitals with a colon, each followed by its narrative; or what the document
    embeds (nonXMLBody)."""
    return _body(_document(data, limits), limits)


def extract(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Extraction:
    """The one report that a ClinicalDocument is. Its structured entries are counted, not read: CDA R2, 4.3.5
    wants all that they attest to in the narrative."""
    root = _document(data, limits)
    body = _body(root, limits)
    row: dict[str, object] = {"text": body.text, "status": "final", "known": known(root)}
    related = root.findall("{*}relatedDocument")
    kinds = {item.get("typeCode") for item in related}
    if kinds & {"RPLC", "APND"}:
        row["status"] = "amended"
    replaced = next(
        (item.find("{*}parentDocument/{*}id") for item in related if item.get("typeCode") == "RPLC"), None
    )
    for name, value in (
        ("external_id", identifier(root.find("{*}id"))),
        ("replaces", identifier(replaced)),
        ("patient_id", patient_id(root)),
        ("type", _type(root)),
        ("authored_at", _moment(root)),
    ):
        if value:
            row[name] = value
    dropped = {
        name: count
        for name, path in (("section.entry", ".//{*}section/{*}entry"), ("media", ".//{*}observationMedia"))
        if (count := len(root.findall(path)))
    }
    return Extraction((Found("ClinicalDocument", row, quality=body.quality),), dropped=dropped)


def _document(data: bytes, limits: Limits) -> etree._Element:
    root = parse(data, limits)
    if local(root) != "ClinicalDocument":
        raise UnsupportedDocument(
            "the XML is a fragment of a C-CDA document: its root is no ClinicalDocument",
            field="body",
            mend="Send the whole ClinicalDocument.",
        )
    # One report is of one patient: what is filed under one could not be erased with the other.
    if len(root.findall("{*}recordTarget")) > 1:
        raise UnsupportedDocument(
            "the ClinicalDocument is of more than one patient (recordTarget)",
            field="recordTarget",
            mend="Send one document a patient.",
        )
    return root


def _body(root: etree._Element, limits: Limits) -> DocumentText:
    embedded = root.find("{*}component/{*}nonXMLBody/{*}text")
    if embedded is not None:
        return _embedded(embedded, limits)
    parts: list[str] = []
    for section in root.iterfind("{*}component/{*}structuredBody/{*}component/{*}section"):
        parts += _section(section)
    text = tidy("\n\n".join(parts), limits)
    if not any(character.isalnum() for character in text):
        raise EmptyDocument(
            "the ClinicalDocument has no narrative text", field="body", mend="Send one whose sections do."
        )
    return DocumentText(text, Kind.CDA)


def _embedded(element: etree._Element, limits: Limits) -> DocumentText:
    """What an Unstructured Document holds, by its own kind; a reference is never followed."""
    content = "".join(element.itertext()).strip()
    if not content:
        if element.find("{*}reference") is not None:
            raise MissingContent(
                "nonXMLBody refers to a file that is elsewhere",
                field="nonXMLBody",
                mend="Embed it as base64.",
            )
        raise EmptyDocument("nonXMLBody is empty", field="nonXMLBody", mend="Embed the report as base64.")
    if element.get("compression"):
        raise UnsupportedDocument("nonXMLBody is compressed", field="nonXMLBody", mend="Embed it as it is.")
    data = content.encode("utf-8", "replace")
    if element.get("representation") == "B64":
        try:
            data = b64decode(b"".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            raise UnreadableDocument(
                "nonXMLBody is no base64", field="nonXMLBody", mend="Embed the whole file as base64."
            ) from None
    if kind_of(data) is Kind.CDA:
        raise UnsupportedDocument(
            "nonXMLBody holds another ClinicalDocument", field="nonXMLBody", mend="Send that one."
        )
    return documents.read_text(data, limits)


def _section(section: etree._Element) -> list[str]:
    if section.get("nullFlavor"):
        return []
    inner = [part for sub in section.iterfind("{*}component/{*}section") for part in _section(sub)]
    narrative = section.find("{*}text")
    own = "" if narrative is None or narrative.get("nullFlavor") else _narrative(narrative)
    if not own and not inner:
        return []
    title = section.find("{*}title")
    code = section.find("{*}code")
    name = "" if title is None else _SPACE.sub(" ", "".join(title.itertext())).strip()
    name = name or ("" if code is None else code.get("displayName") or "")
    heading = f"{name.rstrip(': ').upper()}:\n" if name else ""
    return [heading + own, *inner] if heading or own else inner


def _narrative(text: etree._Element) -> str:
    """The narrative block (CDA R2, 4.3.5) as lines."""
    if len(text) == 0:
        return (text.text or "").strip()  # plain text keeps its lines
    return "\n".join(line.strip() for line in _lines(text).split("\n") if line.strip())


def _lines(element: etree._Element) -> str:
    name = local(element)
    if name == "tr":
        cells = [_cell(cell) for cell in element if local(cell) in ("td", "th")]
        return f"\n{joined_cells(cells)}\n"
    if name == "br":
        return "\n"
    if not name or element.get("revised") == "delete":
        return ""
    inner = _SPACE.sub(" ", element.text or "")
    for child in element:
        inner += _lines(child) + _SPACE.sub(" ", child.tail or "")
    if name == "item":
        return f"\n- {inner.strip()}\n"
    return f"\n{inner}\n" if name in _BLOCKS else inner


def _cell(cell: etree._Element) -> str:
    inner = _SPACE.sub(" ", cell.text or "")
    for child in cell:
        inner += _lines(child) + _SPACE.sub(" ", child.tail or "")
    return "\n".join(line.strip() for line in inner.split("\n") if line.strip())


def _type(root: etree._Element) -> str | None:
    """The first of title, code and translations that types.yaml knows, else the title."""
    title = root.find("{*}title")
    named = [] if title is None else [" ".join("".join(title.itertext()).split())]
    for path in ("{*}code", "{*}code/{*}translation"):
        named += [value for item in root.iterfind(path) if (value := item.get("displayName"))]
    return next((value for value in named if type_named(value) != OTHER), named[0] if named else None)


def _moment(root: etree._Element) -> str | None:
    """effectiveTime as RFC 3339 with its offset; as a date where the hour or the offset is not known."""
    element = root.find("{*}effectiveTime")
    match = _TIME.fullmatch((element.get("value") or "").strip()) if element is not None else None
    if match is None:
        return None
    day, hour, minute, second, offset = match.groups()
    try:
        plain = datetime.strptime(day, "%Y%m%d").date().isoformat()
        if hour is None or offset is None:
            return plain if 1900 <= int(day[:4]) <= 2100 else None
        offset = "+0000" if offset == "Z" else offset.replace(":", "").ljust(5, "0")
        stamp = f"{plain}T{hour}:{minute or '00'}:{second or '00'}{offset[:3]}:{offset[3:]}"
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment.isoformat() if 1900 <= moment.year <= 2100 else None
