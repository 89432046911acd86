"""ReportReceived becomes the command DeidentifyReport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from curbside.bus.protocol import Subscription
from curbside.contracts.events import Event
from curbside.contracts.topics import REPORTS_RECEIVED

GROUP: Final = "deidentification"


def subscription(deidentify_report: Callable[[Event], Awaitable[None]], *, concurrency: int) -> Subscription:
    """Up to `concurrency` partitions at once, as many as there are workers to keep busy."""
    return Subscription(REPORTS_RECEIVED, GROUP, deidentify_report, concurrency)
