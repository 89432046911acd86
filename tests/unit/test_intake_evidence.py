"""What the ledger test would see: nothing where all is well, and each thing that may be wrong."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from curbside.contracts.events import Event, new_event
from curbside.contracts.v1 import events_pb2
from curbside.testing.intake.evidence import Evidence, Stored
from curbside.testing.intake.posts import Paper, write_posts
from curbside.testing.intake.serving import plan_kills

NOW = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)
IDS = [f"{number:032x}" for number in range(3)]


def papers() -> list[Paper]:
    """Two reports of a patient, the first amended by a third."""
    return [
        Paper(f"original {n}", f"word{n} and more", "p", acknowledged=True, report_id=id, states=states)
        for n, (id, states) in enumerate(
            zip(IDS, (["pending", "superseded"], ["pending"], ["pending"]), strict=True)
        )
    ]


def received(id: str) -> Event:
    return new_event(events_pb2.ReportReceived(report_id=id), tenant="default", subject="s")


def displaced(id: str) -> Event:
    moved = events_pb2.ReportDisplaced(report_id=id, state="superseded")
    return new_event(moved, tenant="default", subject="s")


def evidence() -> Evidence:
    return Evidence(
        reports={
            id: Stored(paper.states[-1], "", paper.stored, paper.words.encode(), NOW)
            for id, paper in zip(IDS, papers(), strict=True)
        },
        receipts=dict.fromkeys(IDS, NOW),
        history={
            id: [(state, NOW) for state in paper.states] for id, paper in zip(IDS, papers(), strict=True)
        },
        acts={("report.received", id): 1 for id in IDS} | {("report.superseded", IDS[0]): 1},
        events=[*map(received, IDS), displaced(IDS[0])],
        records=4,
        waiting=0,
        unreadable=[],
        broken_audit="",
        leftovers=[],
        scratch=0,
    )


def test_nothing_is_said_where_all_is_well() -> None:
    told = papers()
    assert evidence().faults(told, [told]) == []


def without(key: Any) -> Callable[[Any], Any]:
    return lambda found: {name: value for name, value in found.items() if name != key}


def also(id: str, like: str) -> Callable[[Any], Any]:
    return lambda found: {**found, id: found[like]}


def changed(id: str, **fields: Any) -> Callable[[Any], Any]:
    return lambda found: {**found, id: dataclasses.replace(found[id], **fields)}


@pytest.mark.parametrize(
    ("field", "change", "fault"),
    [
        ("reports", without(IDS[1]), "is stored 0 times"),
        ("reports", also("f" * 32, IDS[1]), "is stored 2 times"),
        ("reports", changed(IDS[1], original="another's"), "originals: 1 too many"),
        ("reports", changed(IDS[1], state="rejected"), "is rejected after"),
        ("reports", changed(IDS[1], text=None), "has no text"),
        ("reports", changed(IDS[1], text=b"word2"), "another report's text"),
        ("receipts", without(IDS[2]), "receipts: 1 missing"),
        ("receipts", also("f" * 32, IDS[1]), "receipts: 1 too many"),
        ("history", also("f" * 32, IDS[1]), "history: 1 too many"),
        ("history", lambda found: found | {IDS[0]: [("pending", NOW)]}, "went through"),
        ("acts", without(("report.received", IDS[0])), "acts of receiving: 1 missing"),
        ("acts", lambda found: found | {("report.received", IDS[0]): 2}, "2 times"),
        ("events", lambda found: found[1:], "events: 1 missing"),
        ("events", lambda found: [*found, received(IDS[1])], "was announced 2 times"),
        ("events", lambda found: [*found, received("f" * 32)], "events: 1 too many"),
        ("events", lambda found: found[:-1], "was displaced by events as None"),
        ("events", lambda found: [*reversed(found[:3]), found[3]], "in another order"),
        ("waiting", lambda _: 3, "3 rows still wait"),
        ("unreadable", lambda _: ["b: storage.blob-damaged"], "storage.blob-damaged"),
        ("broken_audit", lambda _: "a record is missing", "the audit is broken"),
    ],
)
def test_each_fault_is_seen(field: str, change: Callable[[Any], Any], fault: str) -> None:
    told = papers()
    found = evidence()
    broken = dataclasses.replace(found, **{field: change(getattr(found, field))})
    assert [one for one in broken.faults(told, [told]) if fault in one]


def test_what_is_posted_and_when_is_killed_follow_from_the_seed() -> None:
    def plan() -> tuple[list[bytes], object]:
        rng = random.Random(7)
        posts = write_posts(rng, "s", 300)
        return [post.content for post in posts if post.media != "application/zip"], plan_kills(rng, 300, 20)

    posts, kills = plan()
    again, kills_again = plan()
    assert kills == kills_again
    # A DOCX and a form with one hold the time of their packing.
    assert [one for one in posts if b"PK\x03\x04" not in one] == [
        one for one in again if b"PK\x03\x04" not in one
    ]
