"""What became of a batch, in numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from curbside.errors import NotFound
from curbside_ingestion.domain.states import ReportState

# Beside the states of a report: one that is pending because its document's text is still to be extracted.
EXTRACTING: Final = "extracting"


class UnknownBatch(NotFound):
    code = "batch.unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch's rows, and where its reports are now.

    A report that was there before counts as `already_there`, and by its state like any other; one that came
    twice in a batch counts as one in `states`. Where a kill interrupted an archive, some that it brought
    itself count as already there.
    """

    batch_id: str
    tenant: str
    begun_at: datetime
    received_at: datetime | None  # when the last row was taken in or refused
    accepted: int
    already_there: int
    refused: int
    states: Mapping[str, int]
    problem: Mapping[str, Any] | None  # of the whole of an archive

    @property
    def rows(self) -> int:
        return self.accepted + self.already_there + self.refused

    @property
    def reports(self) -> int:
        return sum(self.states.values())

    @property
    def finished(self) -> bool:
        """Whether nothing more happens by itself. What is quarantined waits for people."""
        return self.received_at is not None and not self.states[EXTRACTING] + self.states[ReportState.PENDING]

    @property
    def mark(self) -> str:
        """The same for outcomes that are alike, whichever process looks."""
        counts = sorted(self.states.items())
        said = (self.received_at is None, self.accepted, self.already_there, self.refused, counts)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
