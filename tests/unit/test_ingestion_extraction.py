"""The limited children in which documents are parsed, and what crosses their pipe."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from curbside.errors import CurbsideError
from curbside_ingestion.extraction import wire
from curbside_ingestion.extraction.found import (
    ConsentFound,
    EmptyDocument,
    Extraction,
    Found,
    Kind,
    Quality,
    Refused,
    UnreadableDocument,
)
from curbside_ingestion.extraction.pool import CostlyDocument, Extractors, ParserEnded, _Child


@pytest.fixture(scope="module")
def extractors() -> Iterator[Extractors]:
    opened = Extractors(children=2, seconds=timedelta(seconds=5), memory_bytes=1_500_000_000)
    yield opened
    opened.close()


def test_an_extraction_crosses_the_pipe_as_it_is() -> None:
    problem = EmptyDocument("it holds no text", field="body", mend="Send one that does.")
    extraction = Extraction(
        (Found("entry 1", {"text": "é\n", "known": {"names": ["J"]}}, b"\x00\xff", Quality(0.9, 7, 1)),),
        (Refused("entry 2", problem),),
        (ConsentFound("entry 3", {"patient_id": "p1", "decision": "deny"}),),
        {"Condition": 3},
    )
    crossed = wire.decode(wire.encode(extraction))
    (refused,) = crossed.refused
    assert type(refused.problem) is EmptyDocument
    assert vars(refused.problem) == vars(problem)
    assert (crossed.found, crossed.consents, crossed.dropped) == (
        extraction.found,
        extraction.consents,
        extraction.dropped,
    )
    with pytest.raises(EmptyDocument, match="no text"):
        wire.decode(wire.encode(problem))


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"found": 1}', b'{"problem": {}}', b"\xff"])
def test_an_answer_that_is_none_is_a_problem(answer: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        wire.decode(answer)


async def test_a_document_is_read_in_a_child(extractors: Extractors) -> None:
    extraction = await extractors.extract(b"FINDINGS: No nodule.", Kind.TEXT)
    assert [found.row["text"] for found in extraction.found] == ["FINDINGS: No nodule."]
    with pytest.raises(EmptyDocument):
        await extractors.extract(b" \n", Kind.TEXT)


_CONFINED = """
import resource, socket, sys
from curbside_ingestion.extraction.child import confine
confine(1_000_000_000)
try:
    bytearray(2_000_000_000)
except MemoryError:
    print("no memory")
try:
    with open(sys.argv[1], "w") as file:
        file.write("x")
except OSError:
    print("no file")
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[2])), timeout=5)
except OSError:
    print("no network")
"""


def test_a_child_has_bounded_memory_writes_no_file_and_reaches_nobody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [sys.executable, "-c", _CONFINED, str(tmp_path / "x"), str(port)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    # Where the kernel lets nobody make name spaces there is a network, which nothing of ours uses.
    assert said[:2] == ["no memory", "no file"]
    assert not (tmp_path / "x").exists() or (tmp_path / "x").read_bytes() == b""


async def test_a_parser_that_takes_too_long_is_ended_and_the_next_document_is_read() -> None:
    opened = Extractors(children=1, seconds=timedelta(seconds=0), memory_bytes=1_500_000_000)
    try:
        with pytest.raises(CostlyDocument, match="took more"):
            await opened.extract(b"FINDINGS: No nodule.", Kind.TEXT)
    finally:
        opened.close()


async def test_a_child_that_died_while_it_waited_costs_no_document(extractors: Extractors) -> None:
    await extractors.extract(b"first", Kind.TEXT)
    children = multiprocessing.active_children()
    assert children
    for child in children:
        child.kill()
        child.join()
    assert (await extractors.extract(b"second", Kind.TEXT)).found


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (signal.SIGXCPU, CostlyDocument),
        (signal.SIGSEGV, CostlyDocument),
        (signal.SIGABRT, CostlyDocument),
        (signal.SIGTERM, ParserEnded),
        (signal.SIGKILL, ParserEnded),
    ],
)
async def test_a_document_is_blamed_for_what_it_did_to_its_parser_alone(
    number: signal.Signals, problem: type[CurbsideError]
) -> None:
    class Ended(Extractors):
        def _take(self) -> _Child:
            taken = super()._take()
            assert taken.process.pid is not None
            os.kill(taken.process.pid, number)
            taken.process.join()
            return taken

    opened = Ended(children=1)
    try:
        with pytest.raises(problem):
            await opened.extract(b"FINDINGS: No nodule.", Kind.TEXT)
    finally:
        opened.close()


async def test_closing_waits_for_no_document() -> None:
    began = threading.Event()

    class Stopped(Extractors):
        def _take(self) -> _Child:
            taken = super()._take()
            assert taken.process.pid is not None
            os.kill(taken.process.pid, signal.SIGSTOP)  # a document that takes for ever
            began.set()
            return taken

    opened = Stopped(children=1)
    document = asyncio.ensure_future(opened.extract(b"FINDINGS: No nodule.", Kind.TEXT))
    await asyncio.to_thread(began.wait)
    await asyncio.to_thread(opened.close)
    with pytest.raises(ParserEnded):
        await document
