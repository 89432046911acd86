"""Template families, read from `families/<set>.yaml` and, where there are more, `families/<set>_*.yaml`.

A family is a kind of note with the layouts it comes in. Templates hold `{slot}` (a value, see slots.py),
`{>phrase}` (a phrase of that name, the family's, its file's or the set's), `{one|another}` (one of these
words), and lines that begin with "? " stand in half of the notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from curbside.testing.notes.values import SetName

Form = Literal["as_written", "capitals", "flattened", "flattened_capitals"]
_AS_WRITTEN: Final[Form] = "as_written"


@dataclass(frozen=True)
class Family:
    """One family; a note takes one of each of `layouts`, `dates`, `phones` and `forms`."""

    name: str
    kind: str
    layouts: Sequence[str]
    dates: Sequence[str]
    phones: Sequence[str] = ("paren", "dashed")
    forms: Sequence[Form] = (_AS_WRITTEN,)
    phrases: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class FamilySet:
    """The families of one set, and the phrases that all of them may use."""

    name: SetName
    families: Sequence[Family]
    phrases: Mapping[str, Sequence[str]]


@cache
def load_families(name: SetName) -> FamilySet:
    """The set called `name`, each family's phrases joined to those of its file and of the set."""
    directory = Path(__file__).with_name("families")
    read = _read(directory / f"{name}.yaml")
    common = read["phrases"]
    families = [*_families(read, common)]
    for path in sorted(directory.glob(f"{name}_*.yaml")):
        of_file = _read(path)
        families += _families(of_file, {**common, **of_file.get("phrases", {})})
    return FamilySet(name, families, common)


def _families(read: Mapping[str, Any], shared: Mapping[str, Sequence[str]]) -> Iterator[Family]:
    for entry in read["families"]:
        yield Family(**{**entry, "phrases": {**shared, **entry.get("phrases", {})}})


def _read(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return read
