"""The eight states of a report, and how it may go from one to another."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ReportState(StrEnum):
    PENDING = "pending"
    DEIDENTIFIED = "deidentified"
    QUARANTINED = "quarantined"
    RELEASED = "released"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"


_ENDS: Final = frozenset({ReportState.SUPERSEDED, ReportState.WITHDRAWN, ReportState.ERASED})

# Quarantine and release travel on two topics, between which no order holds: a release may arrive before
# the quarantine that it ended, so `pending` may become `released`, and `released` never `quarantined`.
TRANSITIONS: Final = MappingProxyType(
    {
        ReportState.PENDING: _ENDS
        | {
            ReportState.DEIDENTIFIED,
            ReportState.QUARANTINED,
            ReportState.RELEASED,
            ReportState.REJECTED,
        },
        ReportState.QUARANTINED: _ENDS
        | {ReportState.DEIDENTIFIED, ReportState.RELEASED, ReportState.REJECTED},
        ReportState.DEIDENTIFIED: _ENDS,
        ReportState.RELEASED: _ENDS,
        ReportState.REJECTED: _ENDS,
        # What replaced a report may itself be retracted, and whoever is erased is erased everywhere.
        ReportState.SUPERSEDED: frozenset({ReportState.WITHDRAWN, ReportState.ERASED}),
        ReportState.WITHDRAWN: frozenset({ReportState.ERASED}),
        ReportState.ERASED: frozenset[ReportState](),
    }
)


def may_become(state: ReportState, later: ReportState) -> bool:
    return later in TRANSITIONS[state]
