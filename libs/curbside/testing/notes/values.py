"""The lists of `values.yaml`, in the half that a set of families may draw from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final, Literal

import yaml

SetName = Literal["development", "held_out", "unread"]
SETS: Final[tuple[SetName, ...]] = ("development", "held_out", "unread")
_HALVES: Final[Mapping[SetName, int]] = MappingProxyType({"development": 0, "held_out": 1, "unread": 1})


@cache
def _lists() -> dict[str, list[Any]]:
    loaded: dict[str, list[Any]] = yaml.safe_load(Path(__file__).with_name("values.yaml").read_text("utf-8"))
    return loaded


@dataclass(frozen=True)
class Values:
    """Draws from the half of every list that belongs to `set_name`."""

    set_name: SetName
    random: Random

    def draw(self, name: str) -> Any:
        return self.random.choice(half(name, self.set_name))

    def text(self, name: str) -> str:
        return str(self.draw(name))

    def digits(self, count: int) -> str:
        """`count` digits, the first of which is not 0."""
        return str(self.random.randrange(10 ** (count - 1), 10**count))

    def letters(self, count: int) -> str:
        return "".join(self.random.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(count))


def half(name: str, set_name: SetName) -> Sequence[Any]:
    """Every other entry of the list `name`: from the first for development, else from the second."""
    return _lists()[name][_HALVES[set_name] :: 2]
