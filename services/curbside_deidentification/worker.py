"""A worker process: one loaded model, behind gRPC on a private unix socket. Stateless."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from curbside.contracts.codec import PhiDocument
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.contracts.v1 import deidentification_worker_pb2 as worker_pb
from curbside.contracts.v1 import deidentification_worker_pb2_grpc as worker_rpc
from curbside.errors import OperatorError
from curbside.settings import RuntimeSettings, load
from curbside_deidentification.detector import MODEL_ASSET, Detector
from curbside_deidentification.domain.policy import Policy, load_policy
from curbside_deidentification.pipeline import deidentify
from curbside_deidentification.settings import DeidentificationSettings
from curbside_deidentification.together import Reader, read_together
from curbside_deidentification.wire import BEGUN, MESSAGE_OPTIONS, document_of, to_response

log = logging.getLogger(__name__)
# sockaddr_un.sun_path holds 108 bytes on Linux, the terminator included (man 7 unix).
_LONGEST_SOCKET_PATH: Final = 107
# Four: one call computes, and health is answered while others wait for it.
_THREADS: Final = 4
_GRACE_SECONDS: Final = 10.0
# The caller gave up at its deadline. Two seconds more let what is nearly done end, and spare a restart.
_BEYOND_DEADLINE: Final = timedelta(seconds=2)


class BadSocketPath(OperatorError):
    code = "operator.bad-socket-path"


Limit = Callable[[timedelta], AbstractContextManager[None]]


def no_limit(limit: timedelta) -> AbstractContextManager[None]:
    """For a process that is not the worker's own: a timer would end it."""
    return nullcontext()


@contextmanager
def ended_after(limit: timedelta) -> Iterator[None]:
    """The kernel ends this process where the block takes longer than `limit`, and its supervisor restarts it.

    Nothing else can: `re` and spaCy hold the interpreter's lock, so neither a thread nor a Python handler
    would run. Sound only where SIGALRM is at its default, the process does one thing at a time, and
    whatever it does may be lost.
    """
    signal.setitimer(signal.ITIMER_REAL, limit.total_seconds())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class WorkerServicer(rpc.DeidentificationServicer, worker_rpc.DeidentificationWorkerServicer):
    """One document at a time: the model holds the interpreter, so a second thread would only slow both.

    `limit` bounds the time that one takes; `longest` is for a caller that sets no deadline.
    """

    def __init__(
        self,
        detector: Reader,
        policy: Policy,
        *,
        longest: timedelta = timedelta(minutes=1),
        limit: Limit = no_limit,
    ) -> None:
        self._detector = detector
        self._policy = policy
        self._longest = longest
        self._limit = limit
        self._turn = threading.Lock()

    def Deidentify(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        document: PhiDocument = document_of(request)
        with self._turn:
            if not context.is_active():
                # The caller's deadline passed while it waited; nobody would read the answer.
                context.abort(grpc.StatusCode.CANCELLED, "the caller no longer waits")
            # Sent before the work, so that a caller whose worker dies knows that it was at this document.
            context.send_initial_metadata(((BEGUN, "1"),))
            remaining = context.time_remaining()
            allowed = self._longest if remaining is None else timedelta(seconds=max(remaining, 0))
            with self._limit(allowed + _BEYOND_DEADLINE):
                return to_response(deidentify(document, self._detector, self._policy))

    def DeidentifyGroup(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        """Each document has the time of one, and so has the reading of all of them before the first."""
        documents = list(map(document_of, request.requests))
        limit = (timedelta(seconds=request.seconds_each) or self._longest) + _BEYOND_DEADLINE
        with self._turn, self._limit(limit):
            finders = read_together(documents, self._detector, self._policy)
        step = worker_pb.DeidentifyGroupStep()
        for number, (document, finder) in enumerate(zip(documents, finders, strict=True)):
            step.begun = number
            yield step
            with self._turn:
                if not context.is_active():
                    return  # nobody reads the others
                with self._limit(limit):
                    step = worker_pb.DeidentifyGroupStep(
                        response=to_response(deidentify(document, finder, self._policy))
                    )
        step.begun = len(documents)
        yield step

    def DeidentifyStream(self, request_iterator: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a worker has no stream: ask the service")

    def Restore(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a worker keeps no mapping: ask the service")

    RestoreAnswer = Restore


def run_worker(socket: Path, settings: DeidentificationSettings) -> None:
    """Load the model, then serve on `socket` until SIGTERM. Raises OperatorError where it cannot start."""
    from curbside.assets import ensure

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # `ended_after` relies on it
    path = _prepared(socket)
    detector = Detector(ensure(MODEL_ASSET, load(RuntimeSettings).cache))
    if stopping.is_set():
        return
    servicer = WorkerServicer(detector, load_policy(), longest=settings.call_timeout, limit=ended_after)
    server = _bound(path, servicer)
    log.info("worker serves", extra={"socket": path.name, "policy": load_policy().label})
    stopping.wait()
    server.stop(_GRACE_SECONDS).wait()
    path.unlink(missing_ok=True)


def _prepared(socket: Path) -> Path:
    """The absolute path of the socket, its directory made with mode 0700, a stale socket removed."""
    path = socket.expanduser().absolute()
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise BadSocketPath(
            f"the socket path {str(path)!r} is longer than {_LONGEST_SOCKET_PATH} bytes: "
            "set CURBSIDE_RUNTIME__DATA_DIR to a shorter path."
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    return path


def _bound(path: Path, servicer: WorkerServicer) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=MESSAGE_OPTIONS)
    rpc.add_DeidentificationServicer_to_server(servicer, server)
    worker_rpc.add_DeidentificationWorkerServicer_to_server(servicer, server)
    checks = health.HealthServicer()
    checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    # The socket is born private: a chmod afterwards would leave it open for a moment.
    previous = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{path}")
        server.start()
    finally:
        os.umask(previous)
    return server
