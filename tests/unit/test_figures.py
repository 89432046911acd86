"""A figure is held against its bound as it was measured, and written as `--json` promises."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from curbside.testing.figures import Figure, report


@pytest.mark.parametrize(
    ("figure", "ok"),
    [
        (Figure("rate", 1.5, "ratio", "them", least=1.5), True),
        (Figure("rate", 1.4999, "ratio", "them", least=1.5), False),
        (Figure("memory", 700, "MB", "them", most=700), True),
        (Figure("memory", 700.1, "MB", "them", most=700), False),
        (Figure("seconds", 4, "s", "them"), True),
    ],
)
def test_the_file_holds_what_the_exit_code_says(figure: Figure, ok: bool, tmp_path: Path) -> None:
    printed = StringIO()
    code = report([figure], Console(file=printed, width=120), tmp_path / "figures.json")
    [row] = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert (row["ok"], code) == (ok, 0 if ok else 1)
    assert {*row} == {"name", "value", "unit", "peer", "target", "ok"}
    assert figure.name in printed.getvalue()
