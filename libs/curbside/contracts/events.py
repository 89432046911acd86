"""The event envelope: what is common to every event, and how one becomes bytes and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from curbside.contracts.topics import TOPIC_OF_EVENT, Topic, key_of
from curbside.contracts.v1 import events_pb2
from curbside.errors import BadInput
from curbside.ids import random_hex

SCHEMA_VERSION: Final = 1


class UnreadableEvent(BadInput):
    """A message on a topic is not an event that this release can read."""

    code = "event.unreadable"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact, with its payload decoded. `event_id` is what consumers dedupe by."""

    event_id: str
    occurred_at: datetime
    tenant: str
    subject: str
    payload: Message
    trace_parent: str = ""

    @property
    def type(self) -> str:
        return self.payload.DESCRIPTOR.name

    @property
    def topic(self) -> Topic:
        return TOPIC_OF_EVENT[self.type]

    @property
    def key(self) -> str:
        return key_of(self.topic, self.tenant, self.subject)


def new_event(
    payload: Message, *, tenant: str, subject: str = "", occurred_at: datetime | None = None
) -> Event:
    """A fresh event around `payload`, which must be a message that some topic carries."""
    if payload.DESCRIPTOR.name not in TOPIC_OF_EVENT:
        raise ValueError(f"no topic carries {payload.DESCRIPTOR.name!r}")
    return Event(
        event_id=random_hex(16),
        occurred_at=occurred_at or datetime.now(UTC),
        tenant=tenant,
        subject=subject,
        payload=payload,
    )


@lru_cache(maxsize=16)  # what happens together has one time
def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp


def encode(event: Event) -> bytes:
    envelope = events_pb2.Envelope(
        event_id=event.event_id,
        type=event.type,
        occurred_at=_stamp(event.occurred_at),
        tenant=event.tenant,
        subject=event.subject,
        trace_parent=event.trace_parent,
        schema_version=SCHEMA_VERSION,
        payload=event.payload.SerializeToString(),
    )
    return envelope.SerializeToString()


def decode(data: bytes) -> Event:
    """The event in `data`. Unknown fields are ignored; an unknown type raises UnreadableEvent."""
    envelope = events_pb2.Envelope()
    try:
        envelope.ParseFromString(data)
        if envelope.type not in TOPIC_OF_EVENT:
            raise UnreadableEvent(
                f"no event is named {envelope.type!r}",
                field="type",
                mend="Upgrade this service to the producer's release.",
            )
        payload: Message = getattr(events_pb2, envelope.type)()
        payload.ParseFromString(envelope.payload)
    except DecodeError:
        raise UnreadableEvent(
            "the message is not an event envelope", mend="Find its producer and inspect it offline."
        ) from None
    return Event(
        event_id=envelope.event_id,
        occurred_at=envelope.occurred_at.ToDatetime(tzinfo=UTC),
        tenant=envelope.tenant,
        subject=envelope.subject,
        payload=payload,
        trace_parent=envelope.trace_parent,
    )
