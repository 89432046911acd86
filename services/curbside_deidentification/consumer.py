"""ReportReceived becomes the command DeidentifyReport, ReportDisplaced the command DisplaceReport, and
OpinionGiven the command LearnOpinion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from curbside.bus.protocol import Subscription
from curbside.contracts.events import Event
from curbside.contracts.topics import OPINIONS_GIVEN, REPORTS_DISPLACED, REPORTS_RECEIVED

GROUP: Final = "deidentification"


Handle = Callable[[Event], Awaitable[None]]


def subscriptions(
    deidentify_report: Handle, displace_report: Handle, learn_opinion: Handle, *, concurrency: int
) -> list[Subscription]:
    """Reports are received from up to `concurrency` partitions at once, as many as there are workers."""
    return [
        Subscription(REPORTS_RECEIVED, GROUP, deidentify_report, concurrency),
        Subscription(REPORTS_DISPLACED, GROUP, displace_report),
        Subscription(OPINIONS_GIVEN, GROUP, learn_opinion),
    ]
