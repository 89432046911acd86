"""The supervisor starts an installation's processes, restarts what dies, and stops them together.

A child is told by the kernel when its supervisor dies (PR_SET_PDEATHSIG), so a killed supervisor
leaves no process behind to hold a port or a lock.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

from filelock import FileLock, Timeout

from curbside.errors import OperatorError
from curbside.settings import child_environment
from curbside.storage.directories import private_directory

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG: Final = 1
# A child that ran this long has recovered: its next death restarts it at once again.
_HEALTHY_AFTER: Final = timedelta(seconds=30)
_MAX_BACKOFF: Final = timedelta(seconds=30)
# A child that ends with this status met something only an operator can mend (curbside's exit code 2).
OPERATOR_STATUS: Final = 2
# The start may still fail so long: the first one fetches models, minutes on a slow line. Later it is no start
# any more, and one child that a full disk ends must not take the others with it.
_STARTING: Final = timedelta(minutes=10)
# How `main` begins the sentence that a child ends with.
_SPEAKER: Final = "curbside: "
# Whoever asks whether we run holds our lock for an instant (`supervisor_runs`).
_GLANCE: Final = timedelta(seconds=1)


class AlreadyRunning(OperatorError):
    code = "operator.already-running"

    def __init__(self, data: Path) -> None:
        super().__init__(f"another curbside runs on {str(data)!r}: stop it, or use --data with another one.")


class ChildGaveUp(OperatorError):
    """A child ended with a sentence for the operator; restarting it would only repeat it."""

    code = "operator.child-gave-up"


@dataclass(frozen=True)
class Child:
    """One process of an installation: `python -m <module> <arguments>`, with settings on top of ours."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    module: str = "curbside"


@dataclass
class _Running:
    child: Child
    process: subprocess.Popen[bytes]
    started: float
    failures: int  # in a row, without having been healthy
    restarts: int
    spoke_from: int  # where in its log file this process's own lines begin
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
        self._state = state_path(data, name)
        self._state_due: float | None = None  # when it is written, while it is out of date
        self._stopping = threading.Event()
        self._running: dict[str, _Running] = {}
        self._lock = FileLock(lock_path(data, name))

    def stop(self) -> None:
        self._stopping.set()

    def run(self, started: Callable[[], None] | None = None) -> None:
        """Start all children, call `started`, and keep them running; raises ChildGaveUp where one
        cannot run until an operator mends something. A disk that fills later ends nothing."""
        for directory in ("run", "logs"):
            private_directory(self._data / directory)
        try:
            self._lock.acquire(timeout=_GLANCE.total_seconds())
        except Timeout:
            raise AlreadyRunning(self._data) from None
        try:
            # Where an earlier supervisor was killed, its pids are by now perhaps those of strangers.
            self._state.unlink(missing_ok=True)
            for child in self._children:
                self._running[child.name] = self._start(child)
            self._write_state()
            if started is not None:
                started()
            while not self._stopping.wait(0.2):
                self._tend()
        finally:
            self._stop_all()
            with suppress(OSError):  # what ended us says more
                self._state.unlink(missing_ok=True)
            self._lock.release()

    def _start(self, child: Child, failures: int = 0, restarts: int = 0) -> _Running:
        with self._output(child) as output:
            spoke_from = output.tell() if output is not None else 0
            process = subprocess.Popen(
                [sys.executable, "-m", child.module, *child.arguments],
                env=child_environment(**child.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its own session: Ctrl-C in the terminal reaches us alone, and we stop children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return _Running(child, process, time.monotonic(), failures, restarts, spoke_from)

    def _output(self, child: Child) -> AbstractContextManager[IO[bytes] | None]:
        """A log file for the child, or nothing where it writes to our own stderr (in a pod)."""
        return open(self._log_of(child), "ab") if self._log_files else nullcontext()

    def _log_of(self, child: Child) -> Path:
        return self._data / "logs" / f"{child.name}.log"

    def _tend(self) -> None:
        now = time.monotonic()
        for name, running in self._running.items():
            status = running.process.poll()
            if status is None:
                continue
            if running.due is None:
                lived = timedelta(seconds=now - running.started)
                if status == OPERATOR_STATUS and not running.restarts and lived < _STARTING:
                    raise ChildGaveUp(self._last_words(running))
                running.failures = 0 if lived > _HEALTHY_AFTER else running.failures + 1
                running.due = now + _backoff(running.failures)
                log.warning("%s ended (status %d) and is started again", name, status)
            if now >= running.due:
                try:
                    self._running[name] = self._start(running.child, running.failures, running.restarts + 1)
                except OSError as error:
                    # A full disk, or no memory for another process: the other children go on meanwhile.
                    running.failures += 1
                    running.due = now + _backoff(running.failures)
                    log.error(
                        "%s cannot be started, which is tried again in %.0f s: %s",
                        name,
                        running.due - now,
                        error.strerror,
                    )
                else:
                    self._state_due = now
        if self._state_due is not None and now >= self._state_due:
            try:
                self._write_state()
            except OSError as error:
                self._state_due = now + _MAX_BACKOFF.total_seconds()
                log.error("%s cannot be written, and is out of date: %s", self._state, error.strerror)
            else:
                self._state_due = None

    def _last_words(self, running: _Running) -> str:
        """The sentence that the child ended with; on a full disk its log may not have taken it."""
        if not self._log_files:
            return f"{running.child.name} ended: see its message above."
        path = self._log_of(running.child)
        with suppress(OSError), open(path, "rb") as file:
            file.seek(running.spoke_from)
            for line in reversed(file.read().decode(errors="replace").splitlines()):
                if line.startswith(_SPEAKER):
                    return line.removeprefix(_SPEAKER)
        return f"{running.child.name} ended: see {str(path)!r}."

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


def supervisor_runs(data: Path, name: str = "all") -> bool:
    """Whether an installation (`curbside up`) runs on `data`, or another supervisor there, by its `name`: it
    holds a lock for as long as it lives, while its pid outlives it in a file and may be another process's by
    then."""
    path = lock_path(data, name)
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def state_path(data: Path, name: str) -> Path:
    """Where the supervisor `name` of `data` writes the pids of its processes."""
    return data / "run" / ("processes.json" if name == "all" else f"processes-{name}.json")


def lock_path(data: Path, name: str) -> Path:
    """The lock that the supervisor `name` of `data` holds for as long as it lives."""
    return data / "run" / f"supervisor-{name}.lock"


def _backoff(failures: int) -> float:
    """Seconds, doubling from half a second."""
    return float(min(0.5 * 2 ** min(failures, 10), _MAX_BACKOFF.total_seconds()))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
