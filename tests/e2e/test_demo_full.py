"""The main job on Kafka, PostgreSQL and S3, every service in a process of its own, with a tiny model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from curbside.runtime.services import SERVICES
from curbside.settings import child_environment
from curbside.testing.installation import servers_of, tiny_installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def curbside(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "curbside", *arguments],
        env=child_environment(**environment, COLUMNS="120"),
        capture_output=True,
        text=True,
        check=False,
    )


def by_hand(data: tuple[str, str], place: Path) -> None:
    """An operator's commands, which know nothing but the data directory, are of the running installation."""

    def said(*command: str) -> str:
        done = curbside({}, *command, *data)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    token = place / "ward-token"
    token.write_text(said("token", "create", "--role", "steward", "--name", "ward"))
    wrapped = re.match(
        r"(\d+) data keys of phi wrapped anew; the new key opens all \1$", said("keys", "rotate", "phi")
    )
    assert wrapped
    assert int(wrapped[1]) > 0
    assert " 0 " not in "".join(line for line in said("audit", "verify").splitlines() if "ingestion" in line)
    assert "curbside.reports.received.v1" in said("bus", "status")
    assert "0 dead letters" in said("bus", "replay", "curbside.reports.received.v1")
    # Sealed under a data key that the new key wraps, by services that have not been restarted.
    (place / "after.txt").write_text("FINDINGS: The lungs are clear after the key was replaced.")
    sent = said("ingest", str(place / "after.txt"), "--token-file", str(token))
    assert "1 acknowledged" in sent


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
        by_hand(data, installation.data)
    finally:
        installation.stop()
        servers_of(tmp_path).postgres.destroy()  # root's files of it lie elsewhere
    ledger = json.loads((installation.data / "demo.json").read_text())["ledger"]
    assert ledger["received"] == sum(ledger["states"].values()) == 48
    assert ledger["mined"] == ledger["with_examples"] + sum(ledger["without_examples"].values())
    stopped = curbside({}, "bus", "status", *data)
    assert (stopped.returncode, stopped.stdout) == (2, "")
    assert f"Start them with `curbside up --full {' '.join(data)}`" in stopped.stderr
    # What the embedded halves would have made.
    assert not [*installation.data.glob("*.db"), *installation.data.glob("b*")]
