"""Word lists that surrogates are drawn from. Sources: data/NOTICE."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).with_name("data")


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of `<name>.txt` that are no comment."""
    text = (_DATA / f"{name}.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def states() -> dict[str, str]:
    """Name and postal abbreviation of each state."""
    entries = [entry for line in lines("states") for entry in line.split("|")]
    return {entry[:-3]: entry[-2:] for entry in entries}
