"""Metrics of the gateway; labels are tasks and error codes, never text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from curbside.contracts.tasks import Task
from curbside.errors import CurbsideError

OPINION_SECONDS = Histogram(
    "curbside_inference_opinion_seconds",
    "Time from a question to its whole opinion, by task and outcome (given, left, or an error's code).",
    ["task", "outcome"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120),
)
SHIELDED_SPANS = Counter("curbside_inference_shielded_spans", "PHI spans replaced before a model saw a text.")


@contextmanager
def measured(task: Task) -> Iterator[None]:
    """Observe how a question ends. An asker who leaves ends it with `left`."""
    started, outcome = time.perf_counter(), "left"
    try:
        yield
        outcome = "given"
    except CurbsideError as error:
        outcome = error.code
        raise
    except Exception:
        outcome = "internal"
        raise
    finally:
        OPINION_SECONDS.labels(task=task.value, outcome=outcome).observe(time.perf_counter() - started)
