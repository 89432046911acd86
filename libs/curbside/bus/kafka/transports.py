"""kafka-python 3.0.12's transports, mended in two places that made an error disappear.

What arrives together with the end of a connection was dropped: a broker that refuses a password says so and
hangs up, and on a busy machine both are read at once. And a TLS handshake was waited for without limit: a
server that accepts and then says nothing kept what a consumer fetches from it, silently, for as long.
"""

from __future__ import annotations

import ssl
import time
from datetime import timedelta
from typing import Any, Final

from kafka.net import manager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

# As long as kafka-python lets the TCP connection before it take.
_HANDSHAKE: Final = timedelta(seconds=10)


class _HearsToTheEnd:
    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        received, error = super()._sock_recv()  # type: ignore[misc]
        # The socket stays readable at its end, so the error comes with the next call.
        return received, None if received else error


class TcpTransport(_HearsToTheEnd, KafkaTCPTransport):  # type: ignore[misc]
    """A connection in plaintext."""


class TlsTransport(_HearsToTheEnd, KafkaSSLTransport):  # type: ignore[misc]
    """A connection by TLS."""

    _net: Any
    _sock: ssl.SSLSocket

    async def handshake(self) -> None:
        """Agree with the server. Raises KafkaTimeoutError, or what `ssl` says."""
        give_up_at = time.monotonic() + _HANDSHAKE.total_seconds()
        while True:
            try:
                return self._sock.do_handshake()
            except ssl.SSLWantReadError:
                await self._net.wait_read(self._sock, give_up_at)
            except ssl.SSLWantWriteError:
                await self._net.wait_write(self._sock, give_up_at)


def install() -> None:
    """Let every client of this process use them."""
    manager.KafkaTCPTransport = TcpTransport
    manager.KafkaSSLTransport = TlsTransport
