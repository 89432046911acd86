"""What a benchmark measured: each figure beside its peer and its bound, as a table and as JSON."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """`value` of `unit`, at least `least` or at most `most`, or unbounded. `peer` is what others reach."""

    name: str
    value: float
    unit: str
    peer: str
    least: float | None = None
    most: float | None = None
    digits: int = 3
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> float | None:
        return self.least if self.least is not None else self.most

    @property
    def ok(self) -> bool:
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    def as_json(self) -> dict[str, Any]:
        value = round(self.value, self.digits)
        stated = {"name": self.name, "value": value, "unit": self.unit, "peer": self.peer}
        return {**stated, "target": self.target, "ok": self.ok, **self.more}


def add_json_option(parser: ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")


def report(figures: Sequence[Figure], console: Console, json_file: Path | None) -> int:
    """Print `figures`, write them where they are wanted; the exit code is 1 where one misses its bound."""
    table = Table("figure", "value", "unit", "target", "ok", "peer")
    for one in figures:
        sign = "≥ " if one.least is not None else "≤ "
        target = "" if one.target is None else f"{sign}{one.target:,}"
        table.add_row(one.name, f"{one.value:,.{one.digits}f}", one.unit, target, str(one.ok), one.peer)
    console.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"figures": [one.as_json() for one in figures]}, indent=2) + "\n")
    return 0 if all(one.ok for one in figures) else 1
