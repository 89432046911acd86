"""The limited children in which documents are parsed, and what crosses their pipe."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from curbside.errors import BadInput
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
from curbside_ingestion.extraction.pool import CostlyDocument, Extractors


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
        (ConsentFound("entry 3", "p1", permitted=False),),
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
