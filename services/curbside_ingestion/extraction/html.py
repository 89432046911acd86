"""HTML as text, by inscriptis over lxml. Attributes are taken off first: no link, image, style or margin."""

from __future__ import annotations

import re
from typing import Final

import lxml.html
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml import etree

from curbside_ingestion.domain.encoding import (
    decode_unlabelled,
    refuse_broken_characters,
    refuse_controls,
)
from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    DocumentText,
    EmptyDocument,
    Kind,
    Limits,
    OversizedDocument,
    UnreadableDocument,
)
from curbside_ingestion.extraction.markup import tidy

# WHATWG HTML, 13.2.3.2, "prescan a byte stream": the first 1,024 bytes may say the charset.
_CHARSET: Final = re.compile(
    rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?\s*([\w.:-]+)|encoding=[\"']([\w.:-]+)", re.I
)
_NO_TEXT: Final = ("script", "style", "template", "object", "embed", "iframe", "svg", "math", "head")
_MAX_DEPTH: Final = 200  # inscriptis descends by a call a level, and Python's stack has 1,000
_MAX_TABLES: Final = 12  # one in another; each pads what the inner ones padded


def read_text(data: bytes, limits: Limits = DEFAULT_LIMITS) -> DocumentText:
    """The text that `data` shows, hidden parts too (they may name the patient), scripts and styles not."""
    said = _CHARSET.search(data[:1_024])
    hint = next(filter(None, said.groups()), b"").decode() if said else None
    text = decode_unlabelled(data, hint=hint)
    refuse_controls(text, "body")
    refuse_broken_characters(text, "body")
    parser = lxml.html.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = lxml.html.document_fromstring(text.encode(), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        raise UnreadableDocument("the HTML cannot be read", field="body", mend="Send it as text.") from None
    etree.strip_elements(root, *_NO_TEXT, with_tail=False)
    _bound(root, limits)
    for element in root.iter():
        element.attrib.clear()
    try:
        found = Inscriptis(root, ParserConfig(table_cell_separator="  ")).get_text()
    except (RecursionError, IndexError, AttributeError, TypeError, ValueError):
        raise UnreadableDocument(
            "the HTML is not built as HTML is", field="body", mend="Send it as text."
        ) from None
    found = tidy(found, limits)
    if not any(character.isalnum() for character in found):
        raise EmptyDocument("the HTML shows no text", field="body", mend="Send one that does.")
    return DocumentText(found, Kind.HTML)


def _bound(root: lxml.html.HtmlElement, limits: Limits) -> None:
    """Refuse what would take too deep a stack, or tables that padding to one width would blow up."""
    depth = tables = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        step = 1 if event == "start" else -1
        depth += step
        tables += step * (element.tag == "table")
        if depth > _MAX_DEPTH or tables > _MAX_TABLES:
            raise UnreadableDocument("the HTML is nested too deeply", field="body", mend="Send it as text.")
    for table in root.iter("table"):
        widest = max((len(cell.text_content()) for cell in table.iter("td", "th")), default=0)
        if widest * sum(1 for _ in table.iter("tr")) > limits.max_unpacked_bytes:
            raise OversizedDocument("a table of the HTML is too large", field="body", mend="Send it as text.")
