"""`curbside migrate --from DIR` carries an installation of one machine to PostgreSQL, S3 and Kafka.

Nothing is changed in what it is carried from, which stands still meanwhile. Until all has arrived, each step
may be interrupted and is then run again: a key, a blob or a row that is there already is left alone, and an
event that arrives twice is handled once. At the end both sides are read and compared, row by row, before the
events go out; then the copy is marked, and is never carried to again.
"""

from __future__ import annotations

import asyncio
import filecmp
import shutil
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Shown

from curbside.errors import OperatorError
from curbside.runtime.carrying_events import publish_log
from curbside.runtime.carrying_from import OWNERS, Source
from curbside.runtime.carrying_rows import Carried, carry_database, check_part
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

# Files of a service that lie beside its database, and would take hours to make again.
_WORK: Final = ("adapters", "training")


class NotOutside(OperatorError):
    code = "operator.not-outside"


class OtherKeys(OperatorError):
    code = "operator.other-keys"


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
        # Not before: a refused target is somebody's, and whole.
        begin_carrying(settings.data, there.data, kind)
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
    kept = "Nothing that" if there.data != settings.data else "No database that"
    console.print(
        f"{kept} {str(there.data)!r} holds was changed; keep it until the services have run on the copy."
    )


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
                rows += await check_part(reading, copied, table, owner)
    here.check_keys(there)
    here.check_blobs(there)
    return _Checked(place, rows)


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
            carried.append(await carry_database(source, target, bar))
        finally:
            await source.close()
            await target.close()
    return carried


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
        return await publish_log(log, target, marker, checked.place, bar)
    finally:
        await log.close()
        await target.close()


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
