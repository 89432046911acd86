"""How fast each client may send: requests and bytes, each at a rate with a burst, counted in this process.

The counting is GCRA's (ITU-T I.371, Annex A): a bucket that drains evenly, so that no window's edge lets
twice as much by. A client is a token's name in its tenant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Counter
from throttled.rate_limiter import RateLimiterRegistry, per_min, per_sec
from throttled.store import MemoryStore

from curbside.errors import TooBusy
from curbside.identity.principal import Principal

# Those that have sent last; one that comes again after so many others starts anew. They take 3 MB.
_MOST_CLIENTS: Final = 10_000
REFUSED: Final = Counter(
    "curbside_ingestion_limited_requests",
    "Requests that were refused because their client sent too fast, by what it sent too much of.",
    ["limit"],
)


@dataclass(frozen=True)
class Standing:
    """What a client may still send. The words are those of draft-ietf-httpapi-ratelimit-headers-10."""

    name: str  # of the policy
    quota: int
    window: int  # seconds in which a quota that was used up is there again
    unit: str
    remaining: int
    reset: int  # seconds until all of the quota is there

    @property
    def policy(self) -> str:
        return f'"{self.name}";q={self.quota};w={self.window};qu="{self.unit}"'

    @property
    def limit(self) -> str:
        return f'"{self.name}";r={self.remaining};t={self.reset}'


class TooFast(TooBusy):
    """One client sends more than its share, however little others send."""

    code = "client.too-fast"
    title = "This client sends too fast"

    def __init__(self, message: str, *, standing: Standing, **more: Any) -> None:
        super().__init__(message, **more)
        self.standing = standing


class _Rate:
    def __init__(self, name: str, unit: str, quota: Any, said: str, setting: str) -> None:
        self._name, self._unit, self._said, self._setting = name, unit, said, setting
        self._quota = quota
        store = MemoryStore(options={"MAX_SIZE": _MOST_CLIENTS})
        self._limiter = RateLimiterRegistry.get("gcra")(quota, store)

    def spend(self, client: str, cost: int) -> Standing:
        """Raises TooFast where `client` has spent so much that `cost` is beyond what it may."""
        # What is larger than the whole quota takes all of it: else it could never pass.
        result = self._limiter.limit(client, min(cost, self._quota.burst))
        state = result.state
        standing = Standing(
            self._name,
            self._quota.burst,
            math.ceil(self._quota.burst * self._quota.emission_interval),
            self._unit,
            state.remaining,
            math.ceil(state.reset_after),
        )
        if result.limited:
            REFUSED.labels(limit=self._name).inc()
            raise TooFast(
                f"this client sends more than {self._said}",
                mend=f"Send it again after the seconds of Retry-After, or raise {self._setting}.",
                standing=standing,
                retry_after=max(1, math.ceil(state.retry_after)),
            )
        return standing


class Pace:
    """Counts what clients send. Limits that are 0 are off."""

    def __init__(self, *, requests_per_second: int, burst_requests: int, bytes_per_minute: int) -> None:
        self._requests = self._bytes = None
        if requests_per_second:
            self._requests = _Rate(
                "requests",
                "request",
                per_sec(requests_per_second, burst_requests),
                f"{requests_per_second} requests a second",
                "CURBSIDE_INGESTION__CLIENT_REQUESTS_PER_SECOND",
            )
        if bytes_per_minute:
            self._bytes = _Rate(
                "bytes",
                "content-bytes",
                per_min(bytes_per_minute),
                f"{bytes_per_minute} bytes a minute",
                "CURBSIDE_INGESTION__CLIENT_BYTES_PER_MINUTE",
            )

    @property
    def counts(self) -> bool:
        return self._requests is not None or self._bytes is not None

    def request(self, principal: Principal, size: int) -> list[Standing]:
        """Count a request with a body of `size` bytes, as far as it is known before it is read. Raises
        TooFast."""
        client = _client(principal)
        standings = [] if self._requests is None else [self._requests.spend(client, 1)]
        return standings if self._bytes is None else [*standings, self._bytes.spend(client, size)]

    def part(self, principal: Principal, size: int) -> None:
        """Count `size` bytes of a body whose length nobody said. Raises TooFast."""
        if self._bytes is not None:
            self._bytes.spend(_client(principal), size)


def _client(principal: Principal) -> str:
    return f"{principal.tenant}\0{principal.id}"
