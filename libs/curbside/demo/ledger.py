"""The ledger of a whole installation: where every acknowledged report is, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from curbside.demo.reports import Posted
from curbside.errors import CurbsideError
from curbside.runtime.client import Api

# Reports that datasets has seen and ingestion counts as usable no more.
_DISPLACED: Final = ("superseded", "withdrawn")


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
    answers_dropped: Mapping[str, int]  # of reports with examples, by "task:reason"
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

    @property
    def current(self) -> int:
        """Reports that datasets has seen and nothing displaced."""
        return self.mined - sum(self.without_examples.get(reason, 0) for reason in _DISPLACED)

    @property
    def settled(self) -> bool:
        """Whether every event about a report has arrived, as far as the sums can tell."""
        return self.pending == 0 and self.current == self.usable

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
        if self.current < self.usable:
            raise LedgerBroken(f"{self.usable} reports are usable, but datasets saw {self.current}")
        if self.current > self.usable:
            raise LedgerBroken(
                f"{self.usable} reports are usable, but datasets takes {self.current} for training"
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_ledger(api: Api, manifest: Mapping[str, Any] | None = None) -> Ledger:
    """What came of the reports is what `manifest` published of them. Without one it is what datasets says
    of each report by itself, which cannot tell a comparison with a prior from one without."""
    reports = api.poll("/ingestion/v1/ledger")
    datasets = api.poll("/datasets/v1/ledger")
    published: Mapping[str, Any] = datasets
    if manifest is not None:
        by_task: Counter[str] = Counter()
        for part in manifest["splits"].values():
            by_task.update(part["by_task"])
        published = {**manifest["reports"], "examples": by_task.total(), "by_task": dict(by_task)}
    return Ledger(
        received=reports["received"],
        states=reports["states"],
        mined=datasets["reports"],
        with_examples=published["with_examples"],
        without_examples=published["without_examples"],
        answers_dropped=published.get("answers_dropped", {}),
        examples=published["examples"],
        by_task=published["by_task"],
    )
