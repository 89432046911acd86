"""XML of strangers, read without entities, DTD or network; and how cells of a table become a line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lxml import etree

from curbside_ingestion.extraction.found import (
    Limits,
    OversizedDocument,
    UnreadableDocument,
    UnsafeDocument,
)

# XML 1.0, production 22: comments, instructions and white space may stand before a DOCTYPE.
_DOCTYPE: Final = re.compile(rb"(?>\s+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.S)
_UTF16_DECLARED: Final = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']utf-?16[^>]*\?>", re.I)
_MARKS: Final = b"\xef\xbb\xbf\xff\xfe"
_UNSAFE: Final = "the XML has a document type declaration, which may hold entities; none is ever followed"


def parse(data: bytes, limits: Limits, field: str = "body") -> etree._Element:
    """The root of `data`. Raises UnsafeDocument, OversizedDocument or UnreadableDocument."""
    if len(data) > limits.max_unpacked_bytes:
        raise OversizedDocument("the XML is too large", field=field, mend="Send one report at a time.")
    if _DOCTYPE.match(data.lstrip(_MARKS).replace(b"\x00", b"")):
        raise UnsafeDocument(_UNSAFE, field=field, mend="Send it without <!DOCTYPE>.")
    data = data.strip(b"\x00 \t\r\n") if b"\x00" not in data.strip(b"\x00") else data
    # Exports of databases keep "utf-16" in the declaration of what they write as UTF-8.
    declared = _UTF16_DECLARED.match(data)
    if declared and b"\x00" not in data:
        data = data[declared.end() :]
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_pis=True,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_RESOURCE_LIMIT or "huge" in (error.msg or "").casefold():
            raise OversizedDocument(
                "the XML holds an element of more than 10 MB, or is nested too deeply",
                field=field,
                mend="Send its content by itself.",
            ) from None
        raise UnreadableDocument(
            f"the XML is not well formed (line {error.lineno or 1})",
            field=field,
            mend="Send it whole, as the XML that was exported.",
        ) from None
    except (ValueError, LookupError, AssertionError):
        root = None
    if root is None:
        raise UnreadableDocument("the XML cannot be read", field=field, mend="Send it in UTF-8.")
    info = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise UnsafeDocument(_UNSAFE, field=field, mend="Send it without <!DOCTYPE>.")
    return root


def local(element: etree._Element) -> str:
    """The element's name without its namespace; empty for a comment."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def joined_cells(cells: Iterable[str]) -> str:
    """One row. A label keeps its value beside it, whatever else has a bar between; cells of several lines
    stand on lines of their own."""
    kept = [cell.strip() for cell in cells if cell.strip()]
    bar = "\n" if any("\n" in cell for cell in kept) else " | "
    row = ""
    for cell in kept:
        row += (" " if row.endswith(":") else bar if row else "") + cell
    return row


def tidy(text: str, limits: Limits) -> str:
    """`text` without spaces at the ends of lines and without more than one empty line in a row."""
    if len(text) > limits.max_characters:
        raise OversizedDocument(
            f"the document has more than {limits.max_characters} characters of text",
            field="body",
            mend="Send one report at a time.",
        )
    lines = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n")
