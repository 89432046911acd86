"""De-identified reports may be asked about, and promoted models answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from curbside.bus.protocol import BatchHandler, Subscription
from curbside.contracts.events import Event
from curbside.contracts.topics import MODELS_PROMOTED, REPORTS_DEIDENTIFIED, REPORTS_DISPLACED
from curbside_inference.handlers import GROUP

Handle = Callable[[Event], Awaitable[None]]
# Each of them is a lock of the database until the commit: PostgreSQL has some 6,000 as it comes.
_BATCH: Final = 200


def subscriptions(
    *, learn_reports: BatchHandler, displace_report: Handle, place_model: Handle
) -> list[Subscription]:
    async def learn_report(event: Event) -> None:
        await learn_reports([event])

    return [
        Subscription(
            REPORTS_DEIDENTIFIED, GROUP, learn_report, handle_batch=learn_reports, batch_size=_BATCH
        ),
        Subscription(REPORTS_DISPLACED, GROUP, displace_report),
        Subscription(MODELS_PROMOTED, GROUP, place_model),
    ]
