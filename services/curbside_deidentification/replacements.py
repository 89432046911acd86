"""Each tenant's replacement policy at work: a patient's mapping is read, grown and kept in one transaction.

The mapping lies in the PHI zone under the patient's data key, with the random key that its surrogates are
drawn by: whoever erases the data key erases both.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from curbside.contracts.codec import PhiDocument
from curbside.errors import NotFound
from curbside.phi import Category, PhiText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database, Transaction
from curbside.storage.keys import KEY_BYTES, KeyRing
from curbside.storage.zones import Zone
from curbside_deidentification import store
from curbside_deidentification.domain import replacement
from curbside_deidentification.domain.replacement import (
    Action,
    ReplacementPolicy,
    SubjectMapping,
    SubjectSecrets,
    shipped_policy,
)
from curbside_deidentification.domain.shift import offset_of, shifted, year_of
from curbside_deidentification.pipeline import Result
from curbside_deidentification.settings import DeidentificationSettings, Replacement

_KEYED: Final = re.compile(r"[0-9a-f]{64}")  # what KeyRing.subject makes


class UnknownSubject(NotFound):
    code = "deid.unknown-subject"


@dataclass(frozen=True)
class _Kept:
    """A patient's mapping and key as they lie in the PHI zone; `ref` is None where there are none yet."""

    ref: BlobRef | None
    key: bytes = field(repr=False)
    mapping: SubjectMapping = field(repr=False)


@dataclass
class Work:
    """One transaction and the blobs that stand or fall with it."""

    transaction: Transaction
    made: list[BlobRef] = field(default_factory=list)  # to be deleted where it fails
    outdated: list[BlobRef] = field(default_factory=list)  # to be deleted once it is committed


class Replacements:
    """Which policy a tenant has, and the replacement of one document by it."""

    def __init__(self, settings: DeidentificationSettings, *, blobs: BlobStore, ring: KeyRing) -> None:
        self._default = settings.replacement
        self._by_tenant: Mapping[str, Replacement] = settings.replacement_by_tenant
        self._blobs = blobs
        self._ring = ring

    def policy_of(self, tenant: str) -> ReplacementPolicy | None:
        """None where every mention becomes its category's placeholder."""
        name = self._by_tenant.get(tenant, self._default)
        return None if name == "placeholders" else shipped_policy(name)

    def label(self, found_by: str, tenant: str) -> str:
        """What a result carries: the policy that PHI was found by, then the one it was replaced by."""
        policy = self.policy_of(tenant)
        return found_by if policy is None else f"{found_by}+{policy.label}"

    def authored_at(self, document: PhiDocument, tenant: str, subject: str) -> str:
        """The time of a report as it may be passed on: moved, cut to its year, or left out."""
        if document.authored_at is None:
            return ""
        authored, policy = document.authored_at.reveal(), self.policy_of(tenant)
        action = Action.SHIFT if policy is None else policy.rules[Category.DATE].action
        if action is Action.SHIFT:
            return shifted(authored, self._offset(tenant, subject))
        return year_of(authored) if action is Action.YEAR else ""

    def keyed(self, tenant: str, subject: str) -> str:
        """What a caller named a patient by, keyed where it is not: no identifier lies in a row or a log."""
        if not subject or _KEYED.fullmatch(subject):
            return subject
        return self._ring.subject(tenant, f"caller:{subject}".encode())

    @asynccontextmanager
    async def begin(self, database: Database, tenant: str, subject: str, *turns: str) -> AsyncIterator[Work]:
        """A transaction that takes turns over the patient where there is a mapping to grow."""
        if self.policy_of(tenant) is not None:
            turns = (*turns, f"subject {tenant} {subject}")
        work: Work | None = None
        undone = False
        try:
            async with database.begin(*turns) as transaction:
                work = Work(transaction)
                try:
                    yield work
                except BaseException:
                    undone = True
                    raise
        finally:
            # Where the commit itself failed nobody knows whether it was: what it may name must stay.
            if undone and work is not None:
                await self._delete(work.made)
        await self._delete(work.outdated)

    async def replaced(
        self,
        work: Work,
        document: PhiDocument,
        result: Result,
        tenant: str,
        subject: str,
        *,
        received_at: datetime,
    ) -> Result:
        """`result` with the text that the tenant's policy makes of `document`; `work` keeps what is new.

        `received_at` tells the year of dates without one where the document says nothing of its own time.
        """
        policy = self.policy_of(tenant)
        if policy is None:
            return result
        kept = await self._kept(work.transaction, tenant, subject) or _Kept(
            None, secrets.token_bytes(KEY_BYTES), SubjectMapping()
        )
        done = replacement.replace(
            document.text.reveal(),
            result.spans,
            policy,
            SubjectSecrets(kept.key, self._offset(tenant, subject)),
            kept.mapping,
            reference_year=_year(document) or received_at.year,
            avoid=_known(document),
        )
        if done.mapping != kept.mapping:
            data = json.dumps({"key": kept.key.hex(), "mapping": done.mapping.to_json()}).encode()
            ref = await self._blobs.put(Zone.PHI, data, tenant=tenant, subject=subject)
            work.made.append(ref)
            if kept.ref is not None:
                work.outdated.append(kept.ref)
            await store.keep_mapping(work.transaction.session, tenant, subject, ref, at=datetime.now(UTC))
        return replace(result, replaced=PhiText(done.text), policy=self.label(result.policy, tenant))

    async def restored(self, work: Work, text: PhiText, tenant: str, subject: str) -> PhiText:
        """`text` with the patient's surrogates turned back. Raises UnknownSubject where there are none."""
        kept = await self._kept(work.transaction, tenant, subject)
        if kept is None:
            raise UnknownSubject(
                "nothing was replaced for this subject by a policy that can be turned back",
                field="subject",
                mend="Give the subject that the text was de-identified with.",
            )
        return PhiText(replacement.restore(text.reveal(), kept.mapping))

    async def _kept(self, transaction: Transaction, tenant: str, subject: str) -> _Kept | None:
        ref = await store.find_mapping(transaction.session, tenant, subject)
        if ref is None:
            return None
        data = json.loads(await self._blobs.get(ref))
        return _Kept(ref, bytes.fromhex(data["key"]), SubjectMapping.from_json(data["mapping"]))

    async def _delete(self, refs: list[BlobRef]) -> None:
        for ref in refs:
            await self._blobs.delete(ref)

    def _offset(self, tenant: str, subject: str) -> timedelta:
        return offset_of(self._ring.subject(tenant, f"date-offset:{subject}".encode()))


def _year(document: PhiDocument) -> int | None:
    authored = year_of(document.authored_at.reveal()) if document.authored_at else ""
    return int(authored) if authored else None


def _known(document: PhiDocument) -> list[str]:
    values = (getattr(document.known, each.name) for each in fields(document.known))
    return [value.reveal() for group in values for value in group]
