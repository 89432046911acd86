"""A worker process: one loaded model, behind gRPC on a private unix socket. Stateless."""

from __future__ import annotations

import logging
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from curbside.contracts.codec import PhiDocument
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.errors import OperatorError
from curbside.settings import RuntimeSettings, load
from curbside_deidentification.detector import MODEL_ASSET, Detector
from curbside_deidentification.domain.policy import Policy, load_policy
from curbside_deidentification.pipeline import deidentify
from curbside_deidentification.settings import DeidentificationSettings
from curbside_deidentification.wire import MESSAGE_OPTIONS, document_of, to_response

log = logging.getLogger(__name__)
# sockaddr_un.sun_path holds 108 bytes on Linux, the terminator included (man 7 unix).
_LONGEST_SOCKET_PATH: Final = 107
# Four: one call computes, and health is answered while others wait for it.
_THREADS: Final = 4
_GRACE_SECONDS: Final = 10.0


class BadSocketPath(OperatorError):
    code = "operator.bad-socket-path"


class WorkerServicer(rpc.DeidentificationServicer):
    """One document at a time: the model holds the interpreter, so a second thread would only slow both."""

    def __init__(self, detector: Detector, policy: Policy) -> None:
        self._detector = detector
        self._policy = policy
        self._turn = threading.Lock()

    def Deidentify(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        document: PhiDocument = document_of(request)
        with self._turn:
            if not context.is_active():
                # The caller's deadline passed while it waited; nobody would read the answer.
                context.abort(grpc.StatusCode.CANCELLED, "the caller no longer waits")
            return to_response(deidentify(document, self._detector, self._policy))


def run_worker(socket: Path, settings: DeidentificationSettings) -> None:
    """Load the model, then serve on `socket` until SIGTERM. Raises OperatorError where it cannot start."""
    from curbside.assets import ensure

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    path = _prepared(socket)
    detector = Detector(ensure(MODEL_ASSET, load(RuntimeSettings).cache))
    if stopping.is_set():
        return
    server = _bound(path, WorkerServicer(detector, load_policy()))
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
