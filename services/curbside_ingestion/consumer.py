"""From de-identification's events to the states of reports."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Final, Protocol

from curbside.bus.protocol import Subscription
from curbside.contracts.events import Event
from curbside.contracts.topics import REPORTS_DEIDENTIFIED, REPORTS_QUARANTINED
from curbside.contracts.v1 import events_pb2
from curbside_ingestion.domain.states import ReportState

GROUP: Final = "ingestion"


class Follow(Protocol):
    def __call__(self, event: Event, report_id: str, state: ReportState, reason: str) -> Awaitable[None]: ...


def subscriptions(follow: Follow) -> list[Subscription]:
    return [
        Subscription(topic, GROUP, partial(on_report, follow=follow))
        for topic in (REPORTS_DEIDENTIFIED, REPORTS_QUARANTINED)
    ]


async def on_report(event: Event, *, follow: Follow) -> None:
    match event.payload:
        case events_pb2.ReportDeidentified() as payload:
            state = ReportState.RELEASED if payload.released else ReportState.DEIDENTIFIED
            await follow(event, payload.report_id, state, "")
        case events_pb2.ReportQuarantined() as payload:
            await follow(event, payload.report_id, ReportState.QUARANTINED, payload.reason)
        case events_pb2.ReportRejected() as payload:
            await follow(event, payload.report_id, ReportState.REJECTED, payload.reason)
