"""The main job on Kafka, PostgreSQL and S3, every service in a process of its own, with a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curbside.runtime.services import SERVICES
from curbside.settings import child_environment
from curbside.testing.installation import tiny_installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


def curbside(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "curbside", *arguments],
        env=child_environment(**environment, COLUMNS="120"),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_loop_runs_with_every_service_by_itself(tmp_path: Path) -> None:
    installation, environment = tiny_installation(tmp_path, full=True)
    data = ("--data", str(installation.data))
    processes = str(tmp_path / "processes.yaml")
    demo = ("demo", *data, "--limit", "48", "--full", "--processes", processes)
    try:
        ran = curbside(dict(environment), *demo)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        pids = installation.processes()
        assert set(pids) == {*SERVICES, "supervisor"}
        assert len(set(pids.values())) == len(pids)
        assert set(installation.processes("servers")) == {"postgres", "kafka", "s3", "supervisor"}
    finally:
        installation.stop()
    ledger = json.loads((installation.data / "demo.json").read_text())["ledger"]
    assert ledger["received"] == sum(ledger["states"].values()) == 48
    assert ledger["mined"] == ledger["with_examples"] + sum(ledger["without_examples"].values())
    # What the embedded halves would have made.
    assert not [*installation.data.glob("*.db"), *installation.data.glob("b*")]
