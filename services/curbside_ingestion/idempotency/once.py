"""Do what is asked under a key once, and give its first answer to whoever asks again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from curbside.errors import CurbsideError
from curbside.identity.principal import Principal
from curbside.storage.database import Database
from curbside.storage.keys import KeyRing
from curbside_ingestion.domain.idempotency import HEADER, KeyInHand, KeyReused
from curbside_ingestion.idempotency import store
from curbside_ingestion.sealing import ANSWER, opened_bytes, sealed_bytes

log = logging.getLogger(__name__)
_LEASE: Final = timedelta(seconds=30)  # renewed while its request goes on
_RETRY_AFTER: Final = 1  # seconds
_CLEANING: Final = timedelta(minutes=5)
_LOT: Final = 1_000
_SMALL: Final = 65_536  # bytes that are hashed without a thread


@dataclass(frozen=True)
class Asked:
    """A request, and the key under which it comes."""

    key: str = field(repr=False)
    principal: Principal
    method: str
    path: str
    query: str
    media: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """What was answered. One that is not `final` (too much is under way) is not given again."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    final: bool = True


@dataclass(frozen=True)
class Once:
    """Answers by key. A kill between an act and the note of its answer makes a repetition act again: what it
    does must bear that, as the intake of a report does."""

    database: Database
    ring: KeyRing
    expiry: timedelta
    # Of this process: what another left in hand of an SQLite file, which has one at a time, is nobody's.
    claimant: str = field(default_factory=lambda: secrets.token_hex(16))

    async def __call__(self, asked: Asked, act: Callable[[], Awaitable[Answer]]) -> tuple[Answer, bool]:
        """The answer, and whether it is an earlier one. Raises KeyReused, KeyInHand, what `act` raises."""
        key_hash, fingerprint = await self._named(asked)
        earlier = await self._claim(key_hash, fingerprint, asked.principal.tenant)
        if earlier is not None:
            return earlier, True
        acting = asyncio.ensure_future(act())
        try:
            while not (await asyncio.wait([acting], timeout=_LEASE.total_seconds() / 3))[0]:
                await self._extend(key_hash)
            answer = acting.result()
        except asyncio.CancelledError:
            acting.cancel()
            raise  # the process stops: the claim runs out
        except Exception:
            await self._forget(key_hash)
            raise
        if answer.final:
            await self._keep(key_hash, asked.principal.tenant, answer)
        else:
            await self._forget(key_hash)
        return answer, False

    async def clean(self) -> None:
        """Delete what has expired, for as long as the service runs."""
        while True:
            try:
                while await self.clean_some() == _LOT:
                    continue
            except CurbsideError as error:
                log.warning("expired idempotency keys stay", extra={"error": error.code})
            await asyncio.sleep(_CLEANING.total_seconds())

    async def clean_some(self) -> int:
        async with self.database.begin("idempotency cleaning") as transaction:
            return await store.forget_expired(transaction.session, datetime.now(UTC), _LOT)

    async def _named(self, asked: Asked) -> tuple[str, str]:
        """Keyed hashes of the key and of the request, of which neither says anything."""
        tenant = asked.principal.tenant
        if len(asked.body) <= _SMALL:
            digest = hashlib.sha256(asked.body)
        else:
            digest = await asyncio.to_thread(hashlib.sha256, asked.body)
        # As JSON, so that no part can pass for two.
        key = json.dumps(["idempotency-key", asked.principal.id, asked.key])
        request = json.dumps(
            ["idempotency-request", asked.method, asked.path, asked.query, asked.media, digest.hexdigest()]
        )
        return self.ring.subject(tenant, key.encode()), self.ring.subject(tenant, request.encode())

    async def _claim(self, key_hash: str, fingerprint: str, tenant: str) -> Answer | None:
        """Take the key in hand; the answer where one was given already."""
        now = datetime.now(UTC)
        async with self.database.begin(f"idempotency {key_hash}") as transaction:
            found = await store.find(transaction.session, key_hash)
            if found is not None and found.expires_at > now:
                if found.fingerprint != fingerprint:
                    raise KeyReused(
                        "the key came before, with another request",
                        field=HEADER,
                        mend="Send another request under another key.",
                    )
                if found.answer is not None:
                    return _read(opened_bytes(ANSWER, found.answer, tenant, key_hash, self.ring))
                ours = found.claimant == self.claimant
                if found.claimed_until > now and (ours or self.database.is_postgres):
                    raise KeyInHand(
                        "the first request with this key has not been answered yet",
                        field=HEADER,
                        mend="Send it again after the seconds of Retry-After.",
                        retry_after=_RETRY_AFTER,
                    )
            await store.claim(
                transaction.session,
                key_hash,
                tenant,
                fingerprint=fingerprint,
                claimant=self.claimant,
                until=now + _LEASE,
                expires_at=now + self.expiry,
            )
        return None

    async def _extend(self, key_hash: str) -> None:
        async with self.database.begin(f"idempotency {key_hash}") as transaction:
            until = datetime.now(UTC) + _LEASE
            await store.extend(transaction.session, key_hash, self.claimant, until)

    async def _keep(self, key_hash: str, tenant: str, answer: Answer) -> None:
        sealed = sealed_bytes(ANSWER, _written(answer), tenant, key_hash, self.ring)
        async with self.database.begin(f"idempotency {key_hash}") as transaction:
            await store.keep_answer(transaction.session, key_hash, self.claimant, sealed)

    async def _forget(self, key_hash: str) -> None:
        async with self.database.begin(f"idempotency {key_hash}") as transaction:
            await store.forget(transaction.session, key_hash, self.claimant)


def _written(answer: Answer) -> bytes:
    """A line that says what stands in front of the body."""
    head = json.dumps({"status": answer.status, "headers": answer.headers})
    return zlib.compress(head.encode() + b"\n" + answer.body, 1)  # a third: ids and the same words again


def _read(written: bytes) -> Answer:
    head, _, body = zlib.decompress(written).partition(b"\n")
    said = json.loads(head)
    return Answer(said["status"], said["headers"], body)
