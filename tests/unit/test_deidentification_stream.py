"""Deidentify over gRPC: a stream answers by id and waits, a single call is refused when there is no room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc import aio

from curbside.contracts.codec import PhiDocument
from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.errors import BadInput
from curbside.identity.grpc import RightsInterceptor
from curbside.identity.principal import Principal, Role
from curbside.phi import PhiText
from curbside_deidentification import grpc as transport
from curbside_deidentification.flow import Room
from curbside_deidentification.pipeline import Result
from curbside_deidentification.pool import NoWorker, WorkerTimedOut

OF_SERVICE = {"metadata": (("authorization", "Bearer service north"),)}
WEIGHT = 1_000


class FakeTokens:
    """A token says its bearer's role and tenant."""

    async def authenticate(self, token: str) -> Principal:
        role, tenant = token.split()
        return Principal(f"token:{role}", tenant, frozenset({Role(role)}))


class Workers:
    """Finishes a text once it is told to; some fail by what they say."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []  # tenant, text
        self.cancelled: list[str] = []
        self.going = asyncio.Event()

    async def deidentify(self, document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
        text = document.text.reveal().strip()
        self.begun.append((tenant, text))
        if text.startswith("fail"):
            raise {
                "fail late": WorkerTimedOut("too late"),
                "fail bad": BadInput("no good", field="known", mend="Mend it."),
                "fail odd": ValueError(text),
                "fail all": NoWorker("nobody"),
            }[text]
        if text.startswith("wait"):
            try:
                await self.going.wait()
            except asyncio.CancelledError:
                self.cancelled.append(text)
                raise
        return Result(PhiText(text.upper()), (), 0.0, None, "p@1")

    async def restore(self, principal: Principal, text: PhiText, subject: str) -> PhiText:
        raise NotImplementedError

    async def until_begun(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.begun) < count:
                await asyncio.sleep(0.005)


@pytest.fixture
async def workers() -> Workers:
    return Workers()


@pytest.fixture
async def stub(workers: Workers) -> AsyncIterator[Any]:
    rooms = {"calls": Room(2 * WEIGHT), "streams": Room(3 * WEIGHT)}
    binding = transport.binding(workers.deidentify, workers.restore, workers.restore, **rooms)
    tokens: Any = FakeTokens()
    server = aio.server(interceptors=[RightsInterceptor(tokens, binding.scopes, frozenset())])
    binding.add(binding.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield rpc.DeidentificationStub(channel)
    await server.stop(None)


def request(text: str, tenant: str = "") -> pb.DeidentifyRequest:
    return pb.DeidentifyRequest(document=pb.PhiDocument(text=text.ljust(WEIGHT)), tenant=tenant)


def items(*texts: str) -> list[pb.DeidentifyStreamRequest]:
    return [pb.DeidentifyStreamRequest(id=f"id of {text}", request=request(text)) for text in texts]


async def test_each_answer_has_its_requests_id_and_comes_when_it_is_ready(
    stub: Any, workers: Workers
) -> None:
    call = stub.DeidentifyStream(iter(items("wait", "b", "c")), **OF_SERVICE)
    first = [await call.read() for _ in range(2)]
    assert {(answer.id, answer.response.text) for answer in first} == {("id of b", "B"), ("id of c", "C")}
    workers.going.set()
    assert (await call.read()).id == "id of wait"
    assert await call.read() is aio.EOF
    assert {tenant for tenant, _ in workers.begun} == {"north"}


async def test_a_text_that_fails_is_an_answer_and_ends_nothing(stub: Any, workers: Workers) -> None:
    call = stub.DeidentifyStream(iter(items("fail late", "fail bad", "fail odd", "b")), **OF_SERVICE)
    answers = {answer.id: answer async for answer in call}
    assert answers["id of b"].response.text == "B"
    problems = {id_: answer.problem for id_, answer in answers.items() if answer.HasField("problem")}
    assert {id_: problem.code for id_, problem in problems.items()} == {
        "id of fail late": "deid.timed-out",
        "id of fail bad": "input.invalid",
        "id of fail odd": "internal",
    }
    bad = problems["id of fail bad"]
    assert (bad.message, bad.field, bad.mend) == ("no good", "known", "Mend it.")
    assert "odd" not in problems["id of fail odd"].message


async def test_the_stream_ends_where_no_worker_answers(stub: Any, workers: Workers) -> None:
    call = stub.DeidentifyStream(iter(items("wait", "fail all")), **OF_SERVICE)
    with pytest.raises(aio.AioRpcError) as ended:
        await call.read()
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert workers.cancelled == ["wait"]


async def test_no_more_is_read_than_there_is_room_for(stub: Any, workers: Workers) -> None:
    call = stub.DeidentifyStream(**OF_SERVICE)

    async def write() -> None:
        for number in range(500):
            await call.write(items(f"wait {number}")[0])
        await call.done_writing()

    writing = asyncio.create_task(write())
    await workers.until_begun(3)
    assert await stub.Deidentify(request("b"), **OF_SERVICE)  # a stream takes no single call's room
    assert len(workers.begun) == 4
    assert not writing.done()
    workers.going.set()
    assert len([answer async for answer in call]) == 500
    await writing


@pytest.mark.parametrize("how", ["cancelled", "late"])
async def test_a_caller_that_goes_leaves_nothing_under_way(stub: Any, workers: Workers, how: str) -> None:
    timeout = {"timeout": 0.5} if how == "late" else {}
    call = stub.DeidentifyStream(iter(items("wait 1", "wait 2", "wait 3", "wait 4")), **OF_SERVICE, **timeout)
    await workers.until_begun(3)
    if how == "cancelled":
        call.cancel()
    with pytest.raises((asyncio.CancelledError, aio.AioRpcError)):
        await call.read()
    async with asyncio.timeout(20):
        while len(workers.cancelled) < 3:
            await asyncio.sleep(0.005)
    # Its room is free again, and what it had not begun is not begun.
    again = stub.DeidentifyStream(iter(items("x", "y", "z")), **OF_SERVICE)
    assert {answer.response.text async for answer in again} == {"X", "Y", "Z"}
    assert ("north", "wait 4") not in workers.begun


async def test_a_single_call_is_refused_where_there_is_no_room_and_told_when_to_come_again(
    stub: Any, workers: Workers
) -> None:
    calls = [asyncio.ensure_future(stub.Deidentify(request(f"wait {n}"), **OF_SERVICE)) for n in range(2)]
    await workers.until_begun(2)
    with pytest.raises(aio.AioRpcError) as refused:
        await stub.Deidentify(request("one too many"), **OF_SERVICE)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    said = dict(refused.value.trailing_metadata())
    assert said["grpc-retry-pushback-ms"] == "2000"
    problem = json.loads(said["curbside-problem"])
    assert (problem["code"], problem["status"], problem["retry_after"]) == ("deid.overloaded", 429, 2)
    workers.going.set()
    assert [answer.text for answer in await asyncio.gather(*calls)] == ["WAIT 0", "WAIT 1"]
    assert (await stub.Deidentify(request("now"), **OF_SERVICE)).text == "NOW"


@pytest.mark.parametrize(
    ("bearer", "status"),
    [
        ({}, grpc.StatusCode.UNAUTHENTICATED),
        ({"metadata": (("authorization", "Bearer reviewer north"),)}, grpc.StatusCode.PERMISSION_DENIED),
    ],
)
async def test_a_stream_needs_the_right_that_a_single_call_needs(
    stub: Any, workers: Workers, bearer: dict[str, Any], status: grpc.StatusCode
) -> None:
    with pytest.raises(aio.AioRpcError) as refused:
        await stub.DeidentifyStream(iter(items("b")), **bearer).read()
    assert refused.value.code() is status
    assert workers.begun == []


async def test_room_is_given_in_turn_and_a_document_longer_than_all_of_it_goes_alone() -> None:
    room = Room(1_000)
    leave = await room.enter(5_000)
    order: list[int] = []

    async def enter(number: int, characters: int) -> None:
        done = await room.enter(characters)
        order.append(number)
        done()

    waiting = [asyncio.create_task(enter(number, size)) for number, size in enumerate((900, 1, 900))]
    gone = asyncio.create_task(enter(9, 1))
    await asyncio.sleep(0)
    gone.cancel()
    assert order == []
    leave()
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    with room.seat(5_000):
        pass
