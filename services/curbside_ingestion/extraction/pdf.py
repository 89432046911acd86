"""PDF by PDFium: each page's text layer, its form fields and notes, and OCR where it has no text of its own.

Nothing of a document is run or followed: pypdfium2's PDFium has neither JavaScript nor XFA, and actions,
links and embedded files are not asked for.
"""

from __future__ import annotations

import math
import re
import unicodedata
from itertools import islice
from typing import Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image

from curbside_ingestion.extraction.found import (
    DocumentText,
    EmptyDocument,
    EncryptedDocument,
    Kind,
    Limits,
    OversizedDocument,
    Quality,
    UnreadableDocument,
    UnsupportedDocument,
)
from curbside_ingestion.extraction.ocr import recognise, together
from curbside_ingestion.extraction.pdf_notes import notes_of
from curbside_ingestion.extraction.scans import READING_DPI

_POINTS: Final = 72.0  # PDF 32000-1, 8.3.2.3: a unit of user space is 1/72 inch
_NEARLY_EMPTY: Final = 20  # letters and digits: a page number and a date
# A fax server prints a line of text over the image of a page.
_SPARSE: Final = 200  # letters and digits
_SCANNED: Final = 0.5  # of the page under images
_GARBAGE: Final = 0.1  # of the characters
_MOST_OBJECTS: Final = 5_000  # that are looked at, to find a page's images
# PDFium marks a hyphen at a line's end, where the word goes on, as a noncharacter or as STX.
_BROKEN_WORD: Final = re.compile("[\ufffe\x02]\\s*")
_MANY_BLANK_LINES: Final = re.compile(r"\n{3,}")
_LOST_IN_WORD: Final = re.compile("\\w\ufffd|\ufffd\\w")


def read_text(data: bytes, limits: Limits) -> DocumentText:
    """The text of every page, a blank line between them. Raises a BadInput of `found.py`."""
    texts: list[str] = []
    scanned: list[tuple[str, Quality]] = []
    characters = 0
    with _opened(data, limits) as document:
        for number in range(len(document)):
            text, quality = _page_text(document, number, len(scanned), limits)
            characters += len(text)
            if characters > limits.max_characters:
                raise _oversized(f"more than {limits.max_characters:,} characters")
            texts.append(text)
            if quality is not None:
                scanned.append((text, quality))
    text = "\n\n".join(filter(None, texts))
    if not any(map(str.isalnum, text)):
        raise EmptyDocument(
            "the PDF has pages, and no text could be read off them",
            field="body",
            mend="Scan it again, or send its text.",
        )
    return DocumentText(text, Kind.PDF, together(scanned))


def _opened(data: bytes, limits: Limits) -> pdfium.PdfDocument:
    # The handle first: where pypdfium2 opens a document that has no page, it raises and leaves it open.
    handle = pdfium_c.FPDF_LoadMemDocument64(data, len(data), b"\x00")  # the empty password
    if not handle:
        if pdfium_c.FPDF_GetLastError() in (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY):
            raise EncryptedDocument(
                "the PDF is encrypted", field="body", mend="Save it without a password, and send that."
            )
        raise _damaged()
    document = pdfium.PdfDocument(handle)
    try:
        if len(document) < 1:
            raise _damaged()
        if len(document) > limits.max_pages:
            raise _oversized(f"more than {limits.max_pages} pages")
        # Its pages say "Please wait": what it holds is in XML of its own, which PDF 2.0 has dropped.
        if document.get_formtype() == pdfium_c.FORMTYPE_XFA_FULL:
            raise UnsupportedDocument("the PDF is an XFA form", field="body", mend="Print it to a PDF.")
        document.init_forms()
    except pdfium.PdfiumError:
        document.close()
        raise _damaged() from None
    except BaseException:
        document.close()
        raise
    return document


def _page_text(
    document: pdfium.PdfDocument, number: int, scanned: int, limits: Limits
) -> tuple[str, Quality | None]:
    try:
        page = document[number]
    except pdfium.PdfiumError:
        raise _damaged(f"page {number + 1}") from None
    try:
        layer = _layer(page)
        notes = list(notes_of(page, limits.max_parts))
        quality = None
        if _needs_ocr(page, layer):
            picture = _rendered(page, limits)
            if picture is not None:
                if scanned >= limits.max_ocr_pages:
                    raise _oversized(f"more than {limits.max_ocr_pages} scanned pages")
                read, quality = recognise(picture, _dpi(page, picture), limits)
                layer = _with_missing(read, [] if _is_garbage(layer) else layer.splitlines())
    except (pdfium.PdfiumError, ValueError, OverflowError):
        raise _damaged(f"page {number + 1}") from None
    finally:
        page.close()
    return _with_missing(_cleaned(layer), notes), quality


def _layer(page: pdfium.PdfPage) -> str:
    textpage = page.get_textpage()
    try:
        text: str = textpage.get_text_range()
    finally:
        textpage.close()
    text = _BROKEN_WORD.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _needs_ocr(page: pdfium.PdfPage, layer: str) -> bool:
    letters = sum(map(str.isalnum, layer))
    if _is_garbage(layer):
        return True
    if letters >= _SPARSE:
        return False
    drawn = list(islice(page.get_objects(max_depth=4), _MOST_OBJECTS))
    kinds = {each.type for each in drawn} - {pdfium_c.FPDF_PAGEOBJ_TEXT}
    if letters < _NEARLY_EMPTY:
        return bool(kinds)
    area = page.get_width() * page.get_height()
    images = [each.get_bounds() for each in drawn if each.type == pdfium_c.FPDF_PAGEOBJ_IMAGE]
    covered = sum(abs((right - left) * (top - bottom)) for left, bottom, right, top in images)
    return bool(covered > _SCANNED * area)


def _is_garbage(layer: str) -> bool:
    """Whether the fonts' characters are not told: they come as controls, private or unassigned ones.

    One within a word is enough: a name with a lost letter is a name that de-identification may not find.
    """
    seen = [character for character in layer if not character.isspace()]
    lost = sum(character == "\ufffd" or unicodedata.category(character) in _LOST for character in seen)
    return lost > _GARBAGE * len(seen) or _LOST_IN_WORD.search(layer) is not None


_LOST: Final = frozenset({"Cc", "Cn", "Co", "Cs"})


def _cleaned(text: str) -> str:
    """`text` without what is no character: a bullet of a symbol font, a control."""
    kept = "".join(
        " "
        if character == "\ufffd" or (character not in "\n\t" and unicodedata.category(character) in _LOST)
        else character
        for character in text
    )
    lines = "\n".join(line.rstrip() for line in kept.splitlines())
    return _MANY_BLANK_LINES.sub("\n\n", lines).strip("\n")


def _with_missing(text: str, lines: list[str]) -> str:
    """`text`, then those of `lines` that it does not hold already, whatever their white space."""
    known = "".join(text.split())
    missing = [line for line in lines if line.strip() and "".join(line.split()) not in known]
    return "\n".join(filter(None, (text, *missing)))


def _scale(page: pdfium.PdfPage, limits: Limits) -> float:
    width, height = page.get_size()
    if not (math.isfinite(width) and math.isfinite(height) and width >= 1 and height >= 1):
        raise ValueError("no size")
    # A pixel less at each side: PDFium rounds up.
    return min(READING_DPI / _POINTS, math.sqrt(limits.max_pixels / (width * height)) * 0.99)


def _dpi(page: pdfium.PdfPage, picture: Image.Image) -> float:
    return float(picture.height / page.get_height() * _POINTS)


def _rendered(page: pdfium.PdfPage, limits: Limits) -> Image.Image | None:
    """The page with its fields and notes, grey, at 300 dpi or what `limits` allow; None where it is blank."""
    bitmap = page.render(scale=_scale(page, limits), grayscale=True)
    try:
        if bitmap.width * bitmap.height > limits.max_pixels:
            raise _oversized(f"more than {limits.max_pixels:,} pixels on a page")
        picture: Image.Image = bitmap.to_pil().copy()
    finally:
        bitmap.close()
    darkest, lightest = picture.getextrema()
    return None if darkest == lightest else picture


def _damaged(place: str = "the PDF") -> UnreadableDocument:
    return UnreadableDocument(f"{place} is damaged or was cut off", field="body", mend="Export it again.")


def _oversized(what: str) -> OversizedDocument:
    return OversizedDocument(
        f"the PDF has {what}", field="body", mend="Send its parts as reports of their own."
    )
