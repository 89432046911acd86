"""OpenTelemetry traces. A trace crosses the bus in the envelope's and the record's `traceparent`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from curbside.contracts.events import Event

TRACE_PARENT: Final = "traceparent"  # W3C Trace Context, 3.2: the header's name
_TRACER = trace.get_tracer("curbside")


def configure_tracing(service: str, otlp_endpoint: str | None) -> None:
    """Record spans, and export them where an OTLP endpoint is set. Trace ids stand in logs either way."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"curbside-{service}"}))
    if otlp_endpoint is not None:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
    trace.set_tracer_provider(provider)


def current_trace_parent() -> str:
    """The W3C traceparent of the current span, or an empty string outside one."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get(TRACE_PARENT, "")


@contextmanager
def request_span(name: str, headers: Mapping[str, str]) -> Iterator[trace.Span]:
    """The span of one request, continuing the caller's trace where it sent one."""
    # Without a caller's trace there is nothing to look for.
    context = propagate.extract(dict(headers)) if TRACE_PARENT in headers else None
    with _TRACER.start_as_current_span(
        name, context=context, kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span


@contextmanager
def consumer_span(topic: str, group: str, event: Event, headers: Mapping[str, str]) -> Iterator[trace.Span]:
    """The span of handling `event`, a child of the span that published it.

    That one is named by the record's `headers`, where other tools look for it too, or else by the envelope.
    """
    context = propagate.extract({TRACE_PARENT: headers.get(TRACE_PARENT) or event.trace_parent})
    with _TRACER.start_as_current_span(
        f"handle {event.type}",
        context=context,
        kind=SpanKind.CONSUMER,
        # An exception's message may quote patient text; its code is logged by the deliverer.
        record_exception=False,
        set_status_on_exception=False,
        attributes={"messaging.destination.name": topic, "messaging.consumer.group.name": group},
    ) as span:
        yield span
