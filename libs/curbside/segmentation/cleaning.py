"""Cleaning: line endings, control characters, runs of blanks. Nothing that carries meaning is touched."""

from __future__ import annotations

import re
import unicodedata

from curbside.phi import SafeText

RULE = "datasets.clean:1"
_RUNS = re.compile(r"[ \t\u00a0]+")
_BLANK_LINES = re.compile(r"\n{3,}")


def clean(text: SafeText) -> SafeText:
    return text.derive(RULE, clean_string)


def clean_string(text: str) -> str:
    """Idempotent."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")
    lines = [_RUNS.sub(" ", line).strip() for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
