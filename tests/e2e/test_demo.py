"""The main job through real processes, with a tiny model in place of the embedded one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from curbside.contracts.tasks import NOTICE
from curbside.settings import child_environment
from curbside.testing.installation import tiny_installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # twice a demo: 170 s on an idle machine
STATES = {
    "pending",
    "deidentified",
    "quarantined",
    "released",
    "rejected",
    "superseded",
    "withdrawn",
    "erased",
}


def demo(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "curbside", "demo", *arguments],
        env=child_environment(**environment, COLUMNS="120"),
        capture_output=True,
        text=True,
        check=False,
    )


class Finished(NamedTuple):
    """Two demos on one data directory."""

    summary: dict[str, Any]  # demo.json
    first: str  # what each printed
    second: str
    data: Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    directory = tmp_path_factory.mktemp("e2e")
    installation, environment = tiny_installation(directory)
    data = ("--data", str(installation.data), "--limit", "48")
    first = demo(dict(environment), *data)
    assert first.returncode == 0, first.stdout + first.stderr
    assert installation.processes(), "without --exit the services stay up"
    second = demo(dict(environment), *data, "--exit")
    assert second.returncode == 0, second.stdout + second.stderr
    assert not installation.processes(), "with --exit they stop"
    summary = json.loads((installation.data / "demo.json").read_text())
    return Finished(summary, first.stdout, second.stdout, installation.data)


def test_the_ledger_adds_up(finished: Finished) -> None:
    ledger = finished.summary["ledger"]
    assert set(ledger["states"]) == STATES
    assert ledger["received"] == sum(ledger["states"].values()) == 48
    assert ledger["mined"] == ledger["with_examples"] + sum(ledger["without_examples"].values())
    assert "Where every acknowledged report is" in finished.first


def test_splits_share_no_patient_and_examples_trace_to_reports(finished: Finished) -> None:
    dataset = finished.summary["dataset"]
    assert {"train", "validation", "test"} <= set(dataset["splits"])
    assert dataset["checks"]["patients_shared_between_splits"] == "none"
    assert dataset["checks"]["near_duplicates_between_splits"].startswith("none")


def test_base_and_tuned_are_measured_side_by_side_with_intervals(finished: Finished) -> None:
    groups = finished.summary["evaluation"]["groups"]
    for variant in ("base", "tuned"):
        for figure in ("rouge_l", "diagnosis_accuracy", "perplexity"):
            measured = groups["held_out"][variant][figure]
            assert measured["low"] <= measured["value"] <= measured["high"]
    assert finished.summary["evaluation"]["samples"]
    tuned, base = groups["held_out"]["tuned"]["perplexity"], groups["held_out"]["base"]["perplexity"]
    assert tuned["value"] < base["value"], "even a tiny model learns"


def test_every_answer_carries_the_notice(finished: Finished) -> None:
    opinions = finished.summary["opinions"]
    assert {opinion["task"] for opinion in opinions} >= {"summarize", "diagnose", "anomalies"}
    assert all(opinion["notice"] == NOTICE for opinion in opinions)
    assert "does not replace" in finished.first


def test_a_second_run_reuses_what_exists(finished: Finished) -> None:
    assert finished.summary["posted"] == {"accepted": 0, "already_there": 48, "refused": {}}
    for printed in (finished.first, finished.second):
        assert finished.summary["dataset"]["version"] in printed


def test_no_name_of_a_patient_stands_in_a_log_or_on_the_bus(finished: Finished) -> None:
    from curbside.testing.reports import demo_reports

    data = finished.data
    names = {name.encode() for report in demo_reports()[:48] for name in report.known.names}
    searched = [*data.glob("logs/*"), *data.glob("bus/log.db*"), *data.glob("*.db*"), data / "demo.json"]
    assert len(searched) > 8
    for path in searched:
        content = path.read_bytes()
        assert not [name for name in names if name in content], path.name


def test_a_report_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    answer = demo({}, "--reports", str(tmp_path / "nowhere"))
    assert answer.returncode == 1
    assert answer.stderr.startswith("curbside: there is no")
    assert answer.stderr.count("\n") == 1
