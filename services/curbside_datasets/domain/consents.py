"""What a patient's word on the use of their reports can be."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

TRAINING: Final = "training"  # the use that is meant here; a denial of another is taken for one of it


class Decision(StrEnum):
    DENY = "deny"
    PERMIT = "permit"
    VOID = "void"  # it was entered in error


def decision_of(word: str) -> Decision:
    """A word of a later release is a denial: fail closed."""
    return Decision(word) if word in tuple(Decision) else Decision.DENY
