"""Commands that speak to an installation, with one that answers as the API does."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from curbside.errors import BadInput, CurbsideError, OperatorError, Unavailable
from curbside.runtime import reading
from curbside.runtime.client import Api, ApiProblem
from curbside.runtime.consents import say_consents
from curbside.runtime.ingesting import ingest_paths
from curbside.runtime.upkeep import bus_status, replay, revoke_token, verify_audit
from curbside.settings import RuntimeSettings


class FakeApi(Api):
    """Takes each text once, as ingestion does, and answers what it was made with."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        self.texts: list[str] = []
        self.answers = answers or {}

    def get(self, path: str, **query: Any) -> Any:
        return self.answers[path]

    def post(self, path: str, body: Any = None) -> Any:
        if body["text"] in self.texts:
            raise ApiProblem({"status": 409, "detail": "it is there", "report_id": "1"})
        if body["text"] == "refused":
            raise ApiProblem({"status": 422, "detail": "no report", "field": "text", "mend": "Send one."})
        self.texts.append(body["text"])
        return {"report_id": "1", "state": "pending"}

    def request(self, method: str, path: str, **options: Any) -> Any:
        assert (method, path) == ("POST", "/ingestion/v1/reports:batch")
        name, _ = options["files"]["file"]
        place = {"place": "entry 2", "field": "data", "mend": "Mend it."}
        rejected = {"row": 2, "problem": {"status": 422, "detail": "no report", **place}}
        return {"accepted": [{"row": 1, "external_id": name}], "rejected": [rejected]}


def test_ingest_counts_what_became_of_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in {"a.txt": "one", "b.txt": "one", "c.txt": "refused", "d.bin": "x"}.items():
        (tmp_path / name).write_text(text)
    api = FakeApi()
    assert not ingest_paths(api, [tmp_path], limit=None, source="ward")
    printed = capsys.readouterr().out
    assert "2 acknowledged, 1 already there, 2 refused" in printed
    assert "d.bin, entry 2" in printed
    assert api.texts == ["one"]


class FakeConsents(FakeApi):
    """Knows one patient."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def post(self, path: str, body: Any = None) -> Any:
        assert path == "/ingestion/v1/consents"
        self.bodies.append(body)
        if body["patient_id"] == "refused":
            raise ApiProblem({"status": 422, "detail": "no consent", "mend": "Send one."})
        training = "barred" if body["decision"] == "deny" else "allowed"
        known = body["patient_id"] == "MRN-1"
        return {"consent_id": "c1", "training": training, "patient_known": known}


def test_consents_are_said_by_ids_from_a_file_and_no_id_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more: dict[str, Any] = {"effective": None, "until": None, "source": "console", "reference": "17"}
    (tmp_path / "ids").write_text("\ufeffMRN-1\n\n MRN-2 \nrefused\n")
    api = FakeConsents()
    assert not say_consents(api, "deny", tmp_path / "ids", **more)
    assert [body["patient_id"] for body in api.bodies] == ["MRN-1", "MRN-2", "refused"]
    assert all(body["reference"] == "17" and "effective_at" not in body for body in api.bodies)
    printed = capsys.readouterr().out
    assert "barred" in printed
    assert "1 without a report here" in printed
    assert "MRN" not in printed
    monkeypatch.setattr("sys.stdin", io.StringIO("MRN-1\n"))
    assert say_consents(api, "permit", Path("-"), **more)
    assert datetime.fromisoformat(api.bodies[-1]["effective_at"]).tzinfo
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(BadInput, match="no patient's id"):
        say_consents(api, "deny", Path("-"), **more)
    with pytest.raises(BadInput, match="deny or permit"):
        say_consents(api, "forbid", Path("-"), **more)


def test_ingest_says_which_file_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not ingest_paths(FakeApi(), [tmp_path / "nofile"], limit=None, source="ward")
    printed = " ".join(capsys.readouterr().out.split())
    assert "0 acknowledged, 0 already there, 1 refused" in printed
    assert "cannot be read" in printed


def test_ids_that_the_next_command_needs_are_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"rouge_l": {"value": 0.8}, "diagnosis_accuracy": {"value": None}}
    model = {
        "version": "mv-0123456789ab",
        "aliases": ["production"],
        "dataset_version": "ds-0123456789abcdef",
        "evaluation": {"groups": {"held_out": {"tuned": figures}}},
        "created_at": "2026-11-24T23:05:11+00:00",
    }
    run = {
        "run_id": "run-0123456789ab",
        "state": "succeeded",
        "dataset_version": "ds-0123456789abcdef",
        "step": 5,
        "steps": 63,
        "model_version": "mv-0123456789ab",
        "reason": None,
    }
    api = FakeApi({"/training/v1/models": {"models": [model]}, "/training/v1/runs": {"runs": [run]}})
    reading.list_models(api)
    printed = capsys.readouterr().out
    assert "mv-0123456789ab" in printed
    assert "0.80" in printed
    reading.list_runs(api)
    printed = capsys.readouterr().out
    assert "run-0123456789ab" in printed
    assert "mv-0123456789ab" in printed


@pytest.mark.parametrize("name", ["bin.yaml", "nofile.yaml"])
def test_a_recipe_that_cannot_be_read_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "bin.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(reading.BadArgument) as caught:
        reading.train_and_wait(FakeApi(), tmp_path / name, "ds-1")
    assert name in caught.value.message


@pytest.mark.parametrize(
    "command",
    [
        verify_audit,
        bus_status,
        lambda settings: replay(settings, "curbside.reports.received.v1"),
        lambda settings: revoke_token(settings, "t"),
    ],
)
def test_a_place_without_an_installation_passes_for_none(command: Any, tmp_path: Path) -> None:
    settings = RuntimeSettings(data_dir=tmp_path / "typo")
    with pytest.raises(OperatorError, match="there is no installation"):
        command(settings)
    assert not (tmp_path / "typo").exists()


class Recovering(FakeApi):
    """Does not answer as often as `outages` says, then does."""

    def __init__(self, *outages: CurbsideError, answer: dict[str, Any]) -> None:
        super().__init__()
        self.outages = [*outages]
        self.answer = answer

    def get(self, path: str, **query: Any) -> Any:
        if self.outages:
            raise self.outages.pop(0)
        return self.answer


BUSY = ApiProblem({"status": 503, "detail": "the database of training does not answer"})
RUN = {"run_id": "run-1", "state": "succeeded", "step": 1, "steps": 1}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that passes only where somebody waits."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


@pytest.mark.usefixtures("clock")
def test_whoever_waits_for_a_run_waits_out_a_database_that_is_restarted() -> None:
    refused = Unavailable("nothing answers")
    assert reading.wait_for_run(Recovering(*[BUSY] * 50, *[refused] * 50, answer=RUN), "run-1") == RUN


@pytest.mark.usefixtures("clock")
def test_whoever_gives_up_says_that_the_run_does_not() -> None:
    with pytest.raises(Unavailable, match="database of training") as gave_up:
        reading.wait_for_run(Recovering(*[BUSY] * 1000, answer=RUN), "run-1")
    assert gave_up.value.mend is not None
    assert "The run run-1 goes on: `curbside runs run-1`" in gave_up.value.mend
    broken = ApiProblem({"status": 500, "detail": "broken"})
    with pytest.raises(ApiProblem, match="broken"):
        reading.wait_for_run(Recovering(broken, answer=RUN), "run-1")


@pytest.mark.parametrize(("task", "prior"), [("compare", False), ("summarize", True)])
def test_a_question_with_a_wrong_prior_names_the_option(task: str, prior: bool, tmp_path: Path) -> None:
    (tmp_path / "r").write_text("a report")
    with pytest.raises(reading.BadArgument) as refused:
        reading.ask_opinion(FakeApi(), task, tmp_path / "r", tmp_path / "r" if prior else None)
    assert refused.value.field == "--prior"
    assert "--prior" in refused.value.sentence
