"""The supervisor starts an installation's processes, restarts what dies, and stops them together.

A child is told by the kernel when its supervisor dies (PR_SET_PDEATHSIG), so a killed supervisor
leaves no process behind to hold a port or a lock.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

from filelock import FileLock, Timeout

from curbside.errors import OperatorError
from curbside.settings import child_environment

_PR_SET_PDEATHSIG: Final = 1
# A child that ran this long has recovered: its next death restarts it at once again.
_HEALTHY_AFTER: Final = timedelta(seconds=30)
_MAX_BACKOFF: Final = timedelta(seconds=30)
# A child that ends with this status met something only an operator can mend (curbside's exit code 2).
OPERATOR_STATUS: Final = 2


class AlreadyRunning(OperatorError):
    code = "operator.already-running"


class ChildGaveUp(OperatorError):
    """A child ended with a sentence for the operator; restarting it would only repeat it."""

    code = "operator.child-gave-up"


@dataclass(frozen=True)
class Child:
    """One process of an installation: `curbside <arguments>`, with settings on top of ours."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Running:
    child: Child
    process: subprocess.Popen[bytes]
    started: float
    failures: int  # in a row, without having been healthy
    restarts: int = 0
    due: float | None = None  # when it is started again, while it is down


class Supervisor:
    """Runs `children` until `stop` is called.

    One data directory has one supervisor of a `name` at a time (AlreadyRunning). Children log to
    `<data>/logs/<child>.log`, or to our stderr; `<data>/run/processes.json` names their pids.
    """

    def __init__(
        self, children: Sequence[Child], data: Path, grace: timedelta, *, log_files: bool, name: str = "all"
    ) -> None:
        self._children = children
        self._data = data
        self._grace = grace
        self._log_files = log_files
        self._state = data / "run" / ("processes.json" if name == "all" else f"processes-{name}.json")
        self._stopping = threading.Event()
        self._running: dict[str, _Running] = {}
        self._lock = FileLock(data / "run" / f"supervisor-{name}.lock")

    def stop(self) -> None:
        self._stopping.set()

    def run(self, started: Callable[[], None] | None = None) -> None:
        """Start all children, call `started`, and keep them running; raises ChildGaveUp where one
        cannot run until an operator mends something."""
        for directory in ("run", "logs"):
            (self._data / directory).mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise AlreadyRunning(
                f"another curbside runs on {str(self._data)!r}: stop it, or use --data with another one."
            ) from None
        try:
            for child in self._children:
                self._running[child.name] = self._start(child)
            self._write_state()
            if started is not None:
                started()
            while not self._stopping.wait(0.2):
                self._tend()
        finally:
            self._stop_all()
            self._state.unlink(missing_ok=True)
            self._lock.release()

    def _start(self, child: Child, failures: int = 0, restarts: int = 0) -> _Running:
        with self._output(child) as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "curbside", *child.arguments],
                env=child_environment(**child.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its own session: Ctrl-C in the terminal reaches us alone, and we stop children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return _Running(child, process, time.monotonic(), failures, restarts)

    def _output(self, child: Child) -> AbstractContextManager[IO[bytes] | None]:
        """A log file for the child, or nothing where it writes to our own stderr (in a pod)."""
        return open(self._data / "logs" / f"{child.name}.log", "ab") if self._log_files else nullcontext()

    def _tend(self) -> None:
        changed = False
        for name, running in self._running.items():
            status = running.process.poll()
            if status is None:
                continue
            now = time.monotonic()
            if status == OPERATOR_STATUS and not running.restarts:
                raise ChildGaveUp(self._last_words(name))
            if running.due is None:
                lived = timedelta(seconds=now - running.started)
                running.failures = 0 if lived > _HEALTHY_AFTER else running.failures + 1
                running.due = now + min(0.5 * 2 ** min(running.failures, 10), _MAX_BACKOFF.total_seconds())
            if now >= running.due:
                self._running[name] = self._start(running.child, running.failures, running.restarts + 1)
                changed = True
        if changed:
            self._write_state()

    def _last_words(self, name: str) -> str:
        log = self._data / "logs" / f"{name}.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return lines[-1].removeprefix("curbside: ") if lines else f"{name} ended: see its message above."

    def _write_state(self) -> None:
        state = {"supervisor": os.getpid()} | {
            name: running.process.pid for name, running in self._running.items()
        }
        scratch = self._state.with_suffix(".part")
        scratch.write_text(json.dumps(state))
        scratch.replace(self._state)

    def _stop_all(self) -> None:
        # Last started, first stopped: the web process outlives none that it calls.
        for running in reversed(self._running.values()):
            if running.process.poll() is None:
                running.process.terminate()
        deadline = time.monotonic() + self._grace.total_seconds()
        for running in self._running.values():
            try:
                running.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
