"""What a patient's word on the use of their reports can be."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

TRAINING: Final = "training"  # the use that is meant here; a denial of another is taken for one of it


class Decision(StrEnum):
    DENY = "deny"
    PERMIT = "permit"
    VOID = "void"  # it was entered in error


_KNOWN: Final = MappingProxyType({decision.value: decision for decision in Decision})


def decision_of(word: str) -> Decision:
    """A word of a later release is a denial: fail closed."""
    return _KNOWN.get(word, Decision.DENY)


class Standing:
    """Who is barred at one moment, by consents that are told one after another, in any order.

    Of what is in force the latest counts, and of two as late the denial. A use that this release does not
    know may be training.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._denied: dict[str, datetime] = {}  # since when, of the latest denial in force
        self._permitted: dict[str, datetime] = {}  # likewise
        self._doubtful: set[str] = set()

    def tell(
        self, subject: str, scope: str, decision: Decision, effective_at: datetime, ends_at: datetime | None
    ) -> None:
        if effective_at > self._at or (ends_at is not None and ends_at <= self._at):
            return
        if decision is Decision.DENY:
            latest = self._denied
        elif decision is Decision.PERMIT and scope == TRAINING:
            latest = self._permitted
        else:
            return
        known = latest.get(subject)
        if known is None or known < effective_at:
            latest[subject] = effective_at

    def doubt(self, subject: str) -> None:
        """Nobody can tell when what this one said holds."""
        self._doubtful.add(subject)

    def barred(self) -> frozenset[str]:
        denied = {
            subject
            for subject, since in self._denied.items()
            if subject not in self._permitted or self._permitted[subject] <= since
        }
        return frozenset(denied | self._doubtful)
