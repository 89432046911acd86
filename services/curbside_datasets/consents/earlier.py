"""Events of an earlier release, which told the times of a consent in the clear: a log keeps them for years.

They are read as they were meant, so that no denial is lost and none returns, and kept sealed. Of one that has
no times either, nothing opens, and what does not open bars.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet

from curbside.contracts.v1 import events_pb2
from curbside.storage.keys import KeyRing
from curbside.storage.periods import seal_period

# Of ConsentChanged, where these numbers are reserved.
_EFFECTIVE_AT, _ENDS_AT = 4, 5
_NOTHING: Final = b""


def period_of(said: events_pb2.ConsentChanged, *, tenant: str, ring: KeyRing) -> bytes:
    """The sealed period of the consent that `said` tells of; empty where it tells none."""
    if said.period:
        return said.period
    unknown = UnknownFieldSet(said)
    told = {unknown[place].field_number: unknown[place].data for place in range(len(unknown))}
    try:
        begin, end = _moment(told, _EFFECTIVE_AT), _moment(told, _ENDS_AT)
    except (DecodeError, ValueError, OverflowError):
        return _NOTHING
    if begin is None:
        return _NOTHING
    return seal_period(begin, end, tenant=tenant, consent_id=said.consent_id, ring=ring)


def _moment(told: Mapping[int, object], field: int) -> datetime | None:
    data = told.get(field)
    if data is None:
        return None
    if not isinstance(data, bytes):
        raise ValueError("not a timestamp")
    return Timestamp.FromString(data).ToDatetime(tzinfo=UTC)
