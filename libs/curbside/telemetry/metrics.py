"""Metrics that every service shares. Names: curbside_<service>_<noun>_<unit>; labels never hold PHI."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

HANDLED = Counter(
    "curbside_bus_handled_messages",
    "Messages whose handler returned, by topic and group.",
    ["topic", "group"],
)
DEAD_LETTERS = Counter(
    "curbside_bus_dead_letters",
    "Messages given up, by topic, group and error code.",
    ["topic", "group", "error"],
)
BATCHES_SPLIT = Counter(
    "curbside_bus_split_batches",
    "Batches whose handler failed, so that their records went one by one, by topic and group.",
    ["topic", "group"],
)
LAG = Gauge("curbside_bus_lag_messages", "Messages that a group has not finished.", ["topic", "group"])
OUTBOX_WAITING = Gauge(
    "curbside_outbox_waiting_messages", "Events committed but not yet published.", ["service"]
)
REQUEST_SECONDS = Histogram(
    "curbside_http_request_seconds",
    "Time to answer, by service, method, route template and status.",
    ["service", "method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
READY = Gauge("curbside_service_ready", "1 while the service's readiness checks pass.", ["service"])
