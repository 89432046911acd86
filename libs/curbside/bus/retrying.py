"""How long a handler that failed is waited for, and what its error is called."""

from __future__ import annotations

from datetime import timedelta

from curbside.errors import CurbsideError
from curbside.settings import BusSettings


def backoff(attempt: int, settings: BusSettings) -> timedelta:
    """Doubling from the first backoff, capped. `attempt` counts from 1."""
    # min() before the power: 2**attempt would overflow a timedelta when a dependency is down for days.
    doublings = min(attempt - 1, 20)
    return min(settings.first_backoff * (1 << doublings), settings.max_backoff)


def code_of(error: Exception) -> str:
    return error.code if isinstance(error, CurbsideError) else type(error).__name__
