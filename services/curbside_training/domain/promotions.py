"""What an alias means, and what it goes back to: its history read as a stack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Promotion:
    """One entry of an alias's history; `back` where a rollback made it."""

    version: str
    back: bool


def standing(history: Iterable[Promotion]) -> list[str]:
    """The versions that still stand under an alias, oldest first; it means the last.

    `history` is oldest first. A rollback takes down what stands above the version that it names, so that the
    next rollback goes further back, and not up again to what was found bad.
    """
    stack: list[str] = []
    for entry in history:
        if entry.back and entry.version in stack:
            while stack[-1] != entry.version:
                stack.pop()
        elif stack[-1:] != [entry.version]:
            stack.append(entry.version)
    return stack
