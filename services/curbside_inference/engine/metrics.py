"""TGI's metric names, so that its dashboards and autoscaling rules work on the embedded engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from curbside_inference.engine.generation import Finished, Generator, Ticket

_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_TOKENS = tuple(float(2**power) for power in range(14))


class Metrics:
    """One registry for each engine; `record` once per request."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._registry = CollectorRegistry()
        self._requests, self._successes = 0, 0
        self._failures: Counter[str] = Counter()

        def histogram(name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, what, buckets=buckets, registry=self._registry)

        self._duration = histogram("tgi_request_duration", "Seconds from receipt to reply", _SECONDS)
        self._validation = histogram("tgi_request_validation_duration", "Seconds of validation", _SECONDS)
        self._queue = histogram("tgi_request_queue_duration", "Seconds spent waiting", _SECONDS)
        self._inference = histogram("tgi_request_inference_duration", "Seconds spent generating", _SECONDS)
        self._per_token = histogram(
            "tgi_request_mean_time_per_token_duration", "Seconds of generation per token", _SECONDS
        )
        self._input = histogram("tgi_request_input_length", "Prompt tokens", _TOKENS)
        self._generated = histogram("tgi_request_generated_tokens", "Generated tokens", _TOKENS)
        self._wanted = histogram("tgi_request_max_new_tokens", "Most tokens to generate", _TOKENS)
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """What is counted here or read off the generator. TGI's counters end in no `_total`."""
        count = Metric("tgi_request_count", "Requests received", "unknown")
        count.add_sample("tgi_request_count", {}, self._requests)
        success = Metric("tgi_request_success", "Requests answered", "unknown")
        success.add_sample("tgi_request_success", {}, self._successes)
        failure = Metric("tgi_request_failure", "Requests refused or failed, by reason", "unknown")
        for reason, number in self._failures.items():
            failure.add_sample("tgi_request_failure", {"err": reason}, number)
        yield from (count, success, failure)
        yield GaugeMetricFamily("tgi_queue_size", "Requests waiting", self._generator.waiting)
        yield GaugeMetricFamily("tgi_batch_current_size", "Requests generating", self._generator.running)
        yield GaugeMetricFamily(
            "tgi_batch_current_max_tokens", "Most tokens of those generating", self._generator.running_tokens
        )

    def received(self) -> None:
        self._requests += 1

    def refused(self, error_type: str) -> None:
        self._failures[error_type] += 1

    def validated(self, ticket: Ticket, seconds: float) -> None:
        self._validation.observe(seconds)
        self._input.observe(len(ticket.ask.tokens))
        self._wanted.observe(ticket.ask.max_new_tokens)

    def answered(self, end: Finished, seconds: float) -> None:
        self._successes += 1
        self._duration.observe(seconds)
        self._queue.observe(end.queued)
        self._inference.observe(end.inference)
        self._per_token.observe(end.inference / max(1, end.tokens))
        self._generated.observe(end.tokens)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)
