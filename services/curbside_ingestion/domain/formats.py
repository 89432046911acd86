"""What a text is, by its content: a table, JSON, lines of JSON, or a report as it stands.

Every way in asks here: what is declared, and what a file is called, are wrong too often, and a table that is
taken for one text puts many patients into one report.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Final

from curbside_ingestion.domain.columns import Columns
from curbside_ingestion.domain.tables import is_table


class Format(StrEnum):
    TEXT = "text/plain"
    CSV = "text/csv"
    JSON = "application/json"
    NDJSON = "application/x-ndjson"


# An object with a first member, or a list of such: no prose begins so, as "[1] see below" and "{name}" do.
_JSON: Final = re.compile(r'\s*(?:\[\s*)?\{\s*(?:"(?:[^"\\\n]|\\.){0,200}"\s*:|\}\s*[,\]]|\}\s*\Z)')
_TABLES: Final = (".csv", ".tsv", ".tab")
_LINE: Final = re.compile(r"[^\r\n]+")
_LONGEST: Final = 5_000_000  # characters that are read to tell lines of JSON from one object


def format_of(text: str, columns: Columns | None = None, *, name: str = "") -> Format:
    """The format of `text`, which nobody declared or whose declaration is not believed. `columns` are those
    that its sender gave for a table, `name` is its file's. In doubt it is plain text."""
    text = text.removeprefix("\ufeff")
    if _JSON.match(text):
        return Format.NDJSON if _is_lines(text) else Format.JSON
    return Format.CSV if is_table(text, columns, named=name.casefold().endswith(_TABLES)) else Format.TEXT


def _is_lines(text: str) -> bool:
    """Whether there are several lines, and the first is an object by itself; or the second is, where the
    first is broken."""
    filled = (line[0] for line in _LINE.finditer(text) if not line[0].isspace())
    first, second = next(filled, ""), next(filled, "")
    if not first.lstrip().startswith("{") or not second:
        return False
    return _is_object(first) or (_is_object(second) and not _is_object(text))


def _is_object(text: str) -> bool:
    if not text.startswith("{") or len(text) > _LONGEST:
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
