"""Bearer tokens: `cbs_<id>_<secret>`, of which only a keyed hash is stored."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import JSON, Column, String, Table, insert, select, update

from curbside.errors import BadInput, NotFound, Unauthenticated
from curbside.identity.principal import Principal, Role
from curbside.storage.database import Database
from curbside.storage.keys import KeyRing
from curbside.storage.tables import UtcDateTime, service_metadata

METADATA = service_metadata()
TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=True),
    Column("revoked_at", UtcDateTime(), nullable=True),
)
# A revoked token works at most this long in a process that has just seen it.
_CACHE: Final = timedelta(seconds=5)


class UnknownRole(BadInput):
    code = "identity.unknown-role"


class UnknownToken(NotFound):
    code = "identity.unknown-token"


class Tokens:
    """Issues, revokes and checks tokens, over the identity database."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring
        self._seen: dict[str, tuple[float, Principal]] = {}
        self._asked: dict[str, asyncio.Future[Principal]] = {}  # being looked up

    async def issue(
        self,
        name: str,
        roles: Sequence[str],
        *,
        tenant: str,
        actor: str,
        lifetime: timedelta | None = None,
    ) -> str:
        """A new token, shown once. Raises UnknownRole naming the roles there are."""
        try:
            granted = [Role(role) for role in roles]
        except ValueError:
            raise UnknownRole(
                f"there is no role among {list(roles)!r} that Curbside knows",
                field="role",
                mend=f"Use one of {', '.join(Role)}.",
            ) from None
        token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        async with self._database.begin() as transaction:
            await transaction.session.execute(
                insert(TOKENS).values(
                    id=token_id,
                    hash=self._hash(secret),
                    name=name,
                    tenant=tenant,
                    roles=[role.value for role in granted],
                    created_at=now,
                    expires_at=now + lifetime if lifetime else None,
                )
            )
            await transaction.record(
                actor=actor,
                tenant=tenant,
                action="token.issued",
                target=token_id,
                details={"name": name, "roles": [role.value for role in granted]},
            )
        return f"cbs_{token_id}_{secret}"

    async def revoke(self, token_id: str, *, actor: str) -> None:
        async with self._database.begin() as transaction:
            row = (await transaction.session.execute(select(TOKENS).where(TOKENS.c.id == token_id))).first()
            if row is None:
                raise UnknownToken(f"there is no token {token_id!r}", field="token_id")
            await transaction.session.execute(
                update(TOKENS)
                .where(TOKENS.c.id == token_id, TOKENS.c.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC))
            )
            await transaction.record(actor=actor, tenant=row.tenant, action="token.revoked", target=token_id)
        self._seen.clear()
        self._asked.clear()

    async def authenticate(self, token: str) -> Principal:
        """The principal of `token`; raises Unauthenticated alike for unknown, expired and revoked."""
        digest = self._hash(token)
        cached = self._seen.get(digest)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        # Who comes with it meanwhile waits for the same answer: a busy client would ask dozens of times.
        asked = self._asked.get(digest)
        if asked is None:
            asked = self._asked[digest] = asyncio.ensure_future(self._look_up(token))
            asked.add_done_callback(partial(self._answered, digest))
        principal = await asyncio.shield(asked)
        if len(self._seen) > 10_000:
            self._seen.clear()
        self._seen[digest] = (time.monotonic() + _CACHE.total_seconds(), principal)
        return principal

    def _answered(self, digest: str, asked: asyncio.Future[Principal]) -> None:
        if self._asked.get(digest) is asked:
            del self._asked[digest]
        if not asked.cancelled():
            asked.exception()  # whoever asked may be gone

    async def _look_up(self, token: str) -> Principal:
        prefix, _, rest = token.partition("_")
        token_id, _, secret = rest.partition("_")
        row = None
        if prefix == "cbs" and token_id and secret:
            async with self._database.read() as session:
                row = (await session.execute(select(TOKENS).where(TOKENS.c.id == token_id))).first()
        if (
            row is None
            or not hmac.compare_digest(row.hash, self._hash(secret))
            or row.revoked_at is not None
            or (row.expires_at is not None and row.expires_at <= datetime.now(UTC))
        ):
            raise Unauthenticated(
                "the token is not valid, or no longer",
                field="Authorization",
                mend="Ask an administrator for one: curbside token create --role ROLE --name NAME.",
            )
        return Principal(f"token:{row.name}", row.tenant, frozenset(Role(role) for role in row.roles))

    def _hash(self, secret: str) -> str:
        return self._ring.hmac_hex("token", secret.encode())
