"""A service in a process group of its own, which is killed whole: nothing of it says goodbye."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curbside.settings import child_environment
from curbside.testing.servers.process import die_with_parent, terminate, wait_until

_GONE_WITHIN: Final = 20.0  # seconds


@dataclass(frozen=True)
class Kill:
    """Kill the service `pause` seconds after the `after`th report was acknowledged, or, `starting`, after it
    was started again behind the kill before."""

    after: int
    pause: float
    starting: bool = False


def plan_kills(rng: random.Random, reports: int, kills: int) -> list[Kill]:
    """`kills` kills, one of five while the service comes up again."""
    again = kills // 5
    moments = sorted(rng.randrange(reports // 50, reports * 19 // 20) for _ in range(kills - again))
    planned = [Kill(after, rng.uniform(0, 0.5)) for after in moments]
    for _ in range(again):
        place = rng.randrange(1, len(planned) + 1)
        planned.insert(place, Kill(planned[place - 1].after, rng.uniform(0, 6), starting=True))
    return planned


class Served:
    """`curbside serve SERVICE` with `environment`. Started by a thread that lives as long as it: it dies with
    that."""

    def __init__(self, service: str, environment: Mapping[str, str], *, port: int, log: Path) -> None:
        self._command = [sys.executable, "-m", "curbside", "serve", service]
        self._environment = environment
        self._port = port
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with open(self.log, "ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=child_environment(**self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def wait_ready(self) -> None:
        assert self._process is not None
        wait_until(self._ready, self._process, " ".join(self._command[2:]), log=self.log)

    def kill(self) -> int:
        """SIGKILL to the service and every child of it; return how many processes that were."""
        process = self._process
        assert process is not None
        assert process.poll() is None, f"it ended by itself: see {str(self.log)!r}"
        group = _group(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + _GONE_WITHIN
        while _group(process.pid):  # what is killed ends when it is next looked at
            assert time.monotonic() < deadline, "children outlive their service"
            time.sleep(0.01)
        return len(group)

    def stop(self) -> None:
        if self._process is not None and self.runs:
            terminate(self._process)

    def _ready(self) -> bool:
        url = f"http://127.0.0.1:{self._port}/readyz"
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
        return False


def _group(leader: int) -> list[int]:
    """The processes of a group that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # "pid (name) state parent group …": a name may hold spaces and brackets.
            state, _, group = status.read_text().rpartition(")")[2].split()[:3]
            if int(group) == leader and state not in "ZX":
                found.append(int(status.parent.name))
    return found
