"""De-identified reports may be asked about, and promoted models answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from curbside.bus.protocol import Subscription
from curbside.contracts.events import Event
from curbside.contracts.topics import MODELS_PROMOTED, REPORTS_DEIDENTIFIED, REPORTS_DISPLACED
from curbside_inference.handlers import GROUP

Handle = Callable[[Event], Awaitable[None]]


def subscriptions(
    *, learn_report: Handle, displace_report: Handle, place_model: Handle
) -> list[Subscription]:
    return [
        Subscription(REPORTS_DEIDENTIFIED, GROUP, learn_report),
        Subscription(REPORTS_DISPLACED, GROUP, displace_report),
        Subscription(MODELS_PROMOTED, GROUP, place_model),
    ]
