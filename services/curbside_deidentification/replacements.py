"""Each tenant's replacement policy at work: a patient's mappings are read, grown and kept in one transaction.

They lie in the PHI zone under the patient's data key, with the random key that surrogates are drawn by:
whoever erases the data key erases both. Each policy has a mapping of its own among them.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from curbside.contracts.codec import PhiDocument
from curbside.errors import BadInput, NotFound
from curbside.phi import Category, PhiText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database, Transaction
from curbside.storage.keys import KEY_BYTES, KeyRing
from curbside.storage.zones import Zone
from curbside_deidentification import store
from curbside_deidentification.domain import replacement
from curbside_deidentification.domain.order import place_between
from curbside_deidentification.domain.replacement import (
    Action,
    BadReplacementPolicy,
    LegalBasis,
    Made,
    ReplacementPolicy,
    Subjects,
    SubjectSecrets,
    SubjectTables,
    policy_of,
    shipped_policy,
)
from curbside_deidentification.domain.shift import instant_of, offset_of, shifted, year_of
from curbside_deidentification.pipeline import Result
from curbside_deidentification.settings import DeidentificationSettings, Replacement

_KEYED: Final = re.compile(r"[0-9a-f]{64}")  # what KeyRing.subject makes


class UnknownSubject(NotFound):
    code = "deid.unknown-subject"


class UnknownPolicy(BadInput):
    code = "deid.unknown-policy"
    title = "Nothing was kept that a text could be turned back by"


@dataclass(frozen=True)
class _Kept:
    """A patient's mappings and key as they lie in the PHI zone; `ref` is None where there are none yet.

    Where the patient's data key was `erased` since, they are new ones, and `ref` is of what nobody can read.
    """

    ref: BlobRef | None
    key: bytes = field(repr=False)
    tables: SubjectTables = field(repr=False)
    erased: bool = False


@dataclass(frozen=True)
class PassedOn:
    """What leaves with a report beside its text, by the policy of its tenant."""

    authored_at: str
    legal_basis: LegalBasis
    subjects: Subjects


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

    def passed_on(self, document: PhiDocument, tenant: str, subject: str) -> PassedOn:
        """The time of a report moved, cut to its year, or left out; and what it all rests on.

        Placeholders for everything are Safe Harbor, which takes a year and no moved date.
        """
        policy = self.policy_of(tenant)
        action = Action.YEAR if policy is None else policy.rules[Category.DATE].action
        authored = document.authored_at.reveal() if document.authored_at is not None else ""
        if action is Action.SHIFT:
            authored = shifted(authored, self._offset(tenant, subject))
        else:
            authored = year_of(authored) if action is Action.YEAR else ""
        if policy is None:
            return PassedOn(authored, LegalBasis.SAFE_HARBOR, Subjects.RANDOM)
        return PassedOn(authored, policy.basis, policy.subjects)

    async def placed(
        self, transaction: Transaction, document: PhiDocument, tenant: str, subject: str
    ) -> tuple[datetime | None, str]:
        """When a report was written, moved, and its place among the patient's; both empty where nobody knows.

        In a transaction that takes turns over the patient. Reports of one moment share a place.
        """
        authored = document.authored_at.reveal() if document.authored_at is not None else ""
        moved = instant_of(shifted(authored, self._offset(tenant, subject)))
        if moved is None:
            return None, ""
        before, after = await store.neighbours(transaction.session, tenant, subject, moved)
        if before is not None and before[0] == moved:
            return before
        return moved, place_between(before and before[1], after and after[1])

    def opinion(self, tenant: str, opinion_id: str) -> str:
        """The subject of what was pasted for an opinion."""
        return self._ring.opinion(tenant, opinion_id)

    def keyed(self, tenant: str, subject: str) -> str:
        """What a caller named a patient by, keyed where it is not: no identifier lies in a row or a log."""
        if not subject or _KEYED.fullmatch(subject):
            return subject
        return self._ring.subject(tenant, f"caller:{subject}".encode())

    @asynccontextmanager
    async def begin(self, database: Database, tenant: str, subject: str, *turns: str) -> AsyncIterator[Work]:
        """A transaction that takes turns over the patient: the mapping grows, and reports are placed."""
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
        kept = await self._kept(work.transaction.session, tenant, subject)
        before = kept.tables.of(policy)
        done = replacement.replace(
            document.text.reveal(),
            result.spans,
            policy,
            SubjectSecrets(kept.key, self._offset(tenant, subject)),
            before,
            reference_year=_year(document) or received_at.year,
            avoid=(*_known(document), *kept.tables.originals_besides(policy)),
        )
        if done.mapping != before or kept.tables.is_shared:
            tables = kept.tables.keep(policy, done.mapping, at=datetime.now(UTC))
            data = json.dumps({"key": kept.key.hex(), "mapping": tables.to_json()}).encode()
            ref = await self._blobs.put(Zone.PHI, data, tenant=tenant, subject=subject)
            work.made.append(ref)
            if kept.ref is not None:
                work.outdated.append(kept.ref)
            sealed = store.KeptMapping(ref, await self._blobs.key_mark(Zone.PHI, tenant, subject))
            await store.keep_mapping(work.transaction.session, tenant, subject, sealed, at=datetime.now(UTC))
        return replace(result, replaced=PhiText(done.text), policy=self.label(result.policy, tenant))

    async def restored(
        self, work: Work, text: PhiText, tenant: str, subject: str, made: Sequence[Made] = ()
    ) -> PhiText:
        """`text` with the patient's surrogates turned back that were written as it was `made`, as
        `SubjectTables.restored` does. Raises UnknownSubject where there are none."""
        tables = await self._tables(work, tenant, subject)
        return PhiText(tables.restored(text.reveal(), made))

    async def restored_by(
        self, work: Work, text: PhiText, tenant: str, subject: str, label: str = ""
    ) -> PhiText:
        """`text` with what the policy of `label` wrote turned back, or without one what the tenant's policy
        of now did. Raises UnknownSubject, or UnknownPolicy where that policy keeps nothing."""
        tables = await self._tables(work, tenant, subject)
        try:
            policy = policy_of(label) if label else self.policy_of(tenant)
        except BadReplacementPolicy:
            policy = None
        if policy is None or not policy.keeps_mapping:
            raise UnknownPolicy(
                "nothing is kept of what the policy replaced",
                field="policy",
                mend="Give the policy that the answer named which the text came with.",
            )
        return PhiText(tables.restored_by(text.reveal(), policy))

    async def _tables(self, work: Work, tenant: str, subject: str) -> SubjectTables:
        kept = await self._kept(work.transaction.session, tenant, subject)
        if kept.ref is None or kept.erased:
            raise UnknownSubject(
                "nothing was replaced for this subject by a policy that can be turned back",
                field="subject",
                mend="Give the subject that the text was de-identified with.",
            )
        return kept.tables

    async def can_restore(self, session: store.Session, tenant: str, subject: str) -> bool:
        """Whether something is kept of the patient that surrogates can be turned back by."""
        found = await store.find_mapping(session, tenant, subject)
        return found is not None and not await self._is_erased(found)

    async def _kept(self, session: store.Session, tenant: str, subject: str) -> _Kept:
        found = await store.find_mapping(session, tenant, subject)
        if found is None:
            return _Kept(None, secrets.token_bytes(KEY_BYTES), SubjectTables())
        if await self._is_erased(found):
            return _Kept(found.ref, secrets.token_bytes(KEY_BYTES), SubjectTables(), erased=True)
        data = json.loads(await self._blobs.get(found.ref))
        return _Kept(found.ref, bytes.fromhex(data["key"]), SubjectTables.from_json(data["mapping"]))

    async def _is_erased(self, found: store.KeptMapping) -> bool:
        """Whether the data key that sealed the mapping is gone; a report that came since made another."""
        now = await self._blobs.key_mark(found.ref.zone, found.ref.tenant, found.ref.subject)
        return now is None or (found.key_mark is not None and now != found.key_mark)

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
