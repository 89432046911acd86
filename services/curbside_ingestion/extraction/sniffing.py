"""What a document is, by its content alone: senders' names and declared types are wrong too often."""

from __future__ import annotations

import json
import re
from typing import Final

from curbside_ingestion.extraction.found import (
    EmptyDocument,
    EncryptedDocument,
    Kind,
    UnsupportedDocument,
)

_SIGNATURES: Final = (
    (b"%PDF-", Kind.PDF),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\x00", Kind.TIFF),
    (b"MM\x00*", Kind.TIFF),
    (b"II+\x00", Kind.TIFF),  # BigTIFF
    (b"MM\x00+", Kind.TIFF),
    (b"{\\rtf", Kind.RTF),
)
_REFUSED: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "DOC or XLS", "Save it as DOCX or PDF."),
    (b"\x1f\x8b", "gzip", "Unpack it."),
    (b"\xfd7zXZ\x00", "xz", "Unpack it."),
    (b"BZh", "bzip2", "Unpack it."),
    (b"\x28\xb5\x2f\xfd", "zstd", "Unpack it."),
    (b"7z\xbc\xaf\x27\x1c", "7z", "Send a ZIP."),
    (b"Rar!", "RAR", "Send a ZIP."),
    (b"GIF8", "GIF", "Send a PNG, JPEG or TIFF."),
    (b"BM", "BMP", "Send a PNG, JPEG or TIFF."),
    (b"\x7fELF", "a program", "Send a report."),
    (b"MZ", "a program", "Send a report."),
    (b"SQLite format 3\x00", "SQLite", "Send a report."),
)
_DOCX: Final = b"word/document.xml"  # a ZIP that holds it
_OTHERS: Final = {
    b"xl/workbook": ("XLSX", "Save it as CSV."),
    b"ppt/presentation": ("PPTX", "Save it as DOCX or PDF."),
    b"mimetype": ("an OpenDocument file", "Save it as DOCX or PDF."),
}
_DICOM_OFFSET: Final = 128  # DICOM PS3.10: a preamble of 128 bytes, then "DICM"
_HEAD: Final = 4_096  # bytes in which a PDF's or HTML's beginning is looked for
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff", b"\xff\xfe", b"\xfe\xff")
# HL7 v2, 2.5.4: a message begins with MSH, a file or batch of them with FHS or BHS, MLLP frames it in VT.
_HL7: Final = re.compile(rb"[\x0b\s]*(?:MSH|FHS|BHS)[^\w\s]")
_HTML: Final = re.compile(
    rb"(?>(?><!--.*?-->)|\s)*+<(?:!doctype\s+html|html|head|body|div|p|table|pre)\b", re.I | re.S
)
_CDA: Final = re.compile(rb"<(?:[\w.-]+:)?ClinicalDocument[\s>]")
# Of a document or of a piece of one: what its root may be.
_HTML_ELEMENTS: Final = frozenset(
    b"html head body title div p br span b i u strong em font center h1 h2 h3 h4 h5 h6 table tr td ul ol dl "
    b"pre section article header footer main blockquote a img hr style meta link form".split()
)
_XHTML_ROOTS: Final = frozenset((b"html", b"body", b"div", b"table"))
_FIRST_ELEMENT: Final = re.compile(rb"<([A-Za-z][\w:.-]*)")
_TEMPLATE: Final = re.compile(rb"<templateId\b")
_ANY_ELEMENT: Final = re.compile(rb"\s*<(?:\?xml|!DOCTYPE|!--|[A-Za-z_])")


def kind_of(data: bytes) -> Kind:
    """The kind of `data`. Raises EmptyDocument, or UnsupportedDocument naming what it is."""
    if not data.strip(b"\x00 \t\r\n\x0b\x0c\x1c"):
        raise EmptyDocument("the document is empty", field="body", mend="Send a report.")
    for prefix, kind in _SIGNATURES:
        if data.startswith(prefix):
            return kind
    if data.startswith(_REFUSED[0][0]) and "EncryptedPackage".encode("utf-16-le") in data:
        # MS-OFFCRYPTO, 2.3.4.4: an encrypted DOCX is an OLE file with this stream.
        raise EncryptedDocument("the document is encrypted", field="body", mend="Save it without a password.")
    for prefix, name, mend in _REFUSED:
        if data.startswith(prefix) and (len(prefix) > 2 or b"\x00" in data[:64]):
            raise UnsupportedDocument(f"the document is {name}", field="body", mend=mend)
    if data[_DICOM_OFFSET : _DICOM_OFFSET + 4] == b"DICM":
        raise UnsupportedDocument("the document is DICOM", field="body", mend="Export its report as text.")
    if data.startswith(b"PK\x03\x04"):
        return _office(data)
    head = data[:_HEAD]
    # ISO 32000-1, annex H.3.4.1: readers accept a header within the first 1,024 bytes.
    if b"%PDF-" in head[:1_024]:
        return Kind.PDF
    text = _ascii_head(head)
    if _HL7.match(text):
        return Kind.HL7
    if _HTML.match(text):
        return Kind.HTML
    if _ANY_ELEMENT.match(text) and text.lstrip().startswith((b"<?xml", b"<!DOCTYPE", b"<")):
        return _markup(data, text)
    if text.lstrip()[:1] == b"{" and b'"resourceType"' in data and _is_fhir(data):
        return Kind.FHIR
    return Kind.TEXT


def is_archive(data: bytes) -> bool:
    """Whether `data` is a ZIP of files, and no DOCX or another format that is a ZIP."""
    return data.startswith(b"PK\x03\x04") and not any(part in data for part in (_DOCX, *_OTHERS))


def _office(data: bytes) -> Kind:
    """DOCX by the name of its main part, which stands uncompressed in a ZIP's directory."""
    if _DOCX in data:
        return Kind.DOCX
    for part, (name, mend) in _OTHERS.items():
        if part in data:
            raise UnsupportedDocument(f"the document is {name}", field="body", mend=mend)
    raise UnsupportedDocument(
        "the document is a ZIP", field="body", mend="Send archives to /v1/reports:batch."
    )


def _markup(data: bytes, head: bytes) -> Kind:
    if _CDA.search(_ascii_head(data[: 16 * _HEAD])):
        return Kind.CDA
    if b"urn:hl7-org:v3" in head or _TEMPLATE.search(head):
        raise UnsupportedDocument(
            "the document is a part of a C-CDA document, which says nothing of its patient",
            field="body",
            mend="Send the whole ClinicalDocument.",
        )
    first = _FIRST_ELEMENT.search(head)
    declared = head.lstrip().startswith((b"<?xml", b"<!DOCTYPE"))
    if first is not None and first[1].lower() in (_XHTML_ROOTS if declared else _HTML_ELEMENTS):
        return Kind.HTML
    if not declared and not re.search(rb"</?[A-Za-z][\w:.-]*[^<>]*>", head):
        return Kind.TEXT  # "<5 mm nodule": a sign and no element
    if b"http://hl7.org/fhir" in data[: 16 * _HEAD]:
        raise UnsupportedDocument("the document is FHIR in XML", field="body", mend="Send FHIR as JSON.")
    raise UnsupportedDocument(
        "the document is XML of no kind that Curbside reads",
        field="body",
        mend="Send a C-CDA ClinicalDocument.",
    )


def _is_fhir(data: bytes) -> bool:
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def _ascii_head(head: bytes) -> bytes:
    """`head` without its byte order mark, and without the NULs that ASCII has in UTF-16 and UTF-32."""
    for mark in _MARKS:
        if head.startswith(mark):
            head = head[len(mark) :]
            break
    return head.replace(b"\x00", b"")
