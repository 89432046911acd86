"""From published datasets to what may be trained on."""

from __future__ import annotations

from typing import Final

from curbside.bus.protocol import Handler, Subscription
from curbside.contracts.topics import DATASETS_PUBLISHED

GROUP: Final = "training"


def subscriptions(learn: Handler) -> list[Subscription]:
    return [Subscription(DATASETS_PUBLISHED, GROUP, learn)]
