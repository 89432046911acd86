"""The ledger of a whole installation: where every acknowledged report is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from curbside.demo.reports import Posted
from curbside.errors import CurbsideError
from curbside.runtime.client import Api


class LedgerBroken(CurbsideError):
    """The ledger does not add up: something was lost, or done twice."""

    code = "demo.ledger-broken"


@dataclass(frozen=True)
class Ledger:
    received: int
    states: Mapping[str, int]
    mined: int  # reports that datasets has seen
    with_examples: int
    without_examples: Mapping[str, int]  # by reason
    examples: int
    by_task: Mapping[str, int]

    @property
    def pending(self) -> int:
        return self.states["pending"]

    @property
    def usable(self) -> int:
        return self.states["deidentified"] + self.states["released"]

    @property
    def expected_in_datasets(self) -> int:
        return self.pending + self.usable

    def check(self, posted: Posted) -> None:
        """Raise LedgerBroken, saying which sum fails, unless everything adds up."""
        states = sum(self.states.values())
        if self.received != states:
            raise LedgerBroken(f"{self.received} reports were acknowledged, but {states} are in some state")
        if self.received < posted.accepted + posted.already_there:
            raise LedgerBroken(
                f"{posted.accepted + posted.already_there} reports were acknowledged to us, "
                f"but ingestion knows {self.received}"
            )
        mined = self.with_examples + sum(self.without_examples.values())
        if self.mined != mined:
            raise LedgerBroken(f"datasets saw {self.mined} reports, but accounts for {mined}")
        # A superseded or withdrawn report was de-identified before, so datasets may know more.
        if self.mined < self.usable:
            raise LedgerBroken(f"{self.usable} reports are usable, but datasets saw {self.mined}")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_ledger(api: Api) -> Ledger:
    reports = api.get("/ingestion/v1/ledger")
    datasets = api.get("/datasets/v1/ledger")
    return Ledger(
        received=reports["received"],
        states=reports["states"],
        mined=datasets["reports"],
        with_examples=datasets["with_examples"],
        without_examples=datasets["without_examples"],
        examples=datasets["examples"],
        by_task=datasets["by_task"],
    )
