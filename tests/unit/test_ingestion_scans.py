"""Scans become text, upright and straight; what is no image that may be read is refused by its name."""

from __future__ import annotations

import contextlib
import io
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from curbside.errors import BadInput
from curbside_ingestion.extraction import images, ocr
from curbside_ingestion.extraction.documents import read_text
from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    EmptyDocument,
    Kind,
    Limits,
    MissingTesseract,
    OversizedDocument,
    UnreadableDocument,
)
from curbside_ingestion.extraction.scans import noise_of, skew_of

LINES = (
    "CHEST RADIOGRAPH",
    "Patient: Marlow Quinby   MRN: 4471902",
    "The heart is normal in size.",
    "There is a small effusion on the left.",
    "IMPRESSION: Small left pleural effusion.",
)
needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is missing: apt-get install tesseract-ocr"
)


def page(lines: tuple[str, ...] = LINES) -> Image.Image:
    """A page at 100 dpi's size with large letters: recognised in a third of a second."""
    image = Image.new("L", (850, 500), 255)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((60, 60 + 60 * number), line, fill=0, font=ImageFont.load_default(26))
    return image


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def words(text: str) -> list[str]:
    return text.split()


EXPECTED = words(" ".join(LINES))


@needs_tesseract
@pytest.mark.parametrize(
    "turned",
    [
        lambda image: image,
        lambda image: image.transpose(Image.Transpose.ROTATE_90),
        lambda image: image.transpose(Image.Transpose.ROTATE_180),
        lambda image: image.rotate(4, Image.Resampling.BICUBIC, expand=True, fillcolor=255),
    ],
    ids=["upright", "on its side", "on its head", "askew"],
)
def test_a_page_is_read_however_it_lay(turned: Callable[[Image.Image], Image.Image]) -> None:
    text, quality = ocr.recognise(turned(page()))
    assert words(text) == EXPECTED
    assert quality.confidence > 0.8
    assert (quality.words, quality.pages) == (len(EXPECTED), 1)


@needs_tesseract
def test_lines_stay_lines_and_columns_stay_apart() -> None:
    text, _ = ocr.recognise(page())
    lines = [line for line in text.splitlines() if line]
    assert len(lines) == len(LINES)
    wide = Image.new("L", (850, 200), 255)
    for column, word in ((40, "Lisinopril"), (360, "20 mg"), (620, "daily")):
        ImageDraw.Draw(wide).text((column, 80), word, fill=0, font=ImageFont.load_default(26))
    assert ocr.recognise(wide)[0] == "Lisinopril   20 mg   daily"


def in_mode(mode: str) -> bytes:
    image = page(LINES[:2])
    if mode == "16 bits":
        # A scanner's twelve bits in sixteen.
        return saved(image.convert("I").point(lambda level: level * 16).convert("I;16"))
    if mode == "alpha":
        clear = Image.new("RGBA", image.size, (0, 0, 0, 0))
        clear.putalpha(image.point(lambda level: 255 - level))
        return saved(clear)
    if mode == "CMYK":
        return saved(image.convert("CMYK"), "JPEG")
    if mode == "EXIF":
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90° clockwise to see it upright
        return saved(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)
    if mode == "fax":
        return saved(image.convert("1"), "TIFF", compression="group4")
    return saved(image.convert(mode))


@needs_tesseract
@pytest.mark.parametrize("mode", ["1", "P", "RGB", "LA", "16 bits", "alpha", "CMYK", "EXIF", "fax"])
def test_every_kind_of_pixel_is_read(mode: str) -> None:
    assert words(read_text(in_mode(mode)).text) == words(" ".join(LINES[:2]))


@needs_tesseract
def test_every_page_of_a_tiff_is_read_and_its_thumbnails_are_not() -> None:
    first, second, small = page(LINES[:1]), page(LINES[2:3]), page(LINES[3:4])
    small.encoderinfo = {"tiffinfo": {254: 1}}
    found = read_text(saved(first, "TIFF", save_all=True, append_images=[second, small]))
    assert found.kind is Kind.TIFF
    assert found.text == f"{LINES[0]}\n\n{LINES[2]}"
    assert found.quality is not None
    assert found.quality.pages == 2


@needs_tesseract
def test_a_pdf_that_is_an_image_gives_the_image_s_text() -> None:
    found = read_text(saved(page(), "PDF", resolution=100))
    assert found.kind is Kind.PDF
    assert words(found.text) == EXPECTED
    assert found.quality is not None
    assert found.quality.confidence > 0.8


@needs_tesseract
@pytest.mark.parametrize("form", ["PNG", "PDF"])
def test_a_blank_scan_is_never_an_empty_report(form: str) -> None:
    with pytest.raises(EmptyDocument):
        read_text(saved(Image.new("L", (850, 1100), 255), form))


def test_quality_of_pages_is_weighted_by_their_characters() -> None:
    found = ocr.together([("a" * 30, ocr.Quality(1.0, 6, 1)), ("b" * 10, ocr.Quality(0.2, 2, 1))])
    assert found == ocr.Quality(pytest.approx(0.8), 8, 2)  # type: ignore[arg-type]
    assert ocr.together([]) is None


def test_without_tesseract_the_package_is_named() -> None:
    with pytest.raises(MissingTesseract) as missing:
        ocr.recognise(page(), limits=Limits(ocr_path="/nowhere"))
    assert "tesseract-ocr" in missing.value.sentence


@needs_tesseract
def test_a_page_that_takes_too_long_is_refused_without_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "_PAGE_SECONDS", 0.001)
    with pytest.raises(UnreadableDocument, match="within") as refused:
        ocr.recognise(page())
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("angle", [-8.3, -1.5, 0.0, 0.7, 3.2])
def test_the_skew_is_found_to_a_tenth_of_a_degree(angle: float) -> None:
    turned = page().rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    assert skew_of(turned) == pytest.approx(angle, abs=0.15)


def test_text_alone_is_no_noise() -> None:
    assert noise_of(page()) == 0.0
    assert noise_of(Image.effect_noise((300, 300), 60)) > 10


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(more)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


BOMB = b"k\0\0" + zlib.compress(b"x" * 50_000_000, 9)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (png(60_000, 60_000), OversizedDocument),
        (png(9_000, 9_000), OversizedDocument),
        (png(100, 100, chunk(b"zTXt", BOMB)), UnreadableDocument),
        (png(100, 100, chunk(b"iTXt", b"k\0\1\0\0\0" + BOMB[3:])), UnreadableDocument),
        (png(100, 100), UnreadableDocument),
        (b"\x89PNG\r\n\x1a\n", UnreadableDocument),
        (saved(page())[:-2_000], UnreadableDocument),
        (saved(page(), "JPEG")[:5_000], UnreadableDocument),
        (saved(page(), "TIFF")[:900], UnreadableDocument),
    ],
    ids=[
        "huge",
        "large",
        "zTXt bomb",
        "iTXt bomb",
        "no rows",
        "no header",
        "PNG cut",
        "JPEG cut",
        "TIFF cut",
    ],
)
def test_a_hostile_or_damaged_image_is_refused_by_name(data: bytes, problem: type[BadInput]) -> None:
    with pytest.raises(problem) as refused:
        read_text(data)
    assert refused.value.mend


def test_more_pages_than_the_limit_are_refused(unread: None) -> None:
    pages = [Image.new("L", (40, 40), 255)] * 5
    with pytest.raises(OversizedDocument, match="more than 3 pages"):
        read_text(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]), Limits(max_ocr_pages=3))


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages are decoded, and every one reads "text"."""
    monkeypatch.setattr(images, "recognise", lambda *_, **__: ("text", ocr.Quality(1.0, 1, 1)))
    return


SMALL = page(LINES[:1]).resize((170, 100))
SEEDS = (
    saved(SMALL),
    saved(SMALL.convert("P")),
    saved(SMALL, "JPEG"),
    saved(SMALL, "TIFF", compression="tiff_lzw"),
    saved(SMALL.convert("1"), "TIFF", compression="group4"),
    saved(SMALL, "TIFF", save_all=True, append_images=[SMALL]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0.3, 1),
)
def test_no_damage_to_an_image_gives_more_than_a_bad_input(
    unread: None, seed: bytes, changes: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(seed)
    for place, byte in changes:
        data[4 + int(place * (len(data) - 5))] = byte
    with contextlib.suppress(BadInput):
        images.read_text(bytes(data[: 8 + int(kept * len(data))]), DEFAULT_LIMITS)
