"""The demo's ledger: what is printed is what was published, and nothing waits for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from curbside.demo.journey import NotPlaced, _promote, _wait_until_settled
from curbside.demo.ledger import Ledger, LedgerBroken, read_ledger
from curbside.demo.reports import Posted
from curbside.runtime.client import Api

STATES = dict.fromkeys(
    ("pending", "deidentified", "quarantined", "released", "rejected", "superseded", "withdrawn", "erased"), 0
)
MANIFEST = {
    "splits": {"train": {"by_task": {"diagnose": 2, "compare": 1}}, "test": {"by_task": {"diagnose": 1}}},
    "reports": {
        "total": 6,
        "with_examples": 4,
        "without_examples": {"too-short": 1, "superseded": 1},
        "answers_dropped": {"diagnose:answer-in-prompt": 1},
    },
}


class FakeApi(Api):
    """An installation that stands still: answers by path."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def request(self, method: str, path: str, **options: Any) -> Any:
        return self.answers.get(path, {})

    def close(self) -> None: ...


def installation(*, mined: int = 6, **states: int) -> FakeApi:
    counted = {**STATES, "deidentified": 5, "superseded": 1, **states}
    return FakeApi(
        {
            "/ingestion/v1/ledger": {"received": sum(counted.values()), "states": counted},
            "/datasets/v1/ledger": {
                "reports": mined,
                "with_examples": mined - 3,
                # By itself, a report with only a comparison has no prior; the build found it one.
                "without_examples": {"too-short": 1, "no-prior": 1, "superseded": 1},
                "examples": 3,
                "by_task": {"diagnose": 3},
            },
            "/inference/v1/model": {"model_version": "base"},
        }
    )


def test_what_came_of_the_reports_is_what_the_manifest_published() -> None:
    ledger = read_ledger(installation(), MANIFEST)
    assert (ledger.with_examples, ledger.without_examples) == (4, {"too-short": 1, "superseded": 1})
    assert ledger.answers_dropped == {"diagnose:answer-in-prompt": 1}
    assert (ledger.examples, ledger.by_task) == (4, {"diagnose": 3, "compare": 1})
    assert ledger.with_examples + sum(ledger.without_examples.values()) == ledger.mined == 6
    ledger.check(Posted(accepted=6))
    assert ledger.to_json()["answers_dropped"] == {"diagnose:answer-in-prompt": 1}


def ledger(**states: int) -> Ledger:
    return read_ledger(installation(**states), MANIFEST)


@pytest.mark.parametrize(
    ("broken", "posted", "says"),
    [
        (ledger(mined=7), 6, "datasets saw 7 reports, but accounts for 6"),
        (ledger(deidentified=6), 7, "6 reports are usable, but datasets saw 5"),
        (ledger(deidentified=4, withdrawn=1), 6, "4 reports are usable, but datasets takes 5"),
        (ledger(), 9, "9 reports were acknowledged to us, but ingestion knows 6"),
    ],
)
def test_a_sum_that_fails_is_named(broken: Ledger, posted: int, says: str) -> None:
    with pytest.raises(LedgerBroken, match=says):
        broken.check(Posted(accepted=posted))


def test_a_displaced_report_is_not_waited_for() -> None:
    _wait_until_settled(installation(), timedelta())


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ({"pending": 2}, "2 reports are pending and datasets has 5 of 5"),
        ({"deidentified": 6}, "0 reports are pending and datasets has 5 of 6"),
    ],
)
def test_what_stands_still_is_said_and_not_waited_for(states: dict[str, int], says: str) -> None:
    with pytest.raises(LedgerBroken, match=says) as stuck:
        _wait_until_settled(installation(**states), timedelta())
    assert "curbside bus status" in stuck.value.message


def test_a_model_that_is_never_placed_is_said_and_not_waited_for() -> None:
    with pytest.raises(NotPlaced, match="curbside bus status"):
        _promote(installation(), "m-1", timedelta())
