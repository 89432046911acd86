"""Servers as children of this process: their logs, when they are ready, and how they end."""

from __future__ import annotations

import ctypes
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from curbside.errors import OperatorError

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)  # loaded before any fork: between fork and exec little may be done
_LAST_WORDS: Final = 2_000  # characters of a log in an error: a stack trace's first frames


class ServerDidNotStart(OperatorError):
    code = "operator.server-did-not-start"


class Server(Protocol):
    """What `hold` needs of a server of any kind."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def wait(self) -> int: ...


def die_with_parent() -> None:
    """In a child before its exec: it is killed when the *thread* that started it ends.

    A server must therefore be started by a thread that lives as long as it is needed: the main one.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that were free a moment ago, all different.

    Below those that the kernel gives to outgoing connections: a server that is killed and started again must
    not find its port taken by a client that looks for it.
    """
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    # Not the seeded generator: hypothesis gives that one the same state again and again.
    candidates = random.SystemRandom().sample(range(10_000, max(lowest_outgoing, 20_000)), k=1_000)
    return list(itertools.islice((port for port in candidates if not taken(port)), count))


def taken(port: int) -> bool:
    """Whether a server could not listen on `port` of the loopback address."""
    with socket.socket() as attempt:
        # As servers do: what still waits for late packets of a connection that was is no hindrance.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_port() -> int:
    return free_ports(1)[0]


def unprivileged_user(*preferred: str) -> str | None:
    """Whom a server runs as that refuses root: None (us) where we are not root, else the first that exists
    of `preferred` and "nobody". Raises OperatorError where none does."""
    if os.geteuid() != 0:
        return None
    for name in (*preferred, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise OperatorError(f"there is no user {' or '.join(map(repr, (*preferred, 'nobody')))} on this machine")


def start_child(
    command: Sequence[str | Path],
    *,
    log: Path,
    user: str | None = None,
    cwd: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """`command` as a child that dies with this process; what it prints is appended to `log`.

    `environment` None: this process's own. `user` needs root.
    """
    with open(log, "ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            cwd=cwd,
            env=environment,
            preexec_fn=die_with_parent,
        )


def wait_until(
    answers: Callable[[], bool],
    process: subprocess.Popen[bytes],
    name: str,
    *,
    log: Path | None = None,
    seconds: float = 120,
) -> None:
    """Until `answers`. Raises ServerDidNotStart when `process` ends first, or after `seconds`.

    Two minutes: a broker starts in three seconds, and in forty on a machine that compiles meanwhile.
    """
    deadline = time.monotonic() + seconds
    while not answers():
        status = process.poll()
        if status is not None:
            raise ServerDidNotStart(f"{name} ended with status {status} before it answered{_last_words(log)}")
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise ServerDidNotStart(f"{name} did not answer within {seconds:.0f} s{_last_words(log)}")
        time.sleep(0.05)


class LocalServer:
    """A server with its files in `directory`, which a subclass starts as our child `_process`."""

    _stops_within: float = 30  # seconds; then it is killed

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """Stop in order; `start` continues with the same data, ports and passwords."""
        if self._process is not None:
            terminate(self._process, seconds=self._stops_within)
            self._process = None

    def kill(self) -> None:
        """kill -9; `start` recovers what was acknowledged."""
        if self._process is not None:
            kill_9(self._process)
            self._process = None

    def destroy(self) -> None:
        """Kill it, and leave no file behind."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def wait(self) -> int:
        """Until the server ends by itself; its exit status."""
        assert self._process is not None
        return self._process.wait()


def listens(port: int, host: str = "127.0.0.1") -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def answers_over_tls(port: int, ca_file: Path, host: str = "127.0.0.1") -> bool:
    """Whether what listens there shows a certificate of the authority in `ca_file`, and is no stranger who
    has the port."""
    with suppress(OSError):  # also where `ca_file` is not there yet, and what TLS says
        context = ssl.create_default_context(cafile=str(ca_file))
        with (
            socket.create_connection((host, port), timeout=5) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return True
    return False


def terminate(process: subprocess.Popen[bytes], *, seconds: float = 30) -> None:
    """Ask it to end, and kill it where it does not within `seconds`."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill_9(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL: nothing is flushed, closed or said goodbye to."""
    process.kill()
    process.wait()


def descendants(pid: int) -> list[int]:
    """The processes below `pid` now, nearest first."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # "pid (name) state parent …": a name may hold spaces and brackets.
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    found, below = [], [pid]
    while below:
        below = [child for parent in below for child in children.get(parent, [])]
        found += below
    return found


def hold(server: Server, started: Callable[[], str]) -> None:
    """Start `server`, print what `started` says, and hold it in the foreground: Ctrl-C or SIGTERM stops it in
    order, also while it starts.

    Exits with the server's status when that ends by itself, and with 2 and a sentence on stderr where an
    operator must mend something first.
    """

    def interrupt(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # once more would leave the server half stopped
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    try:
        server.start()
        print(started(), flush=True)
        raise SystemExit(server.wait())
    except KeyboardInterrupt:
        server.stop()
    except OperatorError as error:
        server.stop()
        print(f"curbside: {error.sentence}", file=sys.stderr)
        raise SystemExit(2) from None


def _last_words(log: Path | None) -> str:
    if log is None or not log.exists():
        return "."
    said = log.read_text(errors="replace").strip()
    return f". The end of {str(log)!r}:\n{said[-_LAST_WORDS:]}"
