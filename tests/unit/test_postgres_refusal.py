"""A PostgreSQL that dies is waited for: only what it says itself is a refusal, which ends a start."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import psycopg
import pytest

from curbside.storage.postgres import refusal

SSL_REQUEST_BYTES = 8
MOST_BYTES = 16_384  # of a ClientHello; what is left unread would make the end a reset


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that takes TLS (S) and ends in the middle of its handshake, or takes none (N)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(SSL_REQUEST_BYTES)
                connection.sendall(request.param.encode())
                connection.recv(MOST_BYTES)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("port", ["S"], indirect=True)
def test_a_server_that_dies_while_a_connection_comes_about_does_not_refuse_it(port: int) -> None:
    with pytest.raises(psycopg.OperationalError) as failed:
        psycopg.connect(f"postgresql://someone@127.0.0.1:{port}/curbside?sslmode=require")
    assert refusal(failed.value) is None


@pytest.mark.parametrize("port", ["N"], indirect=True)
def test_a_server_without_tls_does(port: int) -> None:
    with pytest.raises(psycopg.OperationalError) as failed:
        psycopg.connect(f"postgresql://someone@127.0.0.1:{port}/curbside?sslmode=require")
    assert refusal(failed.value) is not None
