"""Post, kill, and hold what is stored against what was acknowledged."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from curbside.identity.principal import Role
from curbside.runtime.client import Api
from curbside.runtime.platform import key_ring, open_objects, open_tokens
from curbside.settings import RuntimeSettings
from curbside.testing.intake.evidence import Evidence, collect, still_waiting
from curbside.testing.intake.posts import Paper, write_posts, write_shared
from curbside.testing.intake.senders import Address, start_senders
from curbside.testing.intake.serving import Kill, Served, plan_kills
from curbside.testing.progress import Progress
from curbside.testing.servers.process import free_ports

SENDERS: Final = 16
_UNDER_WAY: Final = 4  # objects that a kill may leave without a record
_STEP_SECONDS: Final = 5.0
_SETTLED_WITHIN: Final = 600.0  # seconds; a guard against waiting for ever


@dataclass(frozen=True)
class Run:
    """What came of one run."""

    posts: int
    papers: Sequence[Paper]
    answers: Mapping[str, int]
    processes: int  # that were killed
    faults: list[str]
    evidence: Evidence
    ledger: Mapping[str, Any]
    posted_seconds: float
    settled_seconds: float
    cleaned: int  # half-written files

    def __str__(self) -> str:
        told = self.evidence
        return (
            f"{self.posts} posts of {len(self.papers)} reports, {self.processes} processes killed; posted "
            f"after {self.posted_seconds:.0f} s, settled after {self.settled_seconds:.0f} s; answers "
            f"{dict(self.answers)}; {told.records} records for {len(told.events)} events; "
            f"{len(told.leftovers)} blobs without a record, {told.scratch} half-written files"
        )


def post_and_kill(directory: Path, seed: int, *, reports: int, kills: int, documents: bool = True) -> Run:
    """`reports` reports through a real service that is killed `kills` times, in `directory`, with the
    database of this process's environment. Without `documents` none waits for its text."""
    rng = random.Random(seed)
    http, grpc, mllp = free_ports(3)
    settings = RuntimeSettings(data_dir=directory / "data", http_port=http, grpc_port=grpc)
    address = Address(http, mllp, asyncio.run(_token(settings)))
    served = Served(
        "ingestion",
        {
            "CURBSIDE_RUNTIME__DATA_DIR": str(settings.data),
            "CURBSIDE_RUNTIME__HTTP_PORT": str(http),
            "CURBSIDE_RUNTIME__GRPC_PORT": str(grpc),
            "CURBSIDE_RUNTIME__MIN_FREE_DISK_BYTES": "0",
            "CURBSIDE_INGESTION__MLLP_PORT": str(mllp),
            # A pod that died keeps what it had in hand for so long: 5 times this, and a minute.
            "CURBSIDE_INGESTION__EXTRACTION_CPU": "PT5S",
        },
        port=http,
        log=directory / "ingestion.log",
    )
    shared = write_shared(rng, "both", max(reports // 50, 2))
    counts = [
        (reports - len(shared)) // SENDERS + (number < (reports - len(shared)) % SENDERS)
        for number in range(SENDERS)
    ]
    posts = [write_posts(rng, f"s{n}", count, documents=documents) for n, count in enumerate(counts)]
    sent = [post for one in (*posts, shared) for post in one]
    papers = list(dict.fromkeys(paper for post in sent for paper in post.papers))
    progress = Progress()
    planned = plan_kills(rng, len(papers), kills)
    served.start()
    try:
        served.wait_ready()
        began = time.monotonic()
        senders = start_senders(posts, shared, address, progress, rng)
        processes = _kill(served, planned, progress)
        while not progress.reached(len(papers), _STEP_SECONDS):
            assert served.runs, f"the service ended by itself: see {str(served.log)!r}"
        for sender in senders:
            sender.join(60)
        posted = time.monotonic() - began
        served.wait_ready()
        asyncio.run(_settle(settings))
        ledger = _ledger(settings, address)
        settled = time.monotonic() - began
    finally:
        progress.stop.set()
        served.stop()
    assert all(sender.done for sender in senders)
    evidence = asyncio.run(collect(settings))
    order = [of_patient for sender in senders for of_patient in sender.order.values()]
    faults = evidence.faults(papers, order)
    cleaned = open_objects(settings).clean(timedelta(0))
    return Run(
        len(sent),
        papers,
        progress.answers,
        processes,
        faults,
        evidence,
        ledger,
        posted,
        settled,
        cleaned,
    )


def _kill(served: Served, planned: list[Kill], progress: Progress) -> int:
    processes = 0
    for one in planned:
        while not progress.reached(one.after, _STEP_SECONDS):
            assert served.runs, f"the service ended by itself: see {str(served.log)!r}"
        time.sleep(one.pause)
        processes += served.kill()
        served.start()
    return processes


async def _settle(settings: RuntimeSettings) -> None:
    deadline = time.monotonic() + _SETTLED_WITHIN
    while waiting := await still_waiting(settings):
        assert time.monotonic() < deadline, f"{waiting} rows still wait"
        await asyncio.sleep(0.5)


def _ledger(settings: RuntimeSettings, address: Address) -> Mapping[str, Any]:
    api = Api(settings.http_url, address.token)
    try:
        ledger: Mapping[str, Any] = api.get("/ingestion/v1/ledger")
        return ledger
    finally:
        api.close()


async def _token(settings: RuntimeSettings) -> str:
    tokens, identity = await asyncio.to_thread(open_tokens, settings, key_ring(settings))
    try:
        return await tokens.issue("chaos", [Role.ADMINISTRATOR], tenant="default", actor="chaos")
    finally:
        await identity.close()


def check(run: Run, *, kills: int) -> None:
    """Assert that what is stored is what was acknowledged."""
    assert run.faults == [], f"{len(run.faults)} faults, the first: {run.faults[:10]}"
    assert run.ledger["whole"]
    assert run.ledger["received"] == len(run.papers) == sum(run.ledger["states"].values())
    assert all(paper.acknowledged for paper in run.papers)
    assert not run.answers.get("500"), "a kill was answered as if it were a defect"
    # Of what was under way when it was killed: two groups, and the texts of two documents.
    assert len(run.evidence.leftovers) <= _UNDER_WAY * kills
    assert run.evidence.scratch <= _UNDER_WAY * kills
    assert run.cleaned == run.evidence.scratch
