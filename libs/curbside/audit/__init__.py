"""Audit records are written in the transaction of the act, one hash chain per writer.

Each record's hash is an HMAC over the record and the hash before it, so whoever can edit the table but
has no audit key cannot repair the chain. Details hold ids and counts, never patient text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, MetaData, select
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.storage.keys import KeyRing

GENESIS: Final = "0" * 64
_canonical_json: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_DELETE: Final = b"\x7f"
_PLAIN: Final = frozenset({str, int, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a chain does not hold: the first record whose hash or predecessor is wrong."""

    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did: `details` hold ids and counts."""

    actor: str
    tenant: str
    action: str
    target: str
    details: Mapping[str, Any]


def continued(
    connection: Connection, metadata: MetaData, ring: KeyRing, *, writer: str, acts: Sequence[Act]
) -> list[dict[str, Any]]:
    """The records of `acts` that continue `writer`'s chain, to be added to its table in this transaction. No
    other may be adding to it (`Database.take_turns`)."""
    table = metadata.tables["audit"]
    last = connection.execute(
        select(table.c.sequence, table.c.hash).order_by(table.c.sequence.desc()).limit(1)
    ).first()
    sequence, previous = (last.sequence, last.hash) if last else (0, GENESIS)
    rows, now = [], datetime.now(UTC).isoformat()
    for act in acts:
        sequence += 1
        record: dict[str, Any] = {
            "sequence": sequence,
            "at": now,
            "actor": act.actor,
            "tenant": act.tenant,
            "action": act.action,
            "target": act.target,
            "details": dict(act.details),
            "previous_hash": previous,
        }
        previous = _hash(ring, writer, record)
        rows.append({**record, "hash": previous})
    return rows


async def verify(
    session: AsyncSession, metadata: MetaData, ring: KeyRing, *, writer: str
) -> tuple[int, Broken | None]:
    """Walk `writer`'s chain from its start; return how many records hold and the first that does not."""
    held, previous = 0, GENESIS
    async for record in _records(session, metadata):
        stored = record.pop("hash")
        if record["sequence"] != held + 1:
            return held, Broken(held + 1, "a record is missing")
        if record["previous_hash"] != previous or _hash(ring, writer, record) != stored:
            return held, Broken(record["sequence"], "the record was changed")
        held, previous = held + 1, stored
    return held, None


async def _records(session: AsyncSession, metadata: MetaData) -> AsyncIterator[dict[str, Any]]:
    table = metadata.tables["audit"]
    stream = await session.stream(select(table).order_by(table.c.sequence))
    async for row in stream.mappings():
        yield dict(row)


def _hash(ring: KeyRing, writer: str, record: Mapping[str, Any]) -> str:
    return ring.hmac_hex("audit", canonical({"writer": writer, **record}))


def canonical(record: Mapping[str, Any]) -> bytes:
    """What is hashed of a record: JSON in ASCII as Python's json writes it, keys sorted, without spaces."""
    if _is_plain(record):
        with suppress(TypeError):  # what only json writes, or refuses with a better word
            fast = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
            if fast.isascii() and _DELETE not in fast:  # json escapes those
                return fast
    return _canonical_json(record).encode()


def _is_plain(value: object) -> bool:
    """Whether orjson writes it as json does, but for characters beyond ASCII. Floats it writes otherwise."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN
