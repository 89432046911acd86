"""From de-identified reports to what they offer."""

from __future__ import annotations

from typing import Final

from curbside.bus.protocol import Handler, Subscription
from curbside.contracts.topics import REPORTS_DEIDENTIFIED

GROUP: Final = "datasets"


def subscriptions(learn: Handler) -> list[Subscription]:
    return [Subscription(REPORTS_DEIDENTIFIED, GROUP, learn)]
