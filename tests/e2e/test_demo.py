"""The main job through real processes, with a tiny model in place of the embedded one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curbside.contracts.tasks import NOTICE
from curbside.settings import child_environment
from curbside.testing.installation import tiny_installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
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


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, str]:
    """Two demos on one data directory: demo.json, and what each printed."""
    directory = tmp_path_factory.mktemp("e2e")
    installation, environment = tiny_installation(directory)
    data = ("--data", str(installation.data), "--limit", "48")
    first = demo(dict(environment), *data)
    assert first.returncode == 0, first.stdout + first.stderr
    assert installation.processes(), "without --exit the services stay up"
    second = demo(dict(environment), *data, "--exit")
    assert second.returncode == 0, second.stdout + second.stderr
    assert not installation.processes(), "with --exit they stop"
    return json.loads((installation.data / "demo.json").read_text()), first.stdout, second.stdout


def test_the_ledger_adds_up(finished: tuple[dict[str, Any], str, str]) -> None:
    ledger = finished[0]["ledger"]
    assert set(ledger["states"]) == STATES
    assert ledger["received"] == sum(ledger["states"].values()) == 48
    assert ledger["mined"] == ledger["with_examples"] + sum(ledger["without_examples"].values())
    assert "Where every acknowledged report is" in finished[1]


def test_splits_share_no_patient_and_examples_trace_to_reports(
    finished: tuple[dict[str, Any], str, str],
) -> None:
    dataset = finished[0]["dataset"]
    assert {"train", "validation", "test"} <= set(dataset["splits"])
    assert dataset["checks"]["patients_shared_between_splits"] == "none"
    assert dataset["checks"]["near_duplicates_between_splits"].startswith("none")


def test_base_and_tuned_are_measured_side_by_side_with_intervals(
    finished: tuple[dict[str, Any], str, str],
) -> None:
    groups = finished[0]["evaluation"]["groups"]
    for variant in ("base", "tuned"):
        for figure in ("rouge_l", "diagnosis_accuracy", "perplexity"):
            measured = groups["held_out"][variant][figure]
            assert measured["low"] <= measured["value"] <= measured["high"]
    assert finished[0]["evaluation"]["samples"]
    tuned, base = groups["held_out"]["tuned"]["perplexity"], groups["held_out"]["base"]["perplexity"]
    assert tuned["value"] < base["value"], "even a tiny model learns"


def test_every_answer_carries_the_notice(finished: tuple[dict[str, Any], str, str]) -> None:
    opinions = finished[0]["opinions"]
    assert {opinion["task"] for opinion in opinions} >= {"summarize", "diagnose", "anomalies"}
    assert all(opinion["notice"] == NOTICE for opinion in opinions)
    assert "does not replace" in finished[1]


def test_a_second_run_reuses_what_exists(finished: tuple[dict[str, Any], str, str]) -> None:
    assert finished[0]["posted"] == {"accepted": 0, "already_there": 48, "refused": {}}
    first, second = (json.dumps(out) for out in finished[1:])
    assert finished[0]["dataset"]["version"] in first
    assert finished[0]["dataset"]["version"] in second


def test_no_name_of_a_patient_stands_in_a_log_or_on_the_bus(
    finished: tuple[dict[str, Any], str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from curbside.testing.reports import demo_reports

    (data,) = (path for path in tmp_path_factory.getbasetemp().glob("e2e*/data"))
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
