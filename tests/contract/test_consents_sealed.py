"""When a patient said something is a date of theirs: it lies nowhere in the clear, and what did is sealed."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from alembic import command
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import (
    Column,
    LargeBinary,
    MetaData,
    String,
    Table,
    column,
    create_engine,
    insert,
    inspect,
    select,
    table,
    text,
)

from curbside.contracts.events import encode
from curbside.contracts.topics import CONSENTS_CHANGED
from curbside.identity.principal import Role
from curbside.settings import DatabaseSettings, Profile
from curbside.storage.keys import KeyRing, MissingKey
from curbside.storage.migrate import alembic_config, migrate
from curbside.storage.periods import DamagedPeriod, open_period
from curbside.storage.postgres import owner_url
from curbside.storage.sqlite import sync_url
from curbside.testing.platform import open_test_platform

BEGIN = datetime(1953, 7, 19, 4, 23, 51, 654321, tzinfo=UTC)
END = datetime(2087, 8, 23, 17, 46, 38, 987654, tzinfo=UTC)
SEALED = Table("consents", MetaData(), Column("consent_id", String), Column("period", LargeBinary))


def spellings(moment: datetime) -> set[bytes]:
    """The usual ones of its day, and those in which protobuf, PostgreSQL and a struct would hold it."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    micro = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    since_2000 = (moment - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    forms = (
        *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%m-%d-%Y", "%d-%m-%Y"),
        *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%H:%M:%S.%f"),
    )
    return {
        *(moment.strftime(form).encode() for form in forms),
        *(str(number).encode() for number in (micro // 1_000_000, micro // 1_000, micro)),
        *(struct.pack(f"{order}q", number) for order in "<>" for number in (micro, since_2000)),
        stamp.SerializeToString(),
    }


WANTED = spellings(BEGIN) | spellings(END)


def assert_silent(data: bytes, where: object) -> None:
    assert not [form for form in WANTED if form in data], where


@pytest.mark.usefixtures("halves")
async def test_no_event_and_no_file_shows_when_a_patient_said_something(
    tmp_path: Path, disks: Callable[[], Iterator[Path]]
) -> None:
    said = {
        "patient_id": "MRN-4471",
        "reference": "17",
        "decision": "permit",
        "effective_at": BEGIN.isoformat(),
        "ends_at": END.isoformat(),
    }
    fhir = {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "scope": {"coding": [{"code": "research"}]},
        "category": [{"coding": [{"code": "research"}]}],
        "patient": {"reference": "Patient/MRN-4471"},
        "dateTime": BEGIN.isoformat(),
        "policyRule": {"coding": [{"code": "OPTOUT"}]},
    }
    async with (
        open_test_platform("ingestion", tmp_path / "data") as intake,
        open_test_platform("datasets", tmp_path / "data") as datasets,
    ):
        headers = await intake.headers(Role.STEWARD)
        transport = httpx2.ASGITransport(app=intake.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
            keyed = {"idempotency-key": "k1"}
            answer = await http.post("/ingestion/v1/consents", json=said, headers=keyed)
            assert answer.status_code == 202, answer.text
            shown = (await http.get(f"/ingestion/v1/consents/{answer.json()['consent_id']}")).json()
            assert (shown["effective_at"], shown["ends_at"]) == (BEGIN.isoformat(), END.isoformat())
            posted = await http.post(
                "/ingestion/fhir/Consent",
                content=json.dumps(fhir),
                headers={"content-type": "application/fhir+json"},
            )
            assert posted.status_code == 202, posted.text
            void = {**said, "status": "entered-in-error"}
            assert (await http.post("/ingestion/v1/consents", json=void)).status_code == 202
        events = await intake.published(CONSENTS_CHANGED)
        assert len(events) == 4, "the permission, the denial, and the permission taken back by a void one"
        for event in events:
            assert_silent(encode(event), "event")
            await datasets.deliver(event)
        searched = 0
        for path in disks():
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # a server tidies up meanwhile
                continue
            searched += len(data)
            assert_silent(data, path)
        assert searched > 10_000


@dataclass(frozen=True)
class Old:
    """A service's database as an earlier release left it, with two consents, their times in the clear."""

    service: str
    url: str

    def consents(self, ring: KeyRing) -> list[tuple[str, datetime, datetime | None]]:
        """As they are kept now."""
        engine = create_engine(sync_url(self.url))
        with engine.connect() as connection:
            rows = connection.execute(select(SEALED).order_by(SEALED.c.consent_id)).all()
        engine.dispose()
        return [
            (row.consent_id, *open_period(row.period, tenant="t", consent_id=row.consent_id, ring=ring))
            for row in rows
        ]

    def query(self, statement: str) -> list[tuple[object, ...]]:
        engine = create_engine(sync_url(self.url))
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(text(statement))]
        engine.dispose()
        return rows

    def columns(self) -> set[str]:
        engine = create_engine(sync_url(self.url))
        columns = {str(column["name"]) for column in inspect(engine).get_columns("consents")}
        engine.dispose()
        return columns


CONSENTS = [("c1", BEGIN, END), ("c2", BEGIN, None)]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Of a service's database."""
    if request.param == "sqlite":
        return lambda service: f"sqlite:///{tmp_path / 'old' / f'{service}.db'}"
    settings: DatabaseSettings = request.getfixturevalue("postgres_database")

    def of(service: str) -> str:
        return owner_url(settings, Profile.DEVELOPMENT, service).render_as_string(hide_password=False)

    return of


@pytest.fixture(params=["ingestion", "datasets"])
def old(request: pytest.FixtureRequest, url: Callable[[str], str], tmp_path: Path) -> Old:
    service: str = request.param
    old = Old(service, url(service))
    (tmp_path / "old").mkdir()
    config = alembic_config(f"curbside_{service}", old.url)
    command.upgrade(config, "0004")
    command.downgrade(config, "0004")  # of what tests copy, which is at the newest
    values = {"consent_id": "", "tenant": "t", "subject": "s", "scope": "training", "decision": "deny"}
    if service == "ingestion":
        values |= {"fingerprint": "f", "source": "api", "received_at": "2026-11-01 00:00:00"}
    names = [*values, "sequence", "effective_at", "ends_at"]
    consents = table("consents", *(column(name) for name in names))
    engine = create_engine(sync_url(old.url))

    def moment(at: datetime | None) -> object:
        return at.replace(tzinfo=None).isoformat(" ") if at and engine.dialect.name == "sqlite" else at

    with engine.begin() as connection:
        for number, (consent_id, begin, end) in enumerate(CONSENTS):
            times = {"effective_at": moment(begin), "ends_at": moment(end)}
            connection.execute(
                insert(consents), {**values, "consent_id": consent_id, "sequence": number, **times}
            )
    engine.dispose()
    return old


def test_what_an_earlier_release_kept_in_the_clear_is_sealed(old: Old, ring: KeyRing, tmp_path: Path) -> None:
    files = [*(tmp_path / "old").iterdir()]
    assert all(any(form in path.read_bytes() for form in WANTED) for path in files), "of SQLite"
    migrate(f"curbside_{old.service}", old.url, ring)
    assert old.consents(ring) == CONSENTS
    assert old.query("SELECT consent_id, subject, decision, sequence FROM consents ORDER BY 1") == [
        ("c1", "s", "deny", 0),
        ("c2", "s", "deny", 1),
    ]
    assert not {"effective_at", "ends_at"} & old.columns()
    for path in (tmp_path / "old").iterdir():  # nothing stays in what SQLite freed
        assert_silent(path.read_bytes(), path)


def test_where_the_key_is_missing_nothing_is_changed_and_nothing_lost(
    old: Old, ring: KeyRing, tmp_path: Path
) -> None:
    for without in (KeyRing(tmp_path / "none", Profile.PRODUCTION), None):
        with pytest.raises((MissingKey, TypeError)):
            migrate(f"curbside_{old.service}", old.url, without)
        assert old.query("SELECT version_num FROM alembic_version") == [("0004",)]
        assert old.query("SELECT consent_id FROM consents ORDER BY 1") == [("c1",), ("c2",)]
        assert {"effective_at", "ends_at"} <= old.columns()
    migrate(f"curbside_{old.service}", old.url, ring)
    assert old.consents(ring) == CONSENTS


def test_the_way_back_opens_them_and_stays_where_one_does_not_open(old: Old, ring: KeyRing) -> None:
    config = alembic_config(f"curbside_{old.service}", old.url, ring)
    before = old.query("SELECT consent_id, effective_at, ends_at FROM consents ORDER BY 1")
    command.upgrade(config, "head")
    command.downgrade(config, "0004")
    assert old.query("SELECT consent_id, effective_at, ends_at FROM consents ORDER BY 1") == before
    command.upgrade(config, "head")
    engine = create_engine(sync_url(old.url))
    with engine.begin() as connection:
        (first, second) = connection.execute(select(SEALED).order_by(SEALED.c.consent_id)).all()
        for one, other in ((first, second), (second, first)):  # each in the other's place
            swap = SEALED.update().where(SEALED.c.consent_id == one.consent_id)
            connection.execute(swap.values(period=other.period))
    engine.dispose()
    with pytest.raises(DamagedPeriod):
        command.downgrade(config, "0004")
    assert old.query("SELECT consent_id FROM consents ORDER BY 1") == [("c1",), ("c2",)]
    assert old.query("SELECT version_num FROM alembic_version") == [("0005",)]
