"""DOCX (ECMA-376): paragraphs, tables, text boxes, headers, footers and notes, in the document's order."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from typing import Final

from lxml import etree

from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    DocumentText,
    EmptyDocument,
    EncryptedDocument,
    Kind,
    Limits,
    OversizedDocument,
    UnreadableDocument,
    UnsafeDocument,
    UnsupportedDocument,
)
from curbside_ingestion.extraction.markup import joined_cells, local, parse, tidy

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # MS-OFFCRYPTO 2.3: an encrypted DOCX is an OLE file
_MAIN: Final = "word/document.xml"
_CHUNK: Final = 65_536
# Relationship → whether its text stands before the body. Comments are not among them.
_AROUND: Final = {"header": True, "footnotes": False, "endnotes": False, "footer": False}
# Tracked deletions and moves' origins (17.13.5), field codes, properties and the older twin of a drawing.
_LEFT_OUT: Final = frozenset({"del", "moveFrom", "instrText", "delText", "pPr", "rPr", "sdtPr", "Fallback"})
_CHARACTERS: Final = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_WINGDINGS: Final = {"A8": "☐", "6F": "☐", "FE": "☒", "FD": "☒", "FC": "✓", "78": "☒"}
_NEXT_TO_NOTHING: Final = 20  # letters and digits; a page's number and a form's name


def read_text(data: bytes, limits: Limits = DEFAULT_LIMITS) -> DocumentText:
    """The text of `data`, hidden text too (it may name the patient), tracked deletions and comments not."""
    if data.startswith(_OLE):
        raise EncryptedDocument(
            "the document is encrypted, or DOC", field="body", mend="Save it as DOCX without a password."
        )
    archive = _Archive(data, limits)
    body = parse(archive.read(_MAIN), limits)
    if local(body) != "document" or any(local(item) == "altChunk" for item in body.iter()):
        raise UnsupportedDocument(
            "the DOCX holds another document (altChunk), or is none", field="body", mend="Save it anew."
        )
    before: dict[str, None] = {}
    after: dict[str, None] = {}
    for kind, first in _AROUND.items():
        for part in archive.related(kind):
            text = "\n".join(_blocks(parse(archive.read(part), limits)))
            if text.strip():
                (before if first else after).setdefault(text)
    text = tidy("\n\n".join((*before, "\n".join(_blocks(body)), *after)), limits)
    if sum(map(str.isalnum, text)) < _NEXT_TO_NOTHING and archive.images:
        raise EmptyDocument(
            f"the DOCX holds {archive.images} images and next to no text: it is a scan",
            field="body",
            mend="Send it as PDF or its images as PNG, JPEG or TIFF, which are read by OCR.",
        )
    if not any(map(str.isalnum, text)):
        raise EmptyDocument("the DOCX holds no text", field="body", mend="Send one that does.")
    return DocumentText(text, Kind.DOCX)


class _Archive:
    """The parts that hold text. What is not read is never unpacked; what is read counts as it comes out,
    whatever the ZIP's directory says."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError, OverflowError):
            raise _unreadable() from None
        self._limits = limits
        self._left = limits.max_unpacked_bytes
        names = self._zip.namelist()
        if len(names) > limits.max_parts:
            raise OversizedDocument("the DOCX has too many parts", field="body", mend="Save it anew.")
        if any(name.startswith("/") or "\\" in name or ".." in name.split("/") for name in names):
            raise UnsafeDocument("a part's name leads out of the DOCX", field="body", mend="Save it anew.")
        if len(set(names)) != len(names):
            raise UnreadableDocument("the DOCX has a part twice", field="body", mend="Save it anew.")
        self.images = sum(name.startswith("word/media/") for name in names)

    def read(self, name: str) -> bytes:
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise _unreadable() from None
        if info.flag_bits & 1:
            raise EncryptedDocument("the DOCX is encrypted", field="body", mend="Save it without a password.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableDocument("the DOCX is packed unusually", field="body", mend="Save it anew.")
        whole = bytearray()
        try:
            with self._zip.open(info) as part:
                while chunk := part.read(_CHUNK):
                    self._left -= len(chunk)
                    if self._left < 0:
                        raise OversizedDocument(
                            "the DOCX unpacks to too much", field="body", mend="Save it anew."
                        )
                    whole += chunk
        except (
            zipfile.BadZipFile,
            zlib.error,
            ValueError,
            NotImplementedError,
            OSError,
            EOFError,
            RuntimeError,
        ):
            raise _unreadable() from None
        return bytes(whole)

    def related(self, kind: str) -> list[str]:
        """The parts of `kind` that the main part names; none of them outside the file."""
        try:
            self._zip.getinfo("word/_rels/document.xml.rels")
        except KeyError:
            return []
        root = parse(self.read("word/_rels/document.xml.rels"), self._limits)
        return [
            posixpath.normpath(posixpath.join("/word", item.get("Target") or "")).lstrip("/")
            for item in root.iter()
            if (item.get("Type") or "").rpartition("/")[2] == kind and item.get("TargetMode") != "External"
        ]


def _blocks(container: etree._Element) -> list[str]:
    """Paragraphs and rows below `container`, each as its lines."""
    found: list[str] = []
    for element in container:
        name = local(element)
        if name == "p":
            found += _paragraph(element)
        elif name == "tbl":
            found += [_row(row) for row in _rows(element)]
        elif name and name not in _LEFT_OUT:
            found += _blocks(element)
    return found


def _rows(element: etree._Element) -> list[etree._Element]:
    """Rows of a table, or cells of a row, also those within content controls."""
    wanted = {"tbl": "tr", "tr": "tc"}
    kind = wanted[local(element)]
    found: list[etree._Element] = []
    for child in element.iterdescendants():
        if local(child) != kind:
            continue
        above = next(item for item in child.iterancestors() if local(item) == local(element))
        if above is element and child.find("{*}trPr/{*}del") is None:
            found.append(child)
    return found


def _row(row: etree._Element) -> str:
    return joined_cells("\n".join(part for part in _blocks(cell) if part.strip()) for cell in _rows(row))


def _paragraph(paragraph: etree._Element) -> list[str]:
    """Its text, then that of the text boxes that hang on it."""
    boxes: list[str] = []
    return [_inline(paragraph, boxes), *boxes]


def _inline(element: etree._Element, boxes: list[str]) -> str:
    text = ""
    for child in element:
        name = local(child)
        if name == "t":
            text += child.text or ""
        elif name == "txbxContent":
            boxes += _blocks(child)
        elif name == "sym":
            text += _WINGDINGS.get(
                next((v[-2:].upper() for k, v in child.items() if k.endswith("char")), ""), ""
            )
        elif name in _CHARACTERS:
            text += _CHARACTERS[name]
        elif name and name not in _LEFT_OUT:
            text += _inline(child, boxes)
    return text


def _unreadable() -> UnreadableDocument:
    return UnreadableDocument("the DOCX is damaged or cut off", field="body", mend="Send it whole.")
