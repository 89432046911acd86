"""From de-identification's events to the states of reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from curbside.bus.protocol import Subscription
from curbside.contracts.events import Event
from curbside.contracts.topics import REPORTS_DEIDENTIFIED, REPORTS_QUARANTINED
from curbside.contracts.v1 import events_pb2
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.handlers import Move

GROUP: Final = "ingestion"
# Each of them is a lock of the database until the commit: PostgreSQL has some 6,000 as it comes.
_BATCH: Final = 200

Follow = Callable[[Sequence[Move]], Awaitable[None]]


def subscriptions(follow: Follow) -> list[Subscription]:
    async def handle(event: Event) -> None:
        await handle_batch([event])

    async def handle_batch(events: Sequence[Event]) -> None:
        moves = [move for event in events if (move := move_of(event)) is not None]
        if moves:
            await follow(moves)

    return [
        Subscription(topic, GROUP, handle, handle_batch=handle_batch, batch_size=_BATCH)
        for topic in (REPORTS_DEIDENTIFIED, REPORTS_QUARANTINED)
    ]


def move_of(event: Event) -> Move | None:
    match event.payload:
        case events_pb2.ReportDeidentified() as payload:
            state = ReportState.RELEASED if payload.released else ReportState.DEIDENTIFIED
            return Move(event, payload.report_id, state, "")
        case events_pb2.ReportQuarantined() as payload:
            return Move(event, payload.report_id, ReportState.QUARANTINED, payload.reason)
        case events_pb2.ReportRejected() as payload:
            return Move(event, payload.report_id, ReportState.REJECTED, payload.reason)
    return None
