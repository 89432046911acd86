"""What an extractor returns: reports as rows, what it could not take, and what it let fall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from curbside.errors import BadInput, CurbsideError, OperatorError


class Kind(StrEnum):
    """What a document is, told by its content; the value is its media type."""

    TEXT = "text/plain"
    HTML = "text/html"
    RTF = "application/rtf"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"
    TIFF = "image/tiff"
    FHIR = "application/fhir+json"
    HL7 = "application/hl7-v2"
    CDA = "application/cda+xml"


class UnreadableDocument(BadInput):
    """The document is damaged, or not built as its kind is."""

    code = "document.unreadable"


class EmptyDocument(BadInput):
    """The document holds no text: an empty report is never made of it."""

    code = "document.empty"


class EncryptedDocument(BadInput):
    code = "document.encrypted"


class OversizedDocument(BadInput):
    """It has more pages, pixels, parts or characters than one report may, or unpacks to more."""

    code = "document.too-large"


class UnsupportedDocument(BadInput):
    code = "document.unsupported"


class UnsafeDocument(BadInput):
    """It holds what is never followed: entities, external DTDs, paths out of an archive."""

    code = "document.unsafe"


class NoReport(BadInput):
    """It is whole and well built, and its kind holds no report, as an admission or an order does not."""

    code = "document.no-report"


class MissingTesseract(OperatorError):
    """Tesseract or its English model is not installed: scans wait until it is."""

    code = "operator.missing-tesseract"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = "UNAVAILABLE"


class MissingContent(BadInput):
    """What it points to lies elsewhere (a URL), or is none: nothing is ever fetched."""

    code = "document.content-missing"


@dataclass(frozen=True, slots=True)
class Quality:
    """How text was read off images. `confidence` is the mean of Tesseract's word confidences, 0 to 1."""

    confidence: float
    words: int
    pages: int


@dataclass(frozen=True)
class DocumentText:
    """The text of one document; `quality` where a page of it was read off an image."""

    text: str = field(repr=False)
    kind: Kind
    quality: Quality | None = None


@dataclass(frozen=True)
class Found:
    """One report. `row` is what `domain.report.read_submission` reads; `place` says where it stood ("entry 3,
    DiagnosticReport"), without PHI. `original` is its own bytes, None where it is the whole document."""

    place: str
    row: dict[str, object] = field(repr=False)
    original: bytes | None = field(default=None, repr=False)
    quality: Quality | None = None


@dataclass(frozen=True)
class Refused:
    """A part of the document that is no report, and why."""

    place: str
    problem: CurbsideError


@dataclass(frozen=True)
class ConsentFound:
    """What a patient said of the use of their reports. `row` is what `domain.consents.read_consent` reads."""

    place: str
    row: dict[str, object] = field(repr=False)


@dataclass(frozen=True)
class Extraction:
    """Everything that a document gave. `dropped` counts fields that no rule reads, by their name.

    What gave nothing at all raises EmptyDocument instead.
    """

    found: tuple[Found, ...]
    refused: tuple[Refused, ...] = ()
    consents: tuple[ConsentFound, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost; time and memory are bounded from outside, by the child's own limits."""

    max_characters: int = 5_000_000  # of one report's text
    max_unpacked_bytes: int = 200_000_000  # of an archive or a compressed stream
    max_pages: int = 500  # the longest shared PDF has 88
    max_ocr_pages: int = 100  # 0.6 CPU-seconds each
    max_pixels: int = 60_000_000  # of one image: A4 at 600 dpi has 35 million
    max_parts: int = 20_000  # entries of a bundle, messages of a file, segments of a message
    ocr_path: str = "/usr/local/bin:/usr/bin:/bin"  # directories in which Tesseract is looked for


DEFAULT_LIMITS: Final = Limits()
