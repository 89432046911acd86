"""Ingestion is killed with all its children while it takes reports in: tests/chaos/test_kill_ingestion.py in
small."""

from __future__ import annotations

from pathlib import Path

import pytest

from curbside.settings import as_environment
from curbside.testing.intake.killing import check, post_and_kill

KILLS = 2


@pytest.mark.parametrize("half", ["embedded", "postgres"])
def test_stored_is_what_was_acknowledged_each_once(
    half: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if half == "postgres":
        for name, value in as_environment(request.getfixturevalue("postgres_database")).items():
            monkeypatch.setenv(name, value)
    # What a dead pod had in hand of documents waits there for its lease, more than a minute.
    run = post_and_kill(tmp_path, seed=1, reports=200, kills=KILLS, documents=half == "embedded")
    check(run, kills=KILLS)
