"""A line that kills its worker is held by itself; every other one is answered, in order."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from curbside_deidentification.crew import Crew, WorkerDied

_DEADLY, _ONCE, _HARMLESS = "deadly", "deadly once", "harmless"
_mark = Path()
_everything_kills = False


def start(mark: str, everything_kills: bool = False) -> None:
    global _mark, _everything_kills
    _mark, _everything_kills = Path(mark), everything_kills


def shout(lines: list[str]) -> str:
    for line in lines:
        once = line == _ONCE and not _mark.exists()
        if once:
            _mark.touch()
        if once or line == _DEADLY or _everything_kills:
            os.kill(os.getpid(), signal.SIGKILL)
    return "".join(f"{line.upper()}\n" for line in lines)


def hold(line: str) -> str:
    return f"held: {line}\n"


def crew(mark: Path, *, everything_kills: bool = False) -> Crew:
    return Crew(2, start, [str(mark), everything_kills], shout, hold, _HARMLESS)


def test_a_deadly_line_is_held_and_one_that_was_unlucky_is_not(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(20)]
    lines[4], lines[13], lines[14] = _ONCE, _DEADLY, _DEADLY
    results = [*crew(tmp_path / "mark").results([lines[i : i + 3] for i in range(0, 20, 3)])]
    assert sum(count for count, _ in results) == 20
    expected = [hold(line) if line == _DEADLY else f"{line.upper()}\n" for line in lines]
    assert "".join(text for _, text in results).splitlines(keepends=True) == expected


def test_where_a_harmless_line_kills_as_well_no_line_is_blamed(tmp_path: Path) -> None:
    with pytest.raises(WorkerDied, match="killed"):
        list(crew(tmp_path / "mark", everything_kills=True).results([["one"], ["two"]]))


def test_of_nothing_no_process_is_started(tmp_path: Path) -> None:
    assert list(crew(tmp_path / "mark").results([])) == []
