"""`curbside up --full` without its servers: what it waits for, whom it tells what, and how it is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from curbside.runtime.full import _stopped_in_order
from curbside.runtime.installation import provide_tokens
from curbside.runtime.kinds import Kind, OtherKind, check_kind, record_kind
from curbside.runtime.platform import key_ring, open_tokens
from curbside.settings import RuntimeSettings, child_environment, passing_environment
from curbside.testing.servers.certificates import write_certificates
from curbside.testing.servers.process import answers_over_tls
from curbside.testing.servers.s3 import LocalS3


@contextmanager
def listening(certificate: Path | None) -> Iterator[int]:
    """Something that listens, over TLS with `certificate`, and does nothing else; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        if certificate is not None:
                            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                            context.load_cert_chain(certificate)
                            context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_only_a_server_with_our_certificate_counts_as_ready(tmp_path: Path) -> None:
    ours, strangers = tmp_path / "ours", tmp_path / "strangers"
    for directory in (ours, strangers):
        directory.mkdir()
        write_certificates(directory)
    with listening(ours / "server.pem") as port:
        assert answers_over_tls(port, ours / "ca.pem")
        assert not answers_over_tls(port, strangers / "ca.pem")
        assert not answers_over_tls(port, tmp_path / "not-there-yet")
        # It listens, and has no volume to write to.
        assert not LocalS3(ours, port=port).answers()
    with listening(None) as port:
        assert not answers_over_tls(port, ours / "ca.pem")


def test_a_stop_interrupts_once_and_what_was_there_before_is_there_after() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), _stopped_in_order():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # of somebody impatient, while the servers stop
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


HELD = """
import os, signal
from curbside.errors import OperatorError
from curbside.testing.servers.process import hold

class Server:
    def start(self):
        {start}
    def stop(self):
        print("stopped")
    def wait(self):
        return 7

hold(Server(), lambda: "started")
"""


@pytest.mark.parametrize(
    ("start", "status", "said", "complained"),
    [
        ("return", 7, "started\n", ""),
        ("os.kill(os.getpid(), signal.SIGTERM)", 0, "stopped\n", ""),
        (
            "raise OperatorError('it lacks x', mend='Install x.')",
            2,
            "stopped\n",
            "curbside: it lacks x. Install x.\n",
        ),
    ],
)
def test_a_server_is_held_until_it_ends_or_is_stopped(
    start: str, status: int, said: str, complained: str
) -> None:
    script = HELD.format(start=start)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, said, complained)


def test_what_provisioning_alone_may_know_is_in_no_later_environment() -> None:
    name = "CURBSIDE_PROVISION__DATABASE_ADMIN_URL_FILE"
    with pytest.raises(ValueError, match="meanwhile"), passing_environment(**{name: "/x", "HOME": "/y"}):
        assert child_environment()[name] == "/x"
        raise ValueError("meanwhile")
    assert name not in child_environment()
    assert child_environment().get("HOME") != "/y"


def test_a_data_directory_belongs_to_how_it_was_first_run(runtime: RuntimeSettings) -> None:
    for kind in Kind:
        check_kind(runtime, kind)
    record_kind(runtime, Kind.FULL)
    check_kind(runtime, Kind.FULL)
    with pytest.raises(OtherKind, match="without --full"):
        check_kind(runtime, Kind.EMBEDDED)


def test_what_an_earlier_release_ran_is_refused_to_full_until_it_is_carried(runtime: RuntimeSettings) -> None:
    provide_tokens(runtime)
    check_kind(runtime, Kind.EMBEDDED)
    with pytest.raises(OtherKind) as refused:
        check_kind(runtime, Kind.FULL)
    assert f"curbside migrate --from {runtime.data} --full" in refused.value.sentence
    record_kind(runtime, Kind.FULL)
    check_kind(runtime, Kind.FULL)


def test_a_token_that_the_store_does_not_know_is_issued_anew(runtime: RuntimeSettings) -> None:
    admin = provide_tokens(runtime)
    paths = (admin, runtime.service_token_path)
    first = [path.read_text() for path in paths]
    assert [path.read_text() for path in paths] == first
    for file in runtime.data.glob("identity.db*"):
        file.unlink()
    provide_tokens(runtime)
    second = [path.read_text() for path in paths]
    assert not set(first) & set(second)

    async def roles() -> list[set[str]]:
        tokens, database = open_tokens(runtime, key_ring(runtime))
        try:
            return [{*(await tokens.authenticate(token.strip())).roles} for token in second]
        finally:
            await database.close()

    assert asyncio.run(roles()) == [{"administrator"}, {"service"}]
