"""What a full installation has done with its reports, read from its databases, its bucket and its topics.

`Effects.faults` holds it against what was posted: every note in one state, each event's effect once.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any

import psycopg
from posting import Note

from curbside.bus.kafka.admin import Admin
from curbside.bus.kafka.client import wire_group
from curbside.contracts.topics import (
    CONSENTS_CHANGED,
    REPORTS_DEIDENTIFIED,
    REPORTS_DISPLACED,
    REPORTS_QUARANTINED,
    REPORTS_RECEIVED,
    TOPICS,
)
from curbside.errors import CurbsideError
from curbside.runtime.full import LocalServers
from curbside.runtime.services import SERVICES
from curbside.settings import Profile, RuntimeSettings
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.keys import DataKeys, KeyRing
from curbside.storage.postgres import owner_url
from curbside.storage.s3_objects import S3Objects
from curbside.storage.wrapped_keys import PostgresWrappedKeys
from curbside.storage.zones import GRANTS

_DATABASE = "curbside"
_READERS_AT_ONCE = 16
_CONSUMERS = (
    (REPORTS_RECEIVED, "deidentification"),
    (REPORTS_DISPLACED, "deidentification"),
    (REPORTS_DEIDENTIFIED, "ingestion"),
    (REPORTS_QUARANTINED, "ingestion"),
    (REPORTS_DEIDENTIFIED, "datasets"),
    (REPORTS_DISPLACED, "datasets"),
    (CONSENTS_CHANGED, "datasets"),
    (REPORTS_DEIDENTIFIED, "inference"),
    (REPORTS_DISPLACED, "inference"),
)
_OF_DEIDENTIFICATION = ("report.deidentified", "report.quarantined")


class Observer:
    """Looks into the servers of an installation, as their administrator."""

    def __init__(self, settings: RuntimeSettings, servers: LocalServers) -> None:
        self._settings = settings
        self._servers = servers
        self._kafka = servers.kafka.settings("SASL_SSL")

    def waiting(self) -> dict[str, int]:
        """What is on its way still: reports, rows of outboxes, records before a consumer. Empty when all is
        done. Raises psycopg.OperationalError or Unavailable while a server is down."""
        with self._database() as database:
            found = {
                f"outbox of {service}": _count(database, f"{service}.outbox") for service in SERVICES
            } | {"pending": _count(database, "ingestion.reports WHERE state = 'pending'")}
        with self._broker() as admin:
            found |= {
                f"{topic.name} before {group}": admin.waiting(
                    topic.name, wire_group(self._kafka, group, topic.name)
                )
                for topic, group in _CONSUMERS
            }
        return {name: count for name, count in found.items() if count}

    def effects(self) -> Effects:
        with self._database() as database:
            return Effects.read(database)

    def dead_letters(self) -> dict[str, int]:
        """How many there are, by topic; empty where there are none."""
        with self._broker() as admin:
            counted = {topic: admin.dead_letters(topic) for topic in TOPICS}
        return {topic: count for topic, count in counted.items() if count}

    def published(self) -> int:
        """Records in all topics: more than events, where one was published twice."""
        with self._broker() as admin:
            return sum(sum(admin.ends(admin.partitions(topic)).values()) for topic in TOPICS)

    def unreadable(self, refs: Iterable[BlobRef]) -> list[str]:
        """Which originals cannot be read back, and why."""
        return asyncio.run(self._unreadable(list(refs)))

    async def _unreadable(self, refs: Sequence[BlobRef]) -> list[str]:
        database = self._servers.postgres.settings(_DATABASE, self._servers.passwords)
        url = owner_url(database, Profile.DEVELOPMENT, "ingestion").render_as_string(hide_password=False)
        ring = KeyRing(self._settings.keys, Profile.DEVELOPMENT)
        keys = DataKeys(PostgresWrappedKeys(url, "ingestion", database), ring)
        objects = S3Objects(self._servers.s3.settings())
        store = BlobStore(objects, keys, ring, grants=GRANTS["ingestion"])
        turns = asyncio.Semaphore(_READERS_AT_ONCE)

        async def read(ref: BlobRef) -> str | None:
            async with turns:
                try:
                    await store.get(ref)
                except CurbsideError as error:
                    return f"the blob {ref.blob_id} of {ref.zone}: {error.code}"
            return None

        try:
            return [fault for fault in await asyncio.gather(*map(read, refs)) if fault]
        finally:
            keys.close()

    def _broker(self) -> AbstractContextManager[Admin]:
        return closing(Admin(self._kafka))

    def _database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._servers.postgres.admin_url(_DATABASE), autocommit=True)


@dataclass(frozen=True)
class Effects:
    """Rows of the services' tables, by report where a report has one."""

    reports: Mapping[str, Any]  # ingestion's: state, original, text, received_at
    receipts: frozenset[str]
    history: Mapping[str, Sequence[Any]]  # ingestion's: id, state, at, in the order written
    deidentified: Mapping[str, Any]  # deidentification's: state, reason
    learned: Mapping[str, frozenset[str]]  # reports of datasets and of inference
    displaced: Mapping[str, frozenset[str]]  # reports by service
    acts: Mapping[str, Sequence[tuple[str, str]]]  # action and target by writer, in the order of the chain
    marks: Mapping[str, int]  # rows of inboxes by service
    outboxes: Mapping[str, int]

    @classmethod
    def read(cls, database: psycopg.Connection[Any]) -> Effects:
        history = defaultdict(list)
        for report_id, *moment in database.execute(
            "SELECT report_id, id, state, at FROM ingestion.history ORDER BY id"
        ):
            history[report_id].append(tuple(moment))
        return cls(
            reports={
                row[0]: row[1:]
                for row in database.execute(
                    "SELECT report_id, state, original, text, received_at FROM ingestion.reports"
                )
            },
            receipts=_ids(database, "ingestion.receipts"),
            history=history,
            deidentified={
                row[0]: row[1:]
                for row in database.execute("SELECT report_id, state, reason FROM deidentification.reports")
            },
            learned={name: _ids(database, f"{name}.reports") for name in ("datasets", "inference")},
            displaced={
                name: _ids(database, f"{name}.displaced")
                for name in ("deidentification", "datasets", "inference")
            },
            acts={
                name: database.execute(
                    f"SELECT action, target FROM {name}.audit ORDER BY sequence"  # noqa: S608
                ).fetchall()
                for name in ("ingestion", "deidentification")
            },
            marks={name: _count(database, f"{name}.inbox") for name in SERVICES},
            outboxes={name: _count(database, f"{name}.outbox") for name in SERVICES},
        )

    @property
    def states(self) -> Counter[str]:
        return Counter(row[0] for row in self.reports.values())

    @property
    def reasons(self) -> Counter[str]:
        return Counter(row[1] for row in self.deidentified.values() if row[1])

    @property
    def events(self) -> int:
        """How many events there were: each handled by one inbox or several, published once or more."""
        return len(self.receipts) + len(self.deidentified) + len(self.displaced["deidentification"])

    def blobs(self, report_ids: Iterable[str]) -> Iterator[BlobRef]:
        """Original and text of each of the reports."""
        for report_id in report_ids:
            _, original, text, _ = self.reports[report_id]
            yield BlobRef.from_json(original)
            yield BlobRef.from_json(text)

    def faults(self, posted: Sequence[Note]) -> list[str]:
        """What does not hold of `posted`, which must be all that was ever acknowledged, in the order in which
        each patient's was; in sentences."""
        return [
            *self._ledger_faults(posted),
            *self._history_faults(posted),
            *self._effect_faults(posted),
            *self._order_faults(posted),
        ]

    def _ledger_faults(self, posted: Sequence[Note]) -> Iterator[str]:
        acknowledged = {note.report_id for note in posted}
        if len(acknowledged) != len(posted):
            yield f"{len(posted)} notes have {len(acknowledged)} report ids"
        yield from _differ("ingestion's reports", self.reports, acknowledged)
        yield from _differ("receipts", self.receipts, acknowledged)

    def _history_faults(self, posted: Sequence[Note]) -> Iterator[str]:
        for note, amended_by in _amendments(posted):
            report_id = note.report_id
            if report_id not in self.reports:
                continue
            state, _, _, received_at = self.reports[report_id]
            moments = self.history.get(report_id, ())
            states = [moment[1] for moment in moments]
            between = [one for one in states[1:] if one != "superseded"]
            wanted = ["pending", *between[:1], *(["superseded"] if amended_by else [])]
            if states != wanted or states[-1] != state or state == "pending":
                yield f"{report_id} is {state}, amended: {amended_by is not None}, after {states}"
                continue
            if moments[0][2] != received_at:
                yield f"{report_id} was received at another time than it became pending"
            if amended_by and self.history[amended_by.report_id][0][0] > moments[-1][0]:
                yield f"{report_id} was superseded before its amendment came"
            if not amended_by and state not in ("deidentified", "quarantined"):
                yield f"{report_id} is {state}"

    def _effect_faults(self, posted: Sequence[Note]) -> Iterator[str]:
        amended = {note.report_id for note, amended_by in _amendments(posted) if amended_by}
        acknowledged = {note.report_id for note in posted}
        outcomes = {
            target: action
            for action, target in self.acts["deidentification"]
            if action in _OF_DEIDENTIFICATION
        }
        usable = {target for target, action in outcomes.items() if action == "report.deidentified"}
        # An amended report may have been de-identified before its amendment came, or not.
        yield from _differ("de-identified or superseded", set(self.deidentified) | amended, acknowledged)
        yield from _differ("de-identification's audit", outcomes, set(self.deidentified))
        for report_id, (state, _) in self.deidentified.items():
            if report_id in self.reports and state != self.reports[report_id][0]:
                yield f"{report_id} is {state} in deidentification, {self.reports[report_id][0]} in ingestion"
        yield from _differ("datasets' reports", self.learned["datasets"], usable)
        # One that is amended first and de-identified then is learned, and its mark keeps it from being shown.
        asked = self.learned["inference"]
        yield from _differ("inference's reports", asked, usable - (amended - asked))
        for service, displaced in self.displaced.items():
            yield from _differ(f"displaced in {service}", displaced, amended)
        once = {
            "ingestion": ("report.received", "report.superseded"),
            "deidentification": _OF_DEIDENTIFICATION,
        }
        for service, actions in once.items():
            counted = Counter((action, target) for action, target in self.acts[service] if action in actions)
            yield from (
                f"{target}: {action} {count} times"
                for (action, target), count in counted.items()
                if count > 1
            )
        received = {target for action, target in self.acts["ingestion"] if action == "report.received"}
        superseded = {target for action, target in self.acts["ingestion"] if action == "report.superseded"}
        yield from _differ("ingestion's audit of what was received", received, acknowledged)
        yield from _differ("ingestion's audit of what was superseded", superseded, amended)
        yield from self._mark_faults(len(acknowledged), len(amended), len(usable))
        yield from (f"the outbox of {name} holds {left} rows" for name, left in self.outboxes.items() if left)
        if broken := {reason for reason in self.reasons if "failed" in reason or "timed" in reason}:
            yield f"an outage put reports into quarantine: {broken}"

    def _mark_faults(self, received: int, amended: int, usable: int) -> Iterator[str]:
        """An inbox has one mark for each event that its service's one group handled."""
        exact = {
            "ingestion": len(self.deidentified),
            "datasets": usable + amended,
            "inference": usable + amended,
        }
        for service, count in exact.items():
            if self.marks[service] != count:
                yield f"{service} handled {self.marks[service]} events instead of {count}"
        # One that was amended before its turn may be passed over without a mark.
        least, handled = len(self.deidentified) + amended, self.marks["deidentification"]
        if not least <= handled <= received + amended:
            yield f"deidentification handled {handled} events instead of {least} to {received + amended}"

    def _order_faults(self, posted: Sequence[Note]) -> Iterator[str]:
        patients = defaultdict(list)
        for note in posted:
            patients[note.patient_id].append(note.report_id)
        for service, actions in (
            ("ingestion", ("report.received",)),
            ("deidentification", _OF_DEIDENTIFICATION),
        ):
            place = {
                target: number
                for number, (action, target) in enumerate(self.acts[service])
                if action in actions
            }
            for report_ids in patients.values():
                places = [place[report_id] for report_id in report_ids if report_id in place]
                if places != sorted(places):
                    yield f"{service} took the reports of a patient in another order: {report_ids}"


def _amendments(posted: Sequence[Note]) -> Iterator[tuple[Note, Note | None]]:
    """Each note with the one that amended it."""
    later: dict[str, Note] = {}
    for note in reversed(posted):
        yield note, later.get(note.external_id)
        later[note.external_id] = note


def _differ(what: str, found: Iterable[str], wanted: Iterable[str]) -> Iterator[str]:
    found, wanted = set(found), set(wanted)
    if missing := sorted(wanted - found):
        yield f"{what}: {len(missing)} missing, the first {missing[:3]}"
    if more := sorted(found - wanted):
        yield f"{what}: {len(more)} too many, the first {more[:3]}"


def _ids(database: psycopg.Connection[Any], table: str) -> frozenset[str]:
    return frozenset(row[0] for row in database.execute(f"SELECT report_id FROM {table}"))  # noqa: S608


def _count(database: psycopg.Connection[Any], table: str) -> int:
    row = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    assert row is not None
    return int(row[0])
