"""A log of events published again elsewhere, in its order, from where it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from rich.progress import Progress

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.protocol import Bus, Record
from curbside.errors import Unavailable
from curbside.storage.directories import private_directory

_RECORDS: Final = 500
_ATTEMPTS: Final = 5


async def publish_log(log: EmbeddedBus, target: Bus, marker: Path, place: str, bar: Progress) -> int:
    """How many were published; `marker` keeps how far it got at `place`."""
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
