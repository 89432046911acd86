"""`curbside migrate --from DIR` carries an installation of one machine to PostgreSQL, S3 and Kafka.

Nothing is changed in what it is carried from, which stands still meanwhile. Until all has arrived, each step
may be interrupted and is then run again: a key, a blob or a row that is there already is left alone, and an
event that arrives twice is handled once. At the end both sides are read and compared, row by row, before the
events go out; then the copy is marked, and is never carried to again.
"""

from __future__ import annotations

import asyncio
import filecmp
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table as Shown
from sqlalchemy import Row, String, Table, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.protocol import Bus, Record
from curbside.errors import OperatorError, Unavailable
from curbside.runtime.carrying_from import OWNERS, Source
from curbside.runtime.carrying_to import EMPTY_IT, NotEqual, Target
from curbside.runtime.kinds import Kind, begin_carrying, end_carrying, record_kind, unnamed_servers
from curbside.runtime.platform import key_ring, open_database, open_outside_bus, open_tokens
from curbside.runtime.reading import progress_bar
from curbside.runtime.services import load_package
from curbside.settings import Profile, RuntimeSettings
from curbside.storage.database import Database
from curbside.storage.directories import private_directory
from curbside.storage.keys import DataKeys, KeyRing
from curbside.storage.objects import NameTaken, Objects
from curbside.storage.postgres import IDENTITY
from curbside.storage.zones import Zone

_ROWS: Final = 500
_RECORDS: Final = 500
_ATTEMPTS: Final = 5
# Files of a service that lie beside its database, and would take hours to make again.
_WORK: Final = ("adapters", "training")


class NotOutside(OperatorError):
    code = "operator.not-outside"


class OtherKeys(OperatorError):
    code = "operator.other-keys"


class DoesNotFit(OperatorError):
    code = "operator.does-not-fit"


@dataclass(frozen=True)
class Carried:
    """One database's rows on both sides, and how many audit records of the copy hold."""

    owner: str
    there: int
    here: int
    audited: int


@dataclass(frozen=True)
class _Checked:
    """What was asked before the first write."""

    place: str  # identifies where events go
    rows: int  # that an earlier carry has left there


def carry(source: Path, settings: RuntimeSettings, kind: Kind = Kind.SERVERS) -> None:
    """Carry the installation in `source` to the outside halves that the environment names, and print both
    ledgers. The data directory of `settings` is then one of that `kind`."""
    console = Console(soft_wrap=True)
    there, here = Source.at(source), Target(settings)
    ring = key_ring(settings)
    with there.standing_still():
        _check_outside()
        here.check_unmarked()
        _check_keys(there.data / "keys", settings)
        checked = asyncio.run(_check_target(there, here, ring))
        begin_carrying(settings.data, there.data)  # not before: a refused target is somebody's, and whole
        with progress_bar() as bar:
            _carry_keys(there, here, ring, bar)
            _carry_blobs(there, here, bar)
            carried = asyncio.run(_carry_databases(there, here, ring, bar))
            _compare_blobs(there, here)
            events = asyncio.run(_carry_events(there, here, checked, bar))
        _carry_work(there.data, settings)
        end_carrying(settings.data)
        here.mark()
        # Its keys open what lies there; the files that it was carried from, in the same place, are history.
        record_kind(settings, kind)
    shown = Shown("database", "rows there", "rows here", "audit records that hold")
    for one in carried:
        shown.add_row(one.owner, str(one.there), str(one.here), str(one.audited))
    console.print(shown)
    console.print(f"events published again, which their readers know by id: {events}")
    kept = "Nothing in" if there.data != settings.data else "No database of"
    console.print(f"{kept} {str(there.data)!r} was changed; keep it until the services have run on the copy.")


def _check_outside() -> None:
    missing = unnamed_servers()
    if missing:
        raise NotOutside(f"there is nowhere to carry it: set {' and '.join(missing)}, or use --full.")


def _check_keys(made_with: Path, settings: RuntimeSettings) -> None:
    """What was sealed there must open here: the same key files. In development they come along; in
    production they must have been mounted."""
    if made_with.resolve() == settings.keys:
        return
    missing = []
    for path in sorted(made_with.glob("*.key")):
        here = settings.keys / path.name
        if not here.exists():
            missing.append(path)
        elif here.read_text().strip() != path.read_text().strip():
            raise OtherKeys(
                f"{path.name} differs between {str(made_with)!r} and {str(settings.keys)!r}: what is carried "
                "over would not open. Use the keys that it was made with, or, where these belong to another "
                "installation, another data directory (--data)."
            )
    if missing and settings.profile is Profile.PRODUCTION:
        raise OtherKeys(
            f"the key file {missing[0].name} of {str(made_with)!r} is not in {str(settings.keys)!r}: put all "
            "its key files into the secret that is mounted there (CURBSIDE_RUNTIME__KEY_DIR)."
        )
    private_directory(settings.keys)
    for path in missing:
        scratch = settings.keys / f"{path.name}.part"
        shutil.copy2(path, scratch)  # with its mode, 0600
        scratch.replace(settings.keys / path.name)


async def _check_target(there: Source, here: Target, ring: KeyRing) -> _Checked:
    """Ask for all topics, and whether all that stands in the target is a part of what is carried."""
    log = there.log()
    try:
        stored = [] if log is None else await log.topics()
    finally:
        if log is not None:
            await log.close()
    place = here.check_topics(stored)
    rows = 0
    for owner in OWNERS:
        async with AsyncExitStack() as opened:
            source, target = _open_both(there, here, ring, owner)
            opened.push_async_callback(source.close)
            opened.push_async_callback(target.close)
            reading = await opened.enter_async_context(source.read())
            copied = await opened.enter_async_context(target.read())
            for table in source.metadata.sorted_tables:
                rows += await _check_part(reading, copied, table, owner)
    here.check_keys(there)
    here.check_blobs(there)
    return _Checked(place, rows)


async def _check_part(there: AsyncSession, here: AsyncSession, table: Table, owner: str) -> int:
    """How many rows the copy has, each of which must be a row of the source. Raises NotEqual."""
    # Both come in the order of their keys: whatever the copy lacks is passed over.
    source = (tuple(row) async for rows in _pages(there, table) for row in rows)
    count = 0
    async for rows in _pages(here, table):
        for row in rows:
            wanted = tuple(row)
            while (found := await anext(source, None)) != wanted:
                if found is None:
                    raise NotEqual(
                        f"the table {table.name} of {owner} is not what was carried: it has a row there that "
                        f"the source has not. {EMPTY_IT}"
                    )
        count += len(rows)
    return count


def _open_both(there: Source, here: Target, ring: KeyRing, owner: str) -> tuple[Database, Database]:
    """One owner's database on both sides; the target's is brought to the newest schema."""
    target = (
        open_tokens(here.settings, ring)[1]
        if owner == IDENTITY
        else open_database(here.settings, ring, load_package(owner))
    )
    return there.database(owner, ring), target


def _carry_keys(there: Source, here: Target, ring: KeyRing, bar: Progress) -> None:
    wrapped = there.wrapped_keys()
    if wrapped is None:
        return
    source = DataKeys(wrapped, ring)
    task = bar.add_task("data keys", total=len(Zone), note="")
    for zone in Zone:
        target = DataKeys(here.wrapped_keys(zone), ring)
        source.copy_to(zone, target)
        target.close()
        bar.advance(task)
    source.close()


def _carry_blobs(there: Source, here: Target, bar: Progress) -> None:
    source, target = there.objects(), here.objects()
    done = set(here.blobs())
    task = bar.add_task("blobs", total=sum(1 for _ in there.blobs()), note="")
    for name in there.blobs():
        if name not in done:
            _carry_blob(source, target, name)
        bar.advance(task)


def _compare_blobs(there: Source, here: Target) -> None:
    """Raise NotEqual where the names of both sides differ."""
    arrived, count = set(here.blobs()), 0
    for name in there.blobs():
        if name not in arrived:
            raise NotEqual("a blob was not carried, or was deleted there meanwhile: start again.")
        count += 1
    if count != len(arrived):
        raise NotEqual(f"there are blobs that were not carried. {EMPTY_IT}")


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


async def _carry_databases(there: Source, here: Target, ring: KeyRing, bar: Progress) -> list[Carried]:
    carried = []
    for owner in OWNERS:
        source, target = _open_both(there, here, ring, owner)
        try:
            carried.append(await _carry_database(source, target, bar))
        finally:
            await source.close()
            await target.close()
    return carried


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
    except StatementError as error:
        # The text of these quotes values: the constraint and the table say enough.
        if isinstance(error, DBAPIError) and not isinstance(error, DataError | IntegrityError):
            error.hide_parameters = True
            raise
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


async def _carry_events(there: Source, here: Target, checked: _Checked, bar: Progress) -> int:
    """Publish the whole log again, in its order: whoever has handled an event knows its id. Where it was
    interrupted, it goes on from there."""
    log = there.log()
    if log is None:
        return 0
    target = open_outside_bus(here.settings)
    assert target is not None
    marker = here.settings.data / "run" / "carried-events.json"
    if not checked.rows:
        # Emptied since: its readers know no event any more.
        marker.unlink(missing_ok=True)
    try:
        return await _publish_log(log, target, marker, checked.place, bar)
    finally:
        await log.close()
        await target.close()


async def _publish_log(log: EmbeddedBus, target: Bus, marker: Path, place: str, bar: Progress) -> int:
    newest = await log.newest()
    id, record = _noted(marker, place)
    # Of this very log: one that was made anew, or restored to another past, has another record there.
    done = id if record is not None and record == await log.fingerprint(id) else 0
    task = bar.add_task("events", total=newest, completed=done, note="")
    published = 0
    while batch := await log.stored(done, _RECORDS):
        await _publish(target, [record for _, record in batch])
        done = batch[-1][0]
        published += len(batch)
        _note_published(marker, place, done, await log.fingerprint(done))
        bar.update(task, completed=done)
    bar.update(task, completed=newest)
    return published


async def _publish(target: Bus, records: Sequence[Record]) -> None:
    """A broker that is slow for a moment is asked again: whoever has handled an event knows its id."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(Unavailable):
            await target.publish(records)
            return
    await target.publish(records)


def _noted(marker: Path, place: str) -> tuple[int, str | None]:
    """The id and fingerprint of the record that was published last at this very place."""
    try:
        said = json.loads(marker.read_text())
        if said["place"] == place:
            return int(said["id"]), str(said["record"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, None
    return 0, None


def _note_published(marker: Path, place: str, id: int, record: str | None) -> None:
    private_directory(marker.parent)
    scratch = marker.with_suffix(".part")
    scratch.write_text(json.dumps({"place": place, "id": id, "record": record}))
    scratch.replace(marker)


def _carry_work(source: Path, settings: RuntimeSettings) -> None:
    if source == settings.data:
        return
    for name in _WORK:
        for path in sorted((source / name).rglob("*")):
            copy = settings.data / name / path.relative_to(source / name)
            if path.is_dir():
                copy.mkdir(parents=True, exist_ok=True)
            elif not copy.exists() or not filecmp.cmp(path, copy):
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy)
