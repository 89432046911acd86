"""Text off an image, by Tesseract 5 as a child process. Pages and text go through pipes, never a file."""

from __future__ import annotations

import csv
import io
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from PIL import Image

from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    Limits,
    MissingTesseract,
    Quality,
    UnreadableDocument,
)
from curbside_ingestion.extraction.scans import READING_DPI, dpi_of, prepared

# Nothing of ours reaches the child. One thread: two gain a tenth and take a whole core.
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "OMP_THREAD_LIMIT": "1"}
_LANGUAGE: Final = "eng"
# 4, "a single column of text of variable sizes", keeps a form's row on one line. Measured on the forms of
# benchmarks/ocr_recall.py at 200 dpi: 4 finds .990 of the tokens, 11 .986, 3 (the default) .976, 6 .946.
_LAYOUT: Final = 4
_ORIENTATION: Final = 0  # orientation and script detection alone
_PAGE_SECONDS: Final = 60.0  # a dense page takes 3; noise without text up to 20
_UPRIGHT: Final = 0.60  # mean confidence below which a page may lie on its side or head; level text has .9
_WORD: Final = "5"  # TSV's level of a word
_SURE: Final = 50.0  # confidence below which a "word" of no letter and no digit is a rule or a speck
_GAP: Final = 2.0  # of the line's own character width: more is a form's next column, and kept as three spaces
_COLUMNS: Final = "   "


@dataclass(frozen=True, slots=True)
class _Word:
    line: tuple[str, str, str]  # block, paragraph, line
    left: int
    width: int
    confidence: float
    text: str


@dataclass(frozen=True, slots=True)
class _Reading:
    words: Sequence[_Word]

    @property
    def characters(self) -> int:
        return sum(len(word.text) for word in self.words)

    @property
    def confidence(self) -> float:
        """The words' mean, weighted by their characters: a speck counts less than a name."""
        total = sum(word.confidence * len(word.text) for word in self.words)
        return total / self.characters / 100 if self.words else 0.0

    @property
    def certainty(self) -> float:
        return self.confidence * self.characters


def recognise(
    image: Image.Image, dpi: float | None = None, limits: Limits = DEFAULT_LIMITS
) -> tuple[str, Quality]:
    """The text of one page, with its lines, its paragraphs and the columns of its rows.

    `dpi` is what the caller knows of the resolution. Raises UnreadableDocument where a page takes more than a
    minute or Tesseract fails on it, and MissingTesseract.
    """
    grey = image if image.mode == "L" else image.convert("L")
    dpi = dpi_of(image) if dpi is None else dpi
    most_pixels, path = limits.max_pixels, limits.ocr_path
    reading = _read(prepared(grey, dpi, most_pixels=most_pixels), path)
    if reading.confidence < _UPRIGHT and _has_ink(grey):
        turns = _turns(prepared(grey, dpi, most_pixels=most_pixels, level=False), path)
        for turn in turns:
            turned = _read(prepared(grey.transpose(turn), dpi, most_pixels=most_pixels), path)
            reading = max(reading, turned, key=lambda one: one.certainty)
            if reading.confidence >= _UPRIGHT:
                break
    return _text(reading.words), Quality(reading.confidence, len(reading.words), 1)


def together(pages: Sequence[tuple[str, Quality]]) -> Quality | None:
    """The quality of pages as one: their confidences weighted by their characters. None of no page."""
    if not pages:
        return None
    weights = [sum(map(str.isalnum, text)) for text, _ in pages]
    total = sum(weight * quality.confidence for weight, (_, quality) in zip(weights, pages, strict=True))
    return Quality(
        total / sum(weights) if any(weights) else 0.0,
        sum(quality.words for _, quality in pages),
        sum(quality.pages for _, quality in pages),
    )


def _read(image: Image.Image, path: str) -> _Reading:
    table = _tesseract(image, _LAYOUT, "tsv", path)
    if table is None:
        raise UnreadableDocument(
            "a page could not be recognised: Tesseract failed on it",
            field="body",
            mend="Scan it again, or send its text.",
        )
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    words = []
    for row in rows:
        text = (row.get("text") or "").strip()
        if row["level"] != _WORD or not text:
            continue
        confidence = float(row["conf"])
        if confidence < 0 or (confidence < _SURE and not any(map(str.isalnum, text))):
            continue
        line = row["block_num"], row["par_num"], row["line_num"]
        words.append(_Word(line, int(row["left"]), int(row["width"]), confidence, text))
    return _Reading(words)


def _turns(image: Image.Image, path: str) -> tuple[Image.Transpose, ...]:
    """By which turns the page may come upright, likeliest first."""
    every = (Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
    answer = _tesseract(image, _ORIENTATION, "osd", path)
    if answer is None:  # too few characters to tell
        return every
    told = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
    # "Rotate: 90" is clockwise; Pillow turns counter-clockwise.
    likeliest = {
        "0": None,
        "90": Image.Transpose.ROTATE_270,
        "180": Image.Transpose.ROTATE_180,
        "270": Image.Transpose.ROTATE_90,
    }.get(told.get("Rotate", ""))
    return () if likeliest is None else (likeliest,)


def _tesseract(image: Image.Image, layout: int, form: str, path: str) -> str | None:
    """What Tesseract writes, None where it fails. What it says on stderr may hold text, and is not read."""
    program = shutil.which("tesseract", path=path)
    if program is None:
        raise _missing()
    page = io.BytesIO()
    image.save(page, "PPM")  # PGM of mode L: no time for compression
    # `--psm 0` writes its findings itself; `tsv` is a configuration that must be named.
    language = "osd" if layout == _ORIENTATION else _LANGUAGE
    command = [program, "stdin", "stdout", "-l", language, "--psm", str(layout), "--dpi", str(READING_DPI)]
    try:
        done = subprocess.run(
            [*command, *(["tsv"] if form == "tsv" else [])],
            input=page.getvalue(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT | {"PATH": path},
            timeout=_PAGE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableDocument(
            f"a page could not be recognised within {_PAGE_SECONDS:.0f} seconds",
            field="body",
            mend="Scan it again, or send its text.",
        ) from None
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace")
    if not _has_language(program, language):
        raise _missing()
    return None


def _missing() -> MissingTesseract:
    return MissingTesseract(
        "Tesseract 5 with its English model is not installed, so scans cannot be read",
        mend="Install the Debian package tesseract-ocr, or name its place in CURBSIDE_INGESTION__OCR_PATH.",
    )


def _has_language(program: str, language: str) -> bool:
    answer = subprocess.run(
        [program, "--list-langs"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        timeout=_PAGE_SECONDS,
        check=False,
    )
    return language in answer.stdout.decode("utf-8", "replace").split()


def _has_ink(image: Image.Image) -> bool:
    darkest, lightest = image.getextrema()
    return darkest != lightest


def _text(words: Sequence[_Word]) -> str:
    """Lines as Tesseract found them, a blank line between paragraphs."""
    paragraphs = []
    for _, within in groupby(words, key=lambda word: word.line[:2]):
        paragraphs.append(
            "\n".join(_line(list(line)) for _, line in groupby(within, key=lambda word: word.line))
        )
    return "\n\n".join(paragraphs)


def _line(words: list[_Word]) -> str:
    character = statistics.median(word.width / len(word.text) for word in words)
    parts = [words[0].text]
    for before, word in pairwise(words):
        gap = word.left - (before.left + before.width)
        parts += (_COLUMNS if gap > _GAP * character else " ", word.text)
    return "".join(parts)
