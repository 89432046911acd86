"""A real Kubernetes API server, where KUBEBUILDER_ASSETS names a directory with `etcd` and `kube-apiserver`.

It finds what no schema can: a name that is too long, a selector that does not match its labels, a volume that
is mounted and not there, a pod that the "restricted" Pod Security Standard refuses. deploy/README.md says how
to build the two programs.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx2
from rendering import Document

ASSETS: Final = "KUBEBUILDER_ASSETS"
NAMESPACES: Final = ("curbside", "curbside-data")
# The custom kinds' operators are not there; strictness.py has their schemas.
_CUSTOM: Final = ("ray.io/", "monitoring.coreos.com/")
_TOKEN: Final = "api-server-of-make-chart"  # noqa: S105, of a server that listens on this machine for seconds
_READY_SECONDS: Final = 60


class ServerFailed(Exception):
    """etcd or the API server did not come up; the message ends with what it said last."""


def server_faults(client: httpx2.Client, documents: Iterable[Document]) -> Iterator[str]:
    """What the server refuses or warns of, where each of `documents` is applied without being kept."""
    for document in documents:
        if document["apiVersion"].startswith(_CUSTOM):
            continue
        place = f"{document['kind']}/{document['metadata']['name']}"
        answer = client.patch(
            _address(client, document),
            params={
                "dryRun": "All",
                "fieldManager": "make-chart",
                "fieldValidation": "Strict",
                "force": "true",
            },
            headers={"Content-Type": "application/apply-patch+yaml"},
            json=document,
        )
        if answer.is_error:
            yield f"{place}: {answer.json()['message']}"
        for warning in answer.headers.get_list("Warning"):
            if not _expected(document, warning):
                yield f"{place}: {warning}"


def _expected(document: Document, warning: str) -> bool:
    """TGI's image runs as root and as nobody else (values.yaml, tgi.runAsUser)."""
    labels = document["metadata"].get("labels", {})
    return labels.get("app.kubernetes.io/component") == "tgi" and "runAsNonRoot" in warning


def _address(client: httpx2.Client, document: Document) -> str:
    version = document["apiVersion"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    answer = client.get(group)
    answer.raise_for_status()
    (resource,) = [
        one
        for one in answer.json()["resources"]
        if one["kind"] == document["kind"] and "/" not in one["name"]
    ]
    place = ""
    if resource["namespaced"]:
        place = f"/namespaces/{document['metadata'].get('namespace', NAMESPACES[0])}"
    return f"{group}{place}/{resource['name']}/{document['metadata']['name']}"


@contextmanager
def api_server(assets: Path) -> Iterator[httpx2.Client]:
    """A client of a fresh API server that has both namespaces. Raises ServerFailed."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key, tokens = place / "service-account.key", place / "tokens.csv"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens.write_text(f"{_TOKEN},admin,admin,system:masters\n")
        etcd, peers, port = _free_port(), _free_port(), _free_port()
        log = place / "etcd.log"
        stack.enter_context(
            _running(
                log,
                assets / "etcd",
                {
                    "data-dir": place / "etcd",
                    "listen-client-urls": f"http://127.0.0.1:{etcd}",
                    "advertise-client-urls": f"http://127.0.0.1:{etcd}",
                    "listen-peer-urls": f"http://127.0.0.1:{peers}",
                },
            )
        )
        log = place / "kube-apiserver.log"
        server = stack.enter_context(
            _running(
                log,
                assets / "kube-apiserver",
                {
                    "etcd-servers": f"http://127.0.0.1:{etcd}",
                    "bind-address": "127.0.0.1",
                    "secure-port": port,
                    "cert-dir": place / "certificates",
                    "authorization-mode": "RBAC",
                    "token-auth-file": tokens,
                    "service-account-issuer": "https://kubernetes.default.svc",
                    "service-account-key-file": key,
                    "service-account-signing-key-file": key,
                    "service-cluster-ip-range": "10.0.0.0/24",
                },
            )
        )
        client = stack.enter_context(
            httpx2.Client(
                base_url=f"https://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {_TOKEN}"},
                verify=False,  # its certificate is of its own making, as is the token
                timeout=30,
            )
        )
        _wait(client, server, log)
        for name in NAMESPACES:
            client.post("/api/v1/namespaces", json=_namespace(name)).raise_for_status()
        yield client


def _namespace(name: str) -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/warn": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _wait(client: httpx2.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(httpx2.TransportError):  # it does not listen yet
            if client.get("/readyz").is_success:
                return
        time.sleep(0.25)
    raise ServerFailed(f"the API server is not ready: {log.read_text()[-1000:]}")


@contextmanager
def _running(log: Path, program: Path, flags: Mapping[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        arguments = [f"--{name}={value}" for name, value in flags.items()]
        process = subprocess.Popen([program, *arguments], stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
