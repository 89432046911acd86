"""From de-identified reports to what they offer, and from displaced ones to what no longer teaches."""

from __future__ import annotations

from typing import Final

from curbside.bus.protocol import Handler, Subscription
from curbside.contracts.topics import REPORTS_DEIDENTIFIED, REPORTS_DISPLACED

GROUP: Final = "datasets"


def subscriptions(*, learn: Handler, displace: Handler) -> list[Subscription]:
    return [
        Subscription(REPORTS_DEIDENTIFIED, GROUP, learn),
        Subscription(REPORTS_DISPLACED, GROUP, displace),
    ]
