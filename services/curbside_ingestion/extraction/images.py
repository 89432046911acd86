"""Scans and photographs of reports: PNG, JPEG and TIFF, each page of them to OCR."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from curbside_ingestion.extraction.found import (
    DocumentText,
    EmptyDocument,
    Kind,
    Limits,
    OversizedDocument,
    UnreadableDocument,
)
from curbside_ingestion.extraction.ocr import recognise, together
from curbside_ingestion.extraction.sniffing import kind_of

_FORMATS: Final = MappingProxyType({Kind.PNG: "PNG", Kind.JPEG: "JPEG", Kind.TIFF: "TIFF"})
# What Pillow raises on damaged files: its plugins read fields by struct, index and key without asking.
_DAMAGE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
)
_SUBFILE_TYPE: Final = 254  # TIFF 6.0, section 8: bit 0 marks a page's reduced copy, e.g. a thumbnail
_REDUCED: Final = 1


def read_text(data: bytes, limits: Limits) -> DocumentText:
    """The text of every page of `data`, a blank line between them. Raises a BadInput of `found.py`."""
    kind = kind_of(data)
    pages = []
    characters = 0
    for page in _pages(data, kind, limits):
        text, quality = recognise(page, limits=limits)
        characters += len(text)
        if characters > limits.max_characters:
            raise OversizedDocument("the image holds more text than a report may", field="body")
        pages.append((text, quality))
    text = "\n\n".join(text for text, _ in pages if text)
    if not any(map(str.isalnum, text)):
        raise EmptyDocument(
            "no text could be read off the image", field="body", mend="Scan it again, or send its text."
        )
    return DocumentText(text, kind, together(pages))


def _pages(data: bytes, kind: Kind, limits: Limits) -> Iterator[Image.Image]:
    """Each page as grey levels and upright by its EXIF, decoded one at a time."""
    with _opened(data, kind) as image:
        # Counted first, by their headers alone: a page takes Tesseract a second.
        if kind is Kind.TIFF and _turned_to(image, limits.max_ocr_pages):
            raise OversizedDocument(
                f"the image has more than {limits.max_ocr_pages} pages",
                field="body",
                mend="Send its parts as reports of their own.",
            )
        number = 0
        while _turned_to(image, number):
            number += 1
            _refuse_large(image, limits)
            if not (kind is Kind.TIFF and _is_reduced(image)):
                yield _decoded(image)
            if kind is not Kind.TIFF:
                return  # APNG's frames are a film's, MPO's a camera's previews


def _opened(data: bytes, kind: Kind) -> Image.Image:
    """The image's header alone: nothing is decoded yet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # DecompressionBombWarning: our own limit is lower
            return Image.open(io.BytesIO(data), formats=(_FORMATS[kind],))
    except Image.DecompressionBombError:
        raise _oversized() from None
    except _DAMAGE:
        raise _unreadable() from None


def _turned_to(image: Image.Image, number: int) -> bool:
    """Whether there is a page `number`, which then is the current one. Pillow ends a ring of pages itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's say what it found in the file
            image.seek(number)
    except EOFError:
        return False
    except Image.DecompressionBombError:
        raise _oversized() from None
    except _DAMAGE:
        raise _unreadable() from None
    return True


def _refuse_large(image: Image.Image, limits: Limits) -> None:
    if image.width * image.height > limits.max_pixels:
        raise _oversized()


def _is_reduced(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return bool(int(tags.get(_SUBFILE_TYPE, 0)) & _REDUCED)


def _decoded(image: Image.Image) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            dpi = image.info.get("dpi")
            grey = _grey(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise _oversized() from None
    except _DAMAGE:
        raise _unreadable() from None
    grey.info = {} if dpi is None else {"dpi": dpi}
    return grey


def _grey(image: Image.Image) -> Image.Image:
    """Mode L, dark on white where it was transparent."""
    if image.mode == "F" or image.mode.startswith("I"):
        # 16 bits and more: from the darkest to the lightest, as scanners use 10 or 12 of them.
        levels = np.nan_to_num(np.asarray(image, dtype=np.float64))
        darkest, lightest = float(levels.min()), float(levels.max())
        return Image.fromarray(
            np.round((levels - darkest) * (255.0 / max(lightest - darkest, 1.0))).astype(np.uint8)
        )
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode in {"LAB", "HSV", "YCbCr"}:
        image = image.convert("RGB")
    return image.convert("L")


def _unreadable() -> UnreadableDocument:
    return UnreadableDocument(
        "the image is damaged or was cut off", field="body", mend="Export or scan it again."
    )


def _oversized() -> OversizedDocument:
    return OversizedDocument("a page has more pixels than are read", field="body", mend="Scan it at 300 dpi.")
