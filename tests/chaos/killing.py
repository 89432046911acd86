"""`kill -9` of one process of an installation whose services and servers run by themselves.

Only processes below the installation's own supervisor are killed: a pid in a file may be another's by then.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from curbside.demo.installation import Installation
from curbside.testing.servers.process import descendants

# A process that is just being restarted is waited for so long; its supervisor backs off up to 30 s.
_PATIENCE_SECONDS = 60.0

Find = Callable[[Installation], list[int]]


@dataclass(frozen=True)
class Kill:
    """Kill `target` `pause` seconds after the `after`th acknowledgement."""

    after: int
    pause: float
    target: str


def _service(name: str) -> Find:
    return lambda installation: [installation.processes()[name]]


def _child(service: str, child: str) -> Find:
    return lambda installation: [installation.processes(service)[child]]


def _keeper(server: str) -> Find:
    return lambda installation: [installation.processes("servers")[server]]


def _server(server: str) -> Find:
    """The server itself, below the process that keeps it."""
    return lambda installation: descendants(installation.processes("servers")[server])[:1]


def _postgres_whole(installation: Installation) -> list[int]:
    return descendants(installation.processes("servers")["postgres"])


def _postgres_session(installation: Installation) -> list[int]:
    """One of its processes, after which the postmaster ends every session and recovers."""
    return descendants(installation.processes("servers")["postgres"])[-1:]


TARGETS: Mapping[str, Find] = MappingProxyType(
    {
        "ingestion": _service("ingestion"),
        "datasets": _service("datasets"),
        "workbench": _service("workbench"),
        "deidentification": _service("deidentification"),
        "deidentification web": _child("deidentification", "web"),
        "deidentification worker": _child("deidentification", "worker-0"),
        "inference": _service("inference"),
        "inference web": _child("inference", "web"),
        "inference engine": _child("inference", "engine"),
        "training": _service("training"),
        "training web": _child("training", "web"),
        "training driver": _child("training", "driver"),
        "kafka": _server("kafka"),
        "kafka keeper": _keeper("kafka"),
        "postgres whole": _postgres_whole,
        "postgres postmaster": _server("postgres"),
        "postgres session": _postgres_session,
        "postgres keeper": _keeper("postgres"),
        "s3": _server("s3"),
        "up": lambda installation: [installation.processes()["supervisor"]],
    }
)
_BROKERS = ("kafka", "kafka", "kafka keeper")
_DATABASES = ("postgres whole", "postgres postmaster", "postgres session", "postgres keeper")
# Those that the reports pass through are hit more often.
_SERVICES = (
    *("ingestion",) * 3,
    *("datasets", "inference", "inference web") * 2,
    *("deidentification", "deidentification web", "deidentification worker") * 2,
    *("workbench", "inference engine", "training", "training web", "training driver"),
)


def plan_kills(rng: random.Random, posts: int) -> list[Kill]:
    """The broker, the database and some services, and now and then S3 or everything, in random order."""
    targets = [rng.choice(_BROKERS), rng.choice(_DATABASES)]
    targets += [rng.choice(_SERVICES) for _ in range(rng.randint(3, 5))]
    targets += ["s3"] if rng.random() < 0.5 else []
    targets += ["up"] if rng.random() < 0.2 else []
    rng.shuffle(targets)
    moments = sorted(rng.randrange(posts) for _ in targets)
    return [Kill(after, rng.uniform(0, 2), target) for after, target in zip(moments, targets, strict=True)]


def kill(installation: Installation, target: str) -> bool:
    """SIGKILL; False where there was no such process for a whole minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(KeyError):  # the file is being written anew, or its writer has only begun
            supervisor = installation.processes()["supervisor"]
            ours = {supervisor, *descendants(supervisor)}
            pids = [pid for pid in TARGETS[target](installation) if pid in ours]
            if pids and _killed(pids[0]):
                for pid in pids[1:]:
                    _killed(pid)
                return True
        time.sleep(0.05)
    return False


def _killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
