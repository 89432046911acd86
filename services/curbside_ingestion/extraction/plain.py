"""Plain text of any charset."""

from __future__ import annotations

from curbside_ingestion.domain.encoding import (
    decode_unlabelled,
    refuse_broken_characters,
    refuse_controls,
    refuse_other_formats,
)
from curbside_ingestion.extraction.found import DEFAULT_LIMITS, DocumentText, EmptyDocument, Kind, Limits
from curbside_ingestion.extraction.markup import tidy


def read_text(data: bytes, limits: Limits = DEFAULT_LIMITS) -> DocumentText:
    """The text of `data`; raises a problem of `domain.problems` where it is binary, cut off or mixed."""
    return read_characters(decoded(data), limits)


def decoded(data: bytes) -> str:
    """The characters of `data`, in whatever charset. Raises as `read_text`."""
    refuse_other_formats(data[:200], "body")
    return decode_unlabelled(data)


def read_characters(text: str, limits: Limits = DEFAULT_LIMITS) -> DocumentText:
    """As `read_text`, of a document whose characters are known."""
    refuse_controls(text, "body")
    refuse_broken_characters(text, "body")
    text = tidy(text, limits)
    if not any(character.isalnum() for character in text):
        raise EmptyDocument("the document holds no text", field="body", mend="Send one that does.")
    return DocumentText(text, Kind.TEXT)
