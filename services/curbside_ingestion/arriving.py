"""A report on its way in: what tells it, and its patient, from another, and what is kept of it."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from curbside.contracts.codec import PhiDocument, to_bytes
from curbside.identity.principal import Principal
from curbside.ids import random_hex
from curbside.storage.keys import KeyRing
from curbside_ingestion.domain.report import Submission
from curbside_ingestion.domain.rows import GoodRow
from curbside_ingestion.subjects import subject_of


@dataclass(frozen=True)
class Arrival:
    """A good row on its way in. Its keyed hashes tell one report, and one patient, from another."""

    good: GoodRow
    media_type: str
    principal: Principal
    report_id: str
    subject: str
    identity: str
    fingerprint: str
    replaces: str | None  # the identity of another report
    unit: str = ""  # those of one are taken in together or not at all

    @property
    def submission(self) -> Submission:
        return self.good.submission


def arrive(good: GoodRow, media_type: str, principal: Principal, ring: KeyRing) -> Arrival:
    """Keyed hashes under the tenant's key, each in a domain of its own. NUL separates: no field holds one."""
    assert good.consent is None, "a consent is no report"
    submission = good.submission
    patient = submission.patient_id.reveal() if submission.patient_id else ""
    authored_at = submission.authored_at.reveal() if submission.authored_at else ""
    text = submission.text.reveal()
    if good.waits_as is not None:
        text = hashlib.sha256(good.original).hexdigest()  # keyed below, as a text is
    content = (text, patient, authored_at)

    def keyed(domain: str, *parts: str) -> str:
        return ring.subject(principal.tenant, "\0".join((domain, *parts)).encode())

    if submission.patient_id is not None:
        subject = subject_of(submission.patient_id, principal.tenant, ring)
    else:
        subject = keyed("content", submission.source, text)
    if submission.external_id is not None:
        identity = keyed("external-id", submission.source, submission.external_id.reveal())
    else:
        identity = keyed("identity", submission.source, *content)
    replaces = None
    if submission.replaces is not None and submission.replaces != submission.external_id:
        replaces = keyed("external-id", submission.source, submission.replaces.reveal())
    fingerprint = keyed("fingerprint", *content)
    return Arrival(good, media_type, principal, _new_report_id(), subject, identity, fingerprint, replaces)


def size_of(arrival: Arrival) -> int:
    """The bytes that `arrival` takes while it waits, roughly: its original, and the text read of it."""
    return len(arrival.good.original) + len(arrival.submission.text)


def identities_of(arrival: Arrival) -> tuple[str, ...]:
    """The identities that `arrival` touches."""
    return (arrival.identity,) if arrival.replaces is None else (arrival.identity, arrival.replaces)


def document_of(submission: Submission) -> bytes | None:
    """What de-identification reads of a report; None where there is no text, or none yet."""
    if not len(submission.text):
        return None
    return to_bytes(PhiDocument(submission.text, submission.known_with_ids(), submission.authored_at))


def _new_report_id() -> str:
    """32 hexadecimal digits, milliseconds first, so that ids sort by arrival."""
    return f"{time.time_ns() // 1_000_000:012x}{random_hex(10)}"
