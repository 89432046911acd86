"""The text of one document, whatever it is: told by its first bytes, never by its name or declared type."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import Final

from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    DocumentText,
    EmptyDocument,
    Kind,
    Limits,
    UnsupportedDocument,
)
from curbside_ingestion.extraction.sniffing import kind_of

# Kind → the module whose `read_text(data, limits)` reads it. Imported when first needed: a PDF needs no lxml.
_READERS: Final = MappingProxyType(
    {
        Kind.TEXT: "plain",
        Kind.HTML: "html",
        Kind.RTF: "rtf",
        Kind.DOCX: "docx",
        Kind.PDF: "pdf",
        Kind.PNG: "images",
        Kind.JPEG: "images",
        Kind.TIFF: "images",
        Kind.CDA: "cda",
    }
)


def read_text(data: bytes, limits: Limits = DEFAULT_LIMITS) -> DocumentText:
    """The text of `data`, which is one document of one report, e.g. an attachment.

    Raises a BadInput of `found.py` that names what is wrong; never returns text without a letter or digit.
    """
    kind = kind_of(data)
    name = _READERS.get(kind)
    if name is None:
        raise UnsupportedDocument(
            f"the document is {kind}, which holds reports and is no text of one",
            field="body",
            mend="Send it by itself.",
        )
    read = import_module(f"curbside_ingestion.extraction.{name}").read_text
    found: DocumentText = read(data, limits)
    if not any(character.isalnum() for character in found.text):
        raise EmptyDocument("the document holds no text", field="body", mend="Send one that does.")
    return found
