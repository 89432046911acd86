"""`curbside migrate --from DIR` carries an installation of one machine to PostgreSQL, S3 and Kafka.

Nothing is changed in what it is carried from. Each step may be interrupted and is then run again: a key, a
blob or a row that is there already is left alone, and an event that arrives twice is handled once. At the end
both sides are read and compared, row by row, before the events go out.
"""

from __future__ import annotations

import asyncio
import filecmp
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table as Shown
from sqlalchemy import Row, String, Table, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.protocol import Bus
from curbside.errors import OperatorError
from curbside.identity.tokens import METADATA as IDENTITY_METADATA
from curbside.runtime.platform import (
    key_ring,
    open_data_keys,
    open_database,
    open_objects,
    open_outside_bus,
    open_tokens,
)
from curbside.runtime.reading import progress_bar
from curbside.runtime.services import SERVICES, load_package
from curbside.runtime.supervisor import AlreadyRunning, lock_path
from curbside.settings import BlobSettings, DatabaseSettings, KafkaSettings, Profile, RuntimeSettings, load
from curbside.storage.database import Database, sqlite_url
from curbside.storage.directories import private_directory
from curbside.storage.directory_objects import DirectoryObjects
from curbside.storage.keys import DataKeys, KeyRing
from curbside.storage.migrate import migrate
from curbside.storage.objects import NameTaken, Objects
from curbside.storage.postgres import IDENTITY
from curbside.storage.wrapped_keys import SqliteWrappedKeys
from curbside.storage.zones import GRANTS, Zone

_ROWS: Final = 500
_RECORDS: Final = 500
# Files of a service that lie beside its database, and would take hours to make again.
_WORK: Final = ("adapters", "training")


class NotOutside(OperatorError):
    code = "operator.not-outside"


class NothingThere(OperatorError):
    code = "operator.no-installation"


class OtherKeys(OperatorError):
    code = "operator.other-keys"


class NotEqual(OperatorError):
    """What arrived is not what was carried: something else wrote there."""

    code = "operator.not-equal"


class DoesNotFit(OperatorError):
    code = "operator.does-not-fit"


@dataclass(frozen=True)
class Carried:
    """One database's rows on both sides, and how many audit records of the copy hold."""

    owner: str
    there: int
    here: int
    audited: int


def carry(source: Path, settings: RuntimeSettings) -> None:
    """Carry the installation in `source` to the outside halves of `settings`, and print both ledgers."""
    console = Console(soft_wrap=True)
    _check_outside()
    if not (source / "identity.db").exists():
        raise NothingThere(
            f"there is no installation at {str(source)!r}: name its data directory with --from."
        )
    with _standing_still(source):
        embedded = RuntimeSettings(data_dir=source, profile=Profile.DEVELOPMENT, tenant=settings.tenant)
        ring = key_ring(settings)
        _check_keys(source / "keys", settings)
        for owner in (*SERVICES, IDENTITY):  # a source of an earlier release is brought to this one first
            package = "curbside.identity" if owner == IDENTITY else f"curbside_{owner}"
            migrate(package, sqlite_url(embedded.data, owner))
        with progress_bar() as bar:
            _carry_keys(embedded, settings, ring, bar)
            _carry_blobs(embedded, settings, bar)
            carried = asyncio.run(_carry_databases(embedded, settings, ring, bar))
            events = asyncio.run(_carry_events(embedded, settings, bar))
        _carry_work(embedded, settings)
    shown = Shown("database", "rows there", "rows here", "audit records that hold")
    for one in carried:
        shown.add_row(one.owner, str(one.there), str(one.here), str(one.audited))
    console.print(shown)
    console.print(f"events published again, which their readers know by id: {events}")
    console.print(f"Nothing in {str(source)!r} was changed; keep it until the services have run on the copy.")


def _check_outside() -> None:
    missing = [
        name
        for name, given in (
            ("CURBSIDE_DATABASE__URL", load(DatabaseSettings).url),
            ("CURBSIDE_BLOBS__BUCKET", load(BlobSettings).bucket),
            ("CURBSIDE_KAFKA__BOOTSTRAP_SERVERS", load(KafkaSettings).bootstrap_servers),
        )
        if given is None
    ]
    if missing:
        raise NotOutside(f"there is nowhere to carry it: set {' and '.join(missing)}, or use --full.")


@contextmanager
def _standing_still(source: Path) -> Iterator[None]:
    """No supervisor runs on `source`, and none can start."""
    lock = FileLock(lock_path(source, "all"))
    try:
        lock.acquire(timeout=1)
    except Timeout:
        raise AlreadyRunning(source) from None
    try:
        yield
    finally:
        lock.release()


def _check_keys(made_with: Path, settings: RuntimeSettings) -> None:
    """What was sealed there must open here: the same key files."""
    if made_with.resolve() == settings.keys:
        return
    for path in sorted(made_with.glob("*.key")):
        here = settings.keys / path.name
        if not here.exists():
            raise OtherKeys(
                f"the key file {path.name} of {str(made_with)!r} is not in {str(settings.keys)!r}: put all "
                "its key files into the secret that is mounted there (CURBSIDE_RUNTIME__KEY_DIR)."
            )
        if here.read_text().strip() != path.read_text().strip():
            raise OtherKeys(
                f"{path.name} differs between {str(made_with)!r} and {str(settings.keys)!r}: what is carried "
                "over would not open. Use the keys that it was made with."
            )


def _carry_keys(embedded: RuntimeSettings, settings: RuntimeSettings, ring: KeyRing, bar: Progress) -> None:
    source = DataKeys(SqliteWrappedKeys(embedded.data / "keys.db"), ring)
    task = bar.add_task("data keys", total=len(Zone), note="")
    for zone in Zone:
        # As a service that the server lets into the zone.
        service = next(name for name, zones in GRANTS.items() if zone in zones)
        target = open_data_keys(settings, ring, service)
        source.copy_to(zone, target)
        target.close()
        bar.advance(task)
    source.close()


def _carry_blobs(embedded: RuntimeSettings, settings: RuntimeSettings, bar: Progress) -> None:
    source, target = DirectoryObjects(embedded.data / "blobs"), open_objects(settings)
    names = list(source.names(""))
    there = set(target.names(""))
    task = bar.add_task("blobs", total=len(names), note="")
    for name in names:
        if name not in there:
            _carry_blob(source, target, name)
        bar.advance(task)


def _carry_blob(source: Objects, target: Objects, name: str) -> None:
    data = source.read(name)
    if data is None:  # deleted meanwhile is impossible: the installation stands still
        raise NotEqual(f"the blob {name!r} disappeared while it was carried: start again.")
    try:
        target.write_new(name, data)
    except NameTaken:
        if target.read(name) != data:
            raise NotEqual(
                f"another blob {name!r} is there already: use an empty bucket or prefix."
            ) from None


async def _carry_databases(
    embedded: RuntimeSettings, settings: RuntimeSettings, ring: KeyRing, bar: Progress
) -> list[Carried]:
    carried = []
    for owner in (*SERVICES, IDENTITY):
        metadata = IDENTITY_METADATA if owner == IDENTITY else load_package(owner).metadata
        source = Database(owner, sqlite_url(embedded.data, owner), metadata, ring)
        target = await asyncio.to_thread(_open_target, settings, ring, owner)
        try:
            carried.append(await _carry_database(source, target, bar))
        finally:
            await source.close()
            await target.close()
    return carried


def _open_target(settings: RuntimeSettings, ring: KeyRing, owner: str) -> Database:
    if owner == IDENTITY:
        return open_tokens(settings, ring)[1]
    return open_database(settings, ring, load_package(owner))


async def _carry_database(source: Database, target: Database, bar: Progress) -> Carried:
    tables = source.metadata.sorted_tables  # what others refer to comes first
    async with source.read() as reading:
        total = 0
        for table in tables:
            total += (await reading.execute(select(func.count()).select_from(table))).scalar_one()
        task = bar.add_task(f"rows of {source.service}", total=2 * total, note="")
        for table in tables:
            async for rows in _pages(reading, table):
                async with target.begin() as transaction:
                    await _insert(transaction.session, table, rows, target.service)
                bar.advance(task, len(rows))
            async with target.begin() as transaction:
                await _set_sequences(transaction.session, table)
        here = 0
        async with target.read() as copied:
            for table in tables:
                here += await _compare(reading, copied, table, source.service, bar, task)
    audited, broken = await target.verify_audit()
    if broken is not None:
        raise NotEqual(f"the audit chain of {source.service} does not hold at record {broken.sequence}.")
    return Carried(source.service, total, here, audited)


async def _pages(session: AsyncSession, table: Table) -> AsyncIterator[Sequence[Row[Any]]]:
    """The rows of `table` in the order of its primary key, as bytes compare."""
    postgres = session.get_bind().dialect.name == "postgresql"
    key = [
        # SQLite compares text by its bytes; PostgreSQL by the rules of some language, unless told.
        column.collate("C") if postgres and isinstance(column.type, String) else column
        for column in table.primary_key.columns
    ]
    last: Row[Any] | None = None
    while True:
        query = select(table).order_by(*key).limit(_ROWS)
        if last is not None:
            place = [last._mapping[column.name] for column in table.primary_key.columns]
            query = query.where(tuple_(*key) > tuple_(*place))
        rows = (await session.execute(query)).all()
        if rows:
            yield rows
        if len(rows) < _ROWS:
            return
        last = rows[-1]


async def _insert(session: AsyncSession, table: Table, rows: Sequence[Row[Any]], service: str) -> None:
    try:
        await session.execute(insert(table).on_conflict_do_nothing(), [dict(row._mapping) for row in rows])
    except (DataError, IntegrityError) as error:
        # Its text may quote values: the constraint and the table say enough.
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        raise DoesNotFit(
            f"rows of {service}.{table.name} do not fit into PostgreSQL"
            f"{f' (constraint {constraint})' if constraint else ''}: has something else written there?"
        ) from None


async def _set_sequences(session: AsyncSession, table: Table) -> None:
    """Numbers that PostgreSQL gives go on behind those that were carried."""
    for column in table.primary_key.columns:
        if column is table.autoincrement_column:
            newest = (await session.execute(select(func.max(column)))).scalar_one()
            if newest is not None:
                await session.execute(
                    text("SELECT setval(pg_get_serial_sequence(:table, :column), :newest)"),
                    {"table": table.name, "column": column.name, "newest": newest},
                )


async def _compare(
    there: AsyncSession, here: AsyncSession, table: Table, service: str, bar: Progress, task: TaskID
) -> int:
    """Read both sides side by side; return how many rows there are. Raises NotEqual."""
    count = 0
    copies = _pages(here, table)
    async for rows in _pages(there, table):
        copied = await anext(copies, None)
        if [tuple(row) for row in rows] != [tuple(row) for row in copied or ()]:
            raise NotEqual(
                f"the table {table.name} of {service} is not what was carried: something else has written to "
                "it. Carry into a schema that no service has used."
            )
        count += len(rows)
        bar.advance(task, len(rows))
    if await anext(copies, None):
        raise NotEqual(f"the table {table.name} of {service} has rows that were not carried.")
    return count


async def _carry_events(embedded: RuntimeSettings, settings: RuntimeSettings, bar: Progress) -> int:
    """Publish the whole log again, in its order: whoever has handled an event knows its id. Where it was
    interrupted, it goes on from there."""
    log = EmbeddedBus(embedded.data / "bus" / "log.db")
    target = open_outside_bus(settings)
    assert target is not None
    marker = settings.data / "run" / "carried-events.json"
    try:
        return await _publish_log(log, target, marker, str(embedded.data), bar)
    finally:
        await log.close()
        await target.close()


async def _publish_log(log: EmbeddedBus, target: Bus, marker: Path, source: str, bar: Progress) -> int:
    newest, done = await log.newest(), _published(marker, source)
    task = bar.add_task("events", total=newest, completed=done, note="")
    published = 0
    while batch := await log.stored(done, _RECORDS):
        await target.publish([record for _, record in batch])
        done = batch[-1][0]
        published += len(batch)
        _note_published(marker, source, done)
        bar.update(task, completed=done)
    bar.update(task, completed=newest)
    return published


def _published(marker: Path, source: str) -> int:
    """The id of the record of `source` that was published last."""
    try:
        said = json.loads(marker.read_text())
        return int(said["id"]) if said["source"] == source else 0
    except (OSError, ValueError, KeyError):
        return 0


def _note_published(marker: Path, source: str, id: int) -> None:
    private_directory(marker.parent)
    scratch = marker.with_suffix(".part")
    scratch.write_text(json.dumps({"source": source, "id": id}))
    scratch.replace(marker)


def _carry_work(embedded: RuntimeSettings, settings: RuntimeSettings) -> None:
    if embedded.data == settings.data:
        return
    for name in _WORK:
        for path in sorted((embedded.data / name).rglob("*")):
            copy = settings.data / name / path.relative_to(embedded.data / name)
            if path.is_dir():
                copy.mkdir(parents=True, exist_ok=True)
            elif not copy.exists() or not filecmp.cmp(path, copy):
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy)
