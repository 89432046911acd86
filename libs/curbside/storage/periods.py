"""When a patient's consent begins and ends, sealed: a date of a patient is PHI, 45 CFR 164.514(b)(2)(i)(C).

Ingestion seals it for its own table and for the event; datasets keeps what came, and opens it for a build.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag

from curbside.errors import CurbsideError
from curbside.storage.keys import SEAL_BYTES, KeyRing, seal, unseal
from curbside.storage.zones import CONSENTS_KEY

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Its begin, whether it ends, its end: microseconds since 1970. One length for all, so that it says nothing.
_FORM: Final = Struct(">q?q")
PERIOD_BYTES: Final = SEAL_BYTES + _FORM.size


class DamagedPeriod(CurbsideError):
    """A sealed period does not open: it was changed, is another consent's, or was sealed with another key."""

    code = "storage.damaged-period"


def seal_period(
    effective_at: datetime, ends_at: datetime | None, *, tenant: str, consent_id: str, ring: KeyRing
) -> bytes:
    """The two moments, which have a zone, as PERIOD_BYTES bytes that open for this consent alone; a period
    without `ends_at` holds until another consent."""
    begin = (effective_at - _START) // _MICROSECOND
    end = (ends_at - _START) // _MICROSECOND if ends_at is not None else 0
    plain = _FORM.pack(begin, ends_at is not None, end)
    return seal(ring.key(CONSENTS_KEY), plain, _bound(tenant, consent_id))


def open_period(
    sealed: bytes, *, tenant: str, consent_id: str, ring: KeyRing
) -> tuple[datetime, datetime | None]:
    """What `seal_period` sealed, in UTC. Raises DamagedPeriod; MissingKey where the key is not there."""
    key = ring.key(CONSENTS_KEY)
    if len(sealed) != PERIOD_BYTES:
        raise _damaged()
    try:
        begin, ends, end = _FORM.unpack(unseal(key, sealed, _bound(tenant, consent_id)))
    except InvalidTag:
        raise _damaged() from None
    return _START + begin * _MICROSECOND, _START + end * _MICROSECOND if ends else None


def _damaged() -> DamagedPeriod:
    return DamagedPeriod(
        "the period of a consent does not open",
        mend=f"Restore {CONSENTS_KEY}.key of this installation, or the consent's row from a backup.",
    )


def _bound(tenant: str, consent_id: str) -> bytes:
    # With the first one's length: no two pairs come to the same.
    return f"curbside-consent-period:1:{len(tenant)}:{tenant}:{consent_id}".encode()
