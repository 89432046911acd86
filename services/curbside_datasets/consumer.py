"""From de-identified reports to what they offer; from displaced ones, and what patients say, to what teaches
no more."""

from __future__ import annotations

from typing import Final

from curbside.bus.protocol import Handler, Subscription
from curbside.contracts.topics import CONSENTS_CHANGED, REPORTS_DEIDENTIFIED, REPORTS_DISPLACED

GROUP: Final = "datasets"


def subscriptions(*, learn: Handler, displace: Handler, hear: Handler) -> list[Subscription]:
    return [
        Subscription(REPORTS_DEIDENTIFIED, GROUP, learn),
        Subscription(REPORTS_DISPLACED, GROUP, displace),
        Subscription(CONSENTS_CHANGED, GROUP, hear),
    ]
