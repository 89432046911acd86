"""MLLP over real sockets: every message is answered in order, and no peer can hold or break the listener."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from curbside_ingestion.mllp import END, START, MllpServer

MESSAGE = b"MSH|^~\\&|RIS|NORTH|||20260301||ORU^R01|%d|P|2.5.1\rPID|1\r"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Listen = Callable[..., Awaitable[MllpServer]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Starts listeners, and stops them when the test is over."""
    started: list[MllpServer] = []

    async def start(receive: Callable[[bytes], Awaitable[bytes]], **options: Any) -> MllpServer:
        given = {"max_message_bytes": 100_000, "max_connections": 8, "idle_seconds": 20.0} | options
        server = MllpServer(receive, host="127.0.0.1", port=0, **given)
        await server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        await server.stop()


async def echo(message: bytes) -> bytes:
    return b"of " + message


async def connect(server: MllpServer) -> Streams:
    return await asyncio.open_connection(*server.address)


def framed(message: bytes) -> bytes:
    return START + message + END


async def answer(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readuntil(END)).removeprefix(START).removesuffix(END)


async def test_messages_of_a_connection_are_answered_in_order(listen: Listen) -> None:
    reader, writer = await connect(await listen(echo))
    for number in range(3):
        writer.write(framed(MESSAGE % number))
        assert await answer(reader) == b"of " + MESSAGE % number
    writer.write(b"".join(framed(MESSAGE % number) for number in range(50)))
    assert [await answer(reader) for _ in range(50)] == [b"of " + MESSAGE % number for number in range(50)]


async def test_a_message_may_come_byte_by_byte_and_between_stray_bytes(listen: Listen) -> None:
    reader, writer = await connect(await listen(echo))
    for byte in b"\r\n?" + framed(MESSAGE % 1) + b"\n  " + framed(MESSAGE % 2):
        writer.write(bytes([byte]))
        await writer.drain()
    assert await answer(reader) == b"of " + MESSAGE % 1
    assert await answer(reader) == b"of " + MESSAGE % 2


async def test_a_half_closed_connection_is_answered_first(listen: Listen) -> None:
    reader, writer = await connect(await listen(echo))
    writer.write(framed(MESSAGE % 1) + framed(MESSAGE % 2) + START + b"MSH|half")
    writer.write_eof()
    assert await reader.read() == framed(b"of " + MESSAGE % 1) + framed(b"of " + MESSAGE % 2)


async def test_nothing_is_sent_where_nothing_is_asked_for(listen: Listen) -> None:
    async def silent(message: bytes) -> bytes:
        return b"" if b"|1|" in message else b"heard"

    reader, writer = await connect(await listen(silent))
    writer.write(framed(MESSAGE % 1) + framed(MESSAGE % 2))
    assert await answer(reader) == b"heard"


async def test_a_failure_is_answered_without_its_words_and_the_connection_stays(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail_first(message: bytes) -> bytes:
        if b"|1|" in message:
            raise RuntimeError("of Wolfgang Katzenbach")
        return b"heard"

    reader, writer = await connect(await listen(fail_first))
    with caplog.at_level(logging.DEBUG):
        writer.write(framed(MESSAGE % 1) + framed(MESSAGE % 2))
        refusal = await answer(reader)
    assert b"MSA|AE|1" in refusal
    assert b"207^Application internal error" in refusal
    assert b"Katzenbach" not in refusal
    assert "Katzenbach" not in caplog.text
    assert await answer(reader) == b"heard"


async def test_the_next_message_is_not_taken_while_one_is_answered(listen: Listen) -> None:
    taken: list[bytes] = []
    may_answer = asyncio.Event()

    async def hold(message: bytes) -> bytes:
        taken.append(message)
        await may_answer.wait()
        return b"heard"

    server = await listen(hold)
    reader, writer = await connect(server)
    writer.write(framed(MESSAGE % 1) + framed(MESSAGE % 2))
    other_reader, other_writer = await connect(server)
    other_writer.write(framed(MESSAGE % 3))
    while len(taken) < 2:
        await asyncio.sleep(0)
    assert taken == [MESSAGE % 1, MESSAGE % 3]
    may_answer.set()
    assert await answer(reader) == await answer(reader) == await answer(other_reader) == b"heard"


@pytest.mark.parametrize("ended", [True, False])
async def test_a_message_that_is_too_long_is_rejected(listen: Listen, ended: bool) -> None:
    reader, writer = await connect(await listen(echo, max_message_bytes=1_000))
    writer.write(START + MESSAGE % 1 + b"x" * 200_000 + (END if ended else b""))
    refusal = await answer(reader)
    assert b"MSA|AR|1" in refusal
    assert await reader.read() == b""


async def test_a_peer_that_speaks_something_else_is_dropped(listen: Listen) -> None:
    reader, writer = await connect(await listen(echo))
    writer.write(b"GET / HTTP/1.1" * 1_000)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)


@pytest.mark.parametrize("begun", [b"", START + b"MSH|"])
async def test_a_peer_that_is_silent_is_dropped(listen: Listen, begun: bytes) -> None:
    reader, writer = await connect(await listen(echo, idle_seconds=0.05))
    writer.write(begun)
    assert await reader.read() == b""


async def test_a_connection_too_many_is_refused_and_a_place_is_free_again(listen: Listen) -> None:
    server = await listen(echo, max_connections=1)
    reader, writer = await connect(server)
    writer.write(framed(MESSAGE % 1))
    await answer(reader)
    refused, _ = await connect(server)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await refused.readexactly(1)
    writer.write_eof()
    assert await reader.read() == b""
    reader, writer = await connect(server)
    writer.write(framed(MESSAGE % 2))
    assert await answer(reader) == b"of " + MESSAGE % 2


async def test_stopping_waits_for_what_is_being_answered(listen: Listen) -> None:
    begun, may_answer = asyncio.Event(), asyncio.Event()

    async def hold(message: bytes) -> bytes:
        begun.set()
        await may_answer.wait()
        return b"durable"

    server = await listen(hold)
    address = server.address
    idle, _ = await connect(server)
    reader, writer = await connect(server)
    writer.write(framed(MESSAGE % 1) + framed(MESSAGE % 2))
    await begun.wait()
    stopping = asyncio.create_task(server.stop())
    assert await idle.read() == b""
    assert not stopping.done()
    may_answer.set()
    assert await reader.read() == framed(b"durable")
    await stopping
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(*address)


async def test_a_message_is_received_whole_though_its_sender_left(listen: Listen) -> None:
    received, may_answer = asyncio.Event(), asyncio.Event()

    async def hold(message: bytes) -> bytes:
        await may_answer.wait()
        received.set()
        return b"durable"

    server = await listen(hold)
    _, writer = await connect(server)
    writer.write(framed(MESSAGE % 1))
    await writer.drain()
    writer.transport.abort()
    may_answer.set()
    async with asyncio.timeout(10):
        await received.wait()
