"""What of a record is PHI lies sealed in its column: an external id (an accession number), a time.

In the record rather than in a blob, so that a page of reports is one query; an erasure nulls the column.
"""

from __future__ import annotations

from typing import Final

from curbside.phi import PhiText
from curbside.storage.keys import KeyRing, seal, unseal

EXTERNAL_ID: Final = "external-id"
AUTHORED_AT: Final = "authored-at"
SAID: Final = "said"  # what a sender gave with a document
METADATA: Final = "upload-metadata"
ANSWER: Final = "answer"  # to a request with an idempotency key
_KEY: Final = "ingestion-records"


def sealed(
    column: str,
    value: PhiText | None,
    tenant: str,
    report_id: str,
    ring: KeyRing,
    nonce: bytes | None = None,
) -> bytes | None:
    """`value` under a key of ingestion's own, bound to its column and report. `nonce` is one of `nonces`,
    used for nothing else."""
    if value is None:
        return None
    return seal(ring.key(_KEY), value.reveal().encode(), _bound(column, tenant, report_id), nonce)


def opened(column: str, value: bytes | None, tenant: str, report_id: str, ring: KeyRing) -> PhiText | None:
    """What `sealed` made `value` of."""
    if value is None:
        return None
    return PhiText(unseal(ring.key(_KEY), value, _bound(column, tenant, report_id)).decode())


def sealed_bytes(column: str, value: bytes, tenant: str, name: str, ring: KeyRing) -> bytes:
    """As `sealed`, for what is no text; `name` is that of its row."""
    return seal(ring.key(_KEY), value, _bound(column, tenant, name))


def opened_bytes(column: str, value: bytes, tenant: str, name: str, ring: KeyRing) -> bytes:
    return unseal(ring.key(_KEY), value, _bound(column, tenant, name))


def _bound(column: str, tenant: str, report_id: str) -> bytes:
    return f"curbside-{column}:1:{tenant}:{report_id}".encode()
