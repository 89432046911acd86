"""`kill -9` of any service, of Kafka, of PostgreSQL and of S3 while reports come in: nothing acknowledged is
lost, and nothing is done twice.

One installation lives through all runs, each with a seed: `make chaos ARGS=--seed=7` does the seventh again.
What is killed and which notes are posted follow from the seed; what the kill hits is the machine's own.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from effects import Effects, Observer
from killing import Kill, kill, plan_kills
from posting import Client, Note, write_notes

from curbside.demo.installation import Installation
from curbside.demo.ledger import read_ledger
from curbside.errors import CurbsideError
from curbside.runtime.client import Api, connect
from curbside.runtime.full import LocalServers
from curbside.runtime.supervisor import supervisor_runs
from curbside.settings import RuntimeSettings, child_environment
from curbside.testing.installation import servers_of, tiny_installation
from curbside.testing.progress import Progress
from curbside.testing.servers.process import descendants

RUNS = 20
POSTS = 2_000
CLIENTS = 4
BATCH_ROWS = 60  # a transaction of ingestion takes 50
STOPPING = '"logger": "curbside.runtime.host", "message": "stopping"'
SETTLED_WITHIN = 1_200  # seconds; a guard against waiting for ever


@dataclass
class Chaos:
    """The installation in `directory`, and all that was posted to it."""

    directory: Path
    installation: Installation
    servers: LocalServers
    environment: Mapping[str, str]
    observer: Observer
    posted: list[Note] = field(default_factory=list)

    def connect(self) -> Api:
        return connect(RuntimeSettings(data_dir=self.installation.data))

    def post_and_kill(self, seed: int, posts: int) -> tuple[list[Note], Progress]:
        rng = random.Random(seed)
        kills = plan_kills(rng, posts)
        notes = [
            write_notes(rng, f"S{seed}C{number}", posts // CLIENTS + (number < posts % CLIENTS))
            for number in range(CLIENTS)
        ]
        progress = Progress()
        clients = [
            Client(
                self.connect,
                of_client,
                progress,
                random.Random(rng.random()),
                most=BATCH_ROWS if number == 0 else 1,
            )
            for number, of_client in enumerate(notes)
        ]
        began = time.monotonic()
        for client in clients:
            client.start()
        try:
            for one in kills:
                self._wait(progress, one.after)
                self._kill(one, began)
            self._wait(progress, posts)
        finally:
            progress.stop.set()
            for client in clients:
                client.join(300)
        return [note for of_client in notes for note in of_client], progress

    def _wait(self, progress: Progress, count: int) -> None:
        while not progress.reached(count, seconds=5):
            self._check_up()

    def _check_up(self) -> None:
        """Fail at once where there is nothing left that would restart what was killed."""
        words = (self.installation.data / "logs" / "supervisor.log").read_text(errors="replace")
        assert supervisor_runs(self.installation.data), f"`up --full` gave up: {words[-500:]}"

    def _kill(self, one: Kill, began: float) -> None:
        time.sleep(one.pause)
        done = kill(self.installation, one.target)
        moment = f"{time.monotonic() - began:6.1f} s, {one.after:5} acknowledged"
        print(f"  {moment}: {'killed' if done else 'found no'} {one.target}", flush=True)
        assert done, f"{one.target} did not come back"
        if one.target == "up":
            # Everything dies with it; another takes the data directory over.
            self.installation.start()

    def settle(self) -> Effects:
        """What was done, once nothing waits any more and every service says that it is ready."""
        self._check_up()
        self.installation.start()
        deadline = time.monotonic() + SETTLED_WITHIN
        waiting: object = None
        while time.monotonic() < deadline:
            try:
                waiting = self.observer.waiting()
            except (CurbsideError, psycopg.OperationalError) as error:
                waiting = type(error).__name__
            if not waiting:
                return self.observer.effects()
            time.sleep(0.5)
        self._ask_where_everyone_is()
        pytest.fail(f"it did not settle: {waiting}; where each service is stands in its log")

    def _ask_where_everyone_is(self) -> None:
        """Let every process of ours that can write its threads' stacks into its log."""
        for pid in descendants(self.installation.processes()["supervisor"]):
            with suppress(OSError):
                # Those that do not catch it would die of it.
                caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
                python = b"curbside" in Path(f"/proc/{pid}/cmdline").read_bytes()
                if python and caught and int(caught[1], 16) >> (signal.SIGUSR1 - 1) & 1:
                    os.kill(pid, signal.SIGUSR1)
        time.sleep(2)

    def ended(self) -> list[str]:
        """The logs of services that ended though nobody killed them: an outage is to be waited for."""
        logs = sorted((self.installation.data / "logs").glob("*.log"))
        return [log.name for log in logs if STOPPING in log.read_text(errors="replace")]

    def curbside(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "curbside", *arguments],
            env=child_environment(**self.environment, **self.servers.environment(), COLUMNS="120"),
            capture_output=True,
            text=True,
            check=False,
        )

    def end(self) -> None:
        self.installation.stop()
        self.servers.postgres.destroy()  # where we are root, its files lie elsewhere


class Installations:
    """The installation that lives through the runs, and another after each run that failed: what that one has
    done with its reports is not known. Its logs are kept."""

    def __init__(self) -> None:
        self._standing: Chaos | None = None

    @contextmanager
    def one(self) -> Iterator[Chaos]:
        chaos = self._standing or self._begin()
        try:
            yield chaos
        except BaseException:
            self.end(keep=True)
            raise

    def end(self, *, keep: bool = False) -> None:
        standing, self._standing = self._standing, None
        if standing is not None:
            standing.end()
            if keep:
                print(f"  kept: {standing.directory}", flush=True)
            else:
                shutil.rmtree(standing.directory, ignore_errors=True)

    def _begin(self) -> Chaos:
        # Not pytest's own: the next runs of pytest would prune it.
        directory = Path(tempfile.mkdtemp(prefix="curbside-chaos-"))
        installation, environment = tiny_installation(directory, full=True, workers=2)
        servers = servers_of(directory)
        observer = Observer(RuntimeSettings(data_dir=installation.data), servers)
        chaos = self._standing = Chaos(directory, installation, servers, environment, observer)
        installation.start()
        return chaos


@pytest.fixture(scope="module")
def installations() -> Iterator[Installations]:
    made = Installations()
    yield made
    made.end()


@pytest.mark.timeout(3_600)
def test_every_acknowledged_report_is_in_one_state_and_each_effect_happened_once(
    installations: Installations, seed: int, posts: int
) -> None:
    print(f"\nseed {seed}, {posts} posts", flush=True)
    with installations.one() as chaos:
        run(chaos, seed, posts)


def run(chaos: Chaos, seed: int, posts: int) -> None:
    began = time.monotonic()
    notes, progress = chaos.post_and_kill(seed, posts)
    posted_after = time.monotonic() - began
    chaos.posted += notes
    effects = chaos.settle()
    settled_after = time.monotonic() - began
    faults = effects.faults(chaos.posted)
    faults += chaos.observer.unreadable(effects.blobs(note.report_id for note in notes))
    dead_letters = chaos.observer.dead_letters()
    verified = chaos.curbside("audit", "verify", "--data", str(chaos.installation.data))
    ledger = read_ledger(chaos.connect())
    checked_after = time.monotonic() - began
    print(
        f"  posted after {posted_after:.0f} s, settled after {settled_after:.0f} s, checked after "
        f"{checked_after:.0f} s; answers {dict(progress.answers)}\n"
        f"  in all: states {dict(effects.states)}, quarantined for {dict(effects.reasons)}; "
        f"{chaos.observer.published()} records published for {effects.events} events",
        flush=True,
    )
    assert faults == [], f"{len(faults)} faults, the first: {faults[:10]}"
    assert dead_letters == {}
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert ledger.received == len(chaos.posted) == sum(ledger.states.values())
    assert ledger.settled
    assert chaos.ended() == []
    assert not progress.answers["500"], "an outage was answered as if it were a defect"
