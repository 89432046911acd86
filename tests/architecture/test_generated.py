"""Contracts: generated code, topics as data, and what a consumer does with what it does not know."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from curbside.contracts.events import UnreadableEvent, decode, encode, new_event
from curbside.contracts.topics import TOPIC_OF_EVENT, TOPICS, key_of
from curbside.contracts.v1 import events_pb2
from curbside.runtime.services import SERVICES

NOT_EVENTS = {"Envelope", "BlobRef"}


def test_every_event_message_has_its_topic_and_every_topic_its_messages() -> None:
    messages = set(events_pb2.DESCRIPTOR.message_types_by_name) - NOT_EVENTS
    assert set(TOPIC_OF_EVENT) == messages


def test_topics_are_named_and_produced_as_the_house_says() -> None:
    for topic in TOPICS.values():
        owner, noun, verb, version = topic.name.split(".")
        assert (owner, version) == ("curbside", "v1")
        assert noun
        assert verb
        assert topic.producer in SERVICES
        assert topic.dead_letters == f"{topic.name}.dlq"


def test_an_event_survives_the_wire() -> None:
    event = new_event(
        events_pb2.ReportReceived(report_id="r1"),
        tenant="default",
        subject="s1",
        occurred_at=datetime(2026, 11, 24, 3, 4, 5, 678000, tzinfo=UTC),
    )
    assert decode(encode(event)) == event
    assert event.key == "default:s1" == key_of(event.topic, "default", "s1")


def test_unknown_fields_are_ignored_and_unknown_types_refused() -> None:
    data = encode(new_event(events_pb2.ReportReceived(report_id="r1"), tenant="t"))
    # Field 99, varint 1: a later release's addition.
    assert decode(data + b"\x98\x06\x01").event_id
    envelope = events_pb2.Envelope(event_id="e", type="FromTheFuture")
    with pytest.raises(UnreadableEvent, match="FromTheFuture"):
        decode(envelope.SerializeToString())
