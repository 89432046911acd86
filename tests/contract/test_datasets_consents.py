"""Patients who deny training are in no version that is built from then on, whichever event comes first."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from datasets_builds import REPORTS, built, deidentified, displaced, ids_of, learn
from google.protobuf.timestamp_pb2 import Timestamp

from curbside.contracts.events import Event, new_event
from curbside.contracts.topics import CONSENTS_CHANGED, REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.identity import Role
from curbside.settings import Profile, RuntimeSettings
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.keys import KeyRing
from curbside.storage.periods import seal_period
from curbside.storage.zones import CONSENTS_KEY, key_names
from curbside.telemetry.logs import JsonFormatter
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_datasets import builder, store

pytestmark = pytest.mark.usefixtures("halves")

PATIENT = REPORTS[0].patient_id
THEIRS = {report.external_id for report in REPORTS if report.patient_id == PATIENT}
OTHERS = next(report for report in REPORTS if report.patient_id != PATIENT)
TODAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("datasets", tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(opened: TestPlatform) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=opened.app)
    headers = await opened.headers(Role.STEWARD)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


@dataclass(frozen=True)
class Word:
    """What the first patient says, on which day from TODAY on."""

    decision: str
    begins: int
    sequence: int = 1
    id: str = ""
    ends: int | None = None
    scope: str = "training"
    tenant: str = "default"
    subject: str = PATIENT

    def event(self, ring: KeyRing) -> Event:
        """What ingestion would publish of it, sealed with the keys of `ring`."""
        consent_id = self.id or f"c{self.sequence}"
        begins, ends = self.times()
        payload = events_pb2.ConsentChanged(
            consent_id=consent_id,
            scope=self.scope,
            decision=self.decision,
            sequence=self.sequence,
            period=seal_period(begins, ends, tenant=self.tenant, consent_id=consent_id, ring=ring),
        )
        return new_event(payload, tenant=self.tenant, subject=self.subject)

    def event_in_clear(self) -> Event:
        """What an earlier release would have published: 4 and 5 were its timestamps."""
        payload = events_pb2.ConsentChanged(
            consent_id=self.id or f"c{self.sequence}",
            scope=self.scope,
            decision=self.decision,
            sequence=self.sequence,
        )
        for number, moment in zip((4, 5), self.times(), strict=True):
            if moment is not None:
                stamp = Timestamp()
                stamp.FromDatetime(moment)
                data = stamp.SerializeToString()
                payload.MergeFromString(bytes([number << 3 | 2, len(data)]) + data)
        return new_event(payload, tenant=self.tenant, subject=self.subject)

    def times(self) -> tuple[datetime, datetime | None]:
        ends = TODAY + timedelta(days=self.ends) if self.ends is not None else None
        return TODAY + timedelta(days=self.begins), ends


def said(
    decision: str, day: int, *, sequence: int = 1, id: str = "", ends: int | None = None, **more: str
) -> Word:
    return Word(decision, day, sequence, id, ends, **more)


async def say(opened: TestPlatform, *words: Word) -> None:
    for word in words:
        await opened.deliver(word.event(opened.platform.ring))


async def opted_out(client: httpx2.AsyncClient) -> int:
    """Of how many reports the ledger says that their patient opted out."""
    ledger = (await client.get("/datasets/v1/ledger")).json()
    assert ledger["reports"] == ledger["with_examples"] + sum(ledger["without_examples"].values())
    count: int = ledger["without_examples"].get("opted-out", 0)
    return count


async def of_build(opened: TestPlatform, client: httpx2.AsyncClient) -> tuple[str, set[str], dict[str, Any]]:
    """A new version, the reports that any of its rows shows, and what its manifest counts."""
    build = await built(opened, client, {})
    assert build["state"] == "published", build
    version = str(build["version"])
    manifest = (await client.get(f"/datasets/v1/versions/{version}")).json()
    known = await ids_of(opened)
    shown = set()
    for split in manifest["splits"]:
        rows = (await client.get(f"/datasets/v1/versions/{version}/examples?split={split}&limit=500")).json()
        shown |= {row[name] for row in rows["examples"] for name in ("report_id", "prior_report_id")}
    return version, {known[code] for code in shown if code}, manifest["reports"]


@pytest.mark.parametrize("first", ["reports", "consent"])
async def test_a_denial_takes_a_patient_out_and_a_permission_brings_them_back(
    first: str, opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    if first == "reports":
        await learn(opened, REPORTS)
        before, shown, _ = await of_build(opened, client)
        assert shown >= THEIRS
        await say(opened, said("deny", 1))
    else:
        await say(opened, said("deny", 1))
        await learn(opened, REPORTS)
        before = ""
    assert await opted_out(client) == len(THEIRS)
    version, shown, counts = await of_build(opened, client)
    assert version != before
    assert not THEIRS & shown, "neither by themselves nor as a prior"
    assert counts["without_examples"]["opted-out"] == len(THEIRS)
    assert counts["total"] == len(REPORTS)
    await say(opened, said("permit", 2, sequence=2))
    assert await opted_out(client) == 0
    again, shown, _ = await of_build(opened, client)
    assert shown >= THEIRS
    assert again == before or not before, "what is published of the same is the same version"


@pytest.mark.parametrize(
    ("words", "barred"),
    [
        ([said("permit", 2, sequence=2), said("deny", 1)], False),
        ([said("deny", 2, sequence=2), said("permit", 1)], True),
        ([said("deny", 1), said("permit", 1, sequence=2)], True),
        ([said("permit", 1), said("deny", 1, sequence=2)], True),
        ([said("deny", 1), said("void", 1, sequence=2, id="c1")], False),
        ([said("void", 1, sequence=2, id="c1"), said("deny", 1)], False),
        ([said("deny", 1, ends=2)], False),
        ([said("deny", 1), said("permit", 2, sequence=2, ends=3)], True),
        ([said("deny", 3650)], False),
        ([said("deny", 1), said("permit", 3650, sequence=2)], True),
        ([said("deny", 1, scope="marketing")], True),
        ([said("deny", 1), said("permit", 2, sequence=2, scope="marketing")], True),
        ([said("forbid", 1)], True),
        ([said("deny", 1, tenant="other")], False),
        ([said("deny", 1), said("permit", 2, sequence=2, tenant="other")], True),
        ([said("deny", 1), said("permit", 2, sequence=2, subject="another")], True),
    ],
)
async def test_the_latest_counts_whatever_the_order_and_doubt_bars(
    words: list[Word], barred: bool, opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    """Of one patient by the events of this release, and of another by those of an earlier one."""
    await opened.deliver(await deidentified(opened, REPORTS[0]))
    await opened.deliver(await deidentified(opened, OTHERS))
    events = [word.event(opened.platform.ring) for word in words]
    for word in words:
        subject = word.subject.replace(PATIENT, OTHERS.patient_id)
        events.append(
            replace(word, id=f"e{word.id or f'c{word.sequence}'}", subject=subject).event_in_clear()
        )
    assert not any(event.payload.period for event in events[len(words) :])  # type: ignore[attr-defined]
    for event in events:
        await opened.deliver(event)
    for event in events:  # once more, as a bus may
        await opened.deliver(event)
    assert await opted_out(client) == 2 * barred


@pytest.mark.parametrize(
    ("damage", "decision"),
    [
        ("changed", "permit"),
        ("of another", "deny"),
        ("of another key", "permit"),
        ("cut off", "deny"),
        ("no times at all", "permit"),
    ],
)
async def test_what_does_not_open_bars_and_a_line_of_ids_alone_says_so(
    damage: str,
    decision: str,
    opened: TestPlatform,
    client: httpx2.AsyncClient,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await opened.deliver(await deidentified(opened, REPORTS[0]))
    await say(opened, said("permit", 2), said("deny", 5, id="theirs", subject="another", ends=6))
    assert await opted_out(client) == 0
    other = KeyRing(tmp_path / "others", Profile.DEVELOPMENT) if "key" in damage else opened.platform.ring
    event = said(decision, 1, sequence=2).event(other)
    payload = event.payload
    assert isinstance(payload, events_pb2.ConsentChanged)
    if damage == "changed":
        payload.period = payload.period[:-1] + bytes([payload.period[-1] ^ 1])
    elif damage == "of another":
        theirs = said("deny", 1, id="c9").event(other).payload
        assert isinstance(theirs, events_pb2.ConsentChanged)
        payload.period = theirs.period
    elif damage == "cut off":
        payload.period = payload.period[:20]
    elif damage == "no times at all":
        payload.ClearField("period")
    await opened.deliver(event)
    caplog.clear()
    assert await opted_out(client) == 1
    (line,) = [record for record in caplog.records if record.name == "curbside_datasets.consents.store"]
    assert (line.tenant, line.count, line.consents) == ("default", 1, "c2")  # type: ignore[attr-defined]
    written = JsonFormatter("datasets").format(line)
    assert PATIENT not in written
    assert "2026-11-02" not in written
    await say(opened, said("void", 1, sequence=3, id="c2"))
    assert await opted_out(client) == 0, "what was entered in error says nothing"


async def test_without_the_key_nothing_is_built_and_nobody_is_counted_as_permitting(tmp_path: Path) -> None:
    """In production, where no key is made: of an installation whose Secret lacks it."""
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in key_names("datasets", "default") - {CONSENTS_KEY}:
        (keys / f"{name}.key").write_text(secrets.token_hex(32))
    settings = RuntimeSettings(
        profile=Profile.PRODUCTION, data_dir=tmp_path / "data", key_dir=keys, min_free_disk_bytes=0
    )
    async with open_test_platform("datasets", tmp_path, settings=settings) as opened:
        transport = httpx2.ASGITransport(app=opened.app)
        headers = await opened.headers(Role.STEWARD)
        await opened.deliver(said("deny", 1).event(KeyRing(tmp_path / "others", Profile.DEVELOPMENT)))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            answer = await client.get("/datasets/v1/ledger")
            assert (answer.status_code, answer.json()["code"]) == (503, "operator.missing-key")


async def test_what_was_withdrawn_stays_counted_as_that(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await opened.deliver(await deidentified(opened, REPORTS[0]))
    await opened.deliver(displaced(REPORTS[0], "withdrawn"))
    await say(opened, said("deny", 1))
    ledger = (await client.get("/datasets/v1/ledger")).json()
    assert ledger["without_examples"] == {"withdrawn": 1}


@dataclass
class Late:
    """Blobs, with something that happens before the first is written."""

    blobs: BlobStore
    happen: Callable[[], Awaitable[None]]
    happened: bool = False

    async def get(self, ref: BlobRef) -> bytes:
        return await self.blobs.get(ref)

    async def put(self, *args: Any, **more: Any) -> BlobRef:
        if not self.happened:
            self.happened = True
            await self.happen()
        return await self.blobs.put(*args, **more)


@pytest.mark.parametrize("what", ["denied", "withdrawn"])
async def test_a_word_that_comes_while_a_version_is_built_is_heard(
    what: str, opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await learn(opened, REPORTS)
    denial = said("deny", 1).event(opened.platform.ring)
    event = denial if what == "denied" else displaced(REPORTS[0], "withdrawn")
    answer = await client.post("/datasets/v1/builds", json={"name": "test"})
    assert answer.status_code == 202
    async with opened.platform.database.read() as session:
        build = await store.next_build(session)
    assert build is not None
    late: Any = Late(opened.platform.blobs, lambda: opened.deliver(event))
    version = await builder.run_build(build, database=opened.platform.database, blobs=late)
    (manifest,) = (await client.get("/datasets/v1/versions")).json()["versions"]
    assert manifest["version"] == version
    gone = {"opted-out": len(THEIRS)} if what == "denied" else {"withdrawn": 1}
    assert manifest["reports"]["without_examples"] == gone


async def test_from_the_word_at_intake_to_the_version(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    """Ingestion and datasets of one installation: the subject that a consent bars is that of the reports."""
    async with open_test_platform("ingestion", tmp_path) as intake:
        headers = await intake.headers(Role.STEWARD)
        transport = httpx2.ASGITransport(app=intake.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
            for report in REPORTS:
                body = {
                    "text": report.text,
                    "external_id": report.external_id,
                    "patient_id": report.patient_id,
                }
                posted = await http.post("/ingestion/v1/reports", json=body)
                assert posted.status_code == 202, posted.text
            received = await intake.published(REPORTS_RECEIVED)
            by_id = {event.payload.report_id: event for event in received}  # type: ignore[attr-defined]
            ids = {}
            for shown in (await http.get("/ingestion/v1/reports")).json()["reports"]:
                ids[shown["external_id"]] = shown["report_id"]
            for report in REPORTS:
                event = await deidentified(opened, report, report_id=ids[report.external_id])
                passed_on = new_event(
                    event.payload, tenant="default", subject=by_id[ids[report.external_id]].subject
                )
                await opened.deliver(passed_on)
            said = {"patient_id": PATIENT, "decision": "deny", "effective_at": "2026-03-01"}
            answer = await http.post("/ingestion/v1/consents", json=said)
            assert answer.json()["patient_known"]
            for event in await intake.published(CONSENTS_CHANGED):
                await opened.deliver(event)
    assert await opted_out(client) == len(THEIRS)
    _, shown_reports, _ = await of_build(opened, client)
    assert not {ids[report] for report in THEIRS} & shown_reports
    assert len(shown_reports) == len(REPORTS) - len(THEIRS)
