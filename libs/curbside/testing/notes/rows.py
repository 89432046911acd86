"""Notes as the JSON lines that `curbside deidentify` and `phi_score.py` read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from curbside.phi import Category
from curbside.testing.notes.writing import Note

# Labels as that scorer reads them. "Age_Birthdate" is an age over 89 where its number says so; "AGE", which
# marks what is neutral, counts neither way; a label that it does not know is an identifying number.
_LABELS: Final[Mapping[Category, str]] = MappingProxyType(
    {
        Category.NAME: "NAME",
        Category.LOCATION: "GEOGRAPHIC_LOCATION",
        Category.FACILITY: "Organization:Healthcare",
        Category.DATE: "DATE",
        Category.AGE: "Age_Birthdate",
        Category.PHONE: "PHONE_NUMBER",
        Category.FAX: "FAX_NUMBER",
        Category.EMAIL: "EMAIL_ADDRESS",
        Category.URL: "DOMAIN_NAME",
        Category.IP: "IP_ADDRESS",
    }
)
NEUTRAL: Final = "AGE"


def label_of(category: Category | None) -> str:
    return NEUTRAL if category is None else _LABELS.get(category, f"ID:{category.value}")


def row_of(note: Note, *, with_known: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": note.id,
        "family": note.family,
        "text": note.text,
        "spans": [[span.start, span.end, label_of(span.category)] for span in note.spans],
    }
    return row | (
        {"known": {name: list(values) for name, values in asdict(note.known).items()}} if with_known else {}
    )


def write_rows(notes: Iterable[Note], path: Path, *, with_known: bool) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for note in notes:
            lines.write(json.dumps(row_of(note, with_known=with_known), ensure_ascii=False) + "\n")
