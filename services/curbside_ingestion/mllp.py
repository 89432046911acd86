"""A listener for HL7 v2 over TCP: MLLP, "Minimal Lower Layer Protocol, Release 1" (HL7, 2003)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from prometheus_client import Counter

from curbside_ingestion.acknowledging import Code, acknowledgement

log = logging.getLogger(__name__)

START: Final = b"\x0b"  # <SB>
END: Final = b"\x1c\r"  # <EB><CR>
_CHUNK: Final = 65_536
_HEAD: Final = 8_192  # of a message that is too long: its MSH, to answer it by
_MOST_STRAY: Final = 1_024  # bytes outside a frame before the peer is taken for no MLLP sender
_LINGER_SECONDS: Final = 2.0  # for a peer to read why it is refused while it still sends
MESSAGES: Final = Counter(
    "curbside_ingestion_mllp_messages",
    "Messages over MLLP by outcome: answered, failed (answered AE), oversized.",
    ["outcome"],
)

Receive = Callable[[bytes], Awaitable[bytes]]


class _OversizedError(Exception):
    def __init__(self, head: bytes) -> None:
        super().__init__("the message is too long")
        self.head = head


class _StrayError(Exception):
    """The peer does not speak MLLP."""


@dataclass(eq=False)
class _Connection:
    task: asyncio.Task[None]
    answering: bool = False


class MllpServer:
    """Listens, and answers each message with what `receive` returns, in order, one at a time per connection.

    `receive` returns the acknowledgement once the message is durable, or nothing where the sender wants
    none; it is never cancelled for a peer that left. While one message is answered the next is not read: the
    kernel's window tells the sender to wait. A peer has `idle_seconds` for a message, from the answer before
    to its end.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        host: str,
        port: int,
        max_message_bytes: int,
        max_connections: int,
        idle_seconds: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._receive = receive
        self._host, self._port, self._tls = host, port, tls
        self._max_message_bytes = max_message_bytes
        self._max_connections = max_connections
        self._idle_seconds = idle_seconds
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._stopping = False

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, with the port that the system gave for port 0."""
        if self._server is None:
            raise RuntimeError("the listener is not started")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve,
            self._host,
            self._port,
            ssl=self._tls,
            limit=_CHUNK,
            ssl_handshake_timeout=self._idle_seconds if self._tls else None,
        )

    async def stop(self) -> None:
        """Take no further message, and wait until those that are being answered are."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            if not connection.answering:
                connection.task.cancel()
        await asyncio.gather(*(one.task for one in self._connections), return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._stopping or len(self._connections) >= self._max_connections:
            log.warning("connection refused", extra={"connections": len(self._connections)})
            writer.transport.abort()
            return
        connection = _Connection(task)
        self._connections.add(connection)
        try:
            await self._converse(connection, _Frames(reader, self._max_message_bytes), writer)
        except _OversizedError as error:
            MESSAGES.labels(outcome="oversized").inc()
            text = f"The message has more than {self._max_message_bytes} bytes."
            refusal = _refusal(error.head, "AR", text, "199")
            await self._refuse(refusal, reader, writer)
        except _StrayError:
            log.warning("a peer does not speak MLLP")
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # the peer is silent, or gone: what it sent and was not answered it will send again
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _converse(self, connection: _Connection, frames: _Frames, writer: asyncio.StreamWriter) -> None:
        while not self._stopping:
            async with asyncio.timeout(self._idle_seconds):
                message = await frames.next()
            if message is None:
                return
            connection.answering = True
            answer = await self._answer(message)
            if answer:
                writer.write(START + answer + END)
                async with asyncio.timeout(self._idle_seconds):
                    await writer.drain()
            connection.answering = False

    async def _answer(self, message: bytes) -> bytes:
        try:
            answer = await self._receive(message)
        except Exception as error:
            # Only its name: what it says may be of the message.
            log.error("a message could not be received", extra={"error": type(error).__name__})
            MESSAGES.labels(outcome="failed").inc()
            return _refusal(message, "AE", "The message could not be received. Send it again.", "207")
        MESSAGES.labels(outcome="answered").inc()
        return answer

    async def _refuse(
        self, answer: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Say it, and read on a little: a socket that is closed with unread bytes resets what was said."""
        try:
            async with asyncio.timeout(min(_LINGER_SECONDS, self._idle_seconds)):
                if answer:
                    writer.write(START + answer + END)
                if writer.can_write_eof():
                    writer.write_eof()
                await writer.drain()
                while await reader.read(_CHUNK):
                    pass
        except (TimeoutError, OSError):
            pass


class _Frames:
    """The messages of a stream of bytes."""

    def __init__(self, reader: asyncio.StreamReader, max_bytes: int) -> None:
        self._reader = reader
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._searched = 0  # bytes of the buffer that hold no end

    async def next(self) -> bytes | None:
        """The next message without its frame; None at the end, also in the midst of one that is not whole.

        Raises _OversizedError, or _StrayError.
        """
        stray = 0
        while True:
            start = self._buffer.find(START)
            stray += _count_stray(self._buffer[:start] if start >= 0 else self._buffer)
            if stray > _MOST_STRAY:
                raise _StrayError
            if start >= 0:
                del self._buffer[: start + 1]
                break
            self._buffer.clear()
            if not await self._fill():
                return None
        self._searched = 0
        while (end := self._buffer.find(END[:1], self._searched)) < 0:
            self._searched = len(self._buffer)
            self._refuse_oversized(self._searched)
            if not await self._fill():
                return None
        self._refuse_oversized(end)
        message = bytes(self._buffer[:end])
        # FS ends the block: it may not stand in its content. The CR behind it is no part of the next one.
        del self._buffer[: end + 1]
        return message

    async def _fill(self) -> bool:
        chunk = await self._reader.read(_CHUNK)
        self._buffer += chunk
        return bool(chunk)

    def _refuse_oversized(self, length: int) -> None:
        if length > self._max_bytes:
            raise _OversizedError(bytes(self._buffer[:_HEAD]))


def _count_stray(data: bytes | bytearray) -> int:
    """Bytes between frames that are not the CR of an end, or a line end that a sender adds to it."""
    return len(data) - data.count(b"\r") - data.count(b"\n")


def _refusal(message: bytes, code: Code, text: str, error_code: str) -> bytes:
    return acknowledgement(message, code, at=datetime.now(UTC), text=text, error_code=error_code)
