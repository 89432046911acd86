"""Logs are JSON lines of an allow-list: time, level, logger, message, and the extras a call names.

The message of an exception may quote its input, so only its type and frames are written; a
CurbsideError's message is ours and stays. A library's message is written only as the template that
its arguments were to fill; but for Kafka's client, whose lines about connections name brokers.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final

from opentelemetry import trace

from curbside.errors import CurbsideError

log = logging.getLogger(__name__)

# Attributes that every LogRecord has; what else stands on one came through `extra=`.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


_REPEATED: Final = timedelta(minutes=1)


class JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage() if record.name.startswith("curbside") else _template(record),
        }
        line |= {
            key: value if isinstance(value, int | float | bool) or value is None else str(value)
            for key, value in vars(record).items()
            if key not in _STANDARD and not key.startswith("_") and record.name.startswith("curbside")
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = format(context.trace_id, "032x")
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def _template(record: logging.LogRecord) -> str:
    """What a library said, without what it said it of, or else where it said it.

    Some format before they log: grpc 'Exception calling application: <message>', asyncio a task's repr with
    its exception. Only arguments that are still apart show that the message is a template; beside an
    exception not even they do.
    """
    if record.args and not record.exc_info:
        return record.getMessage() if _is_of_connections(record) else str(record.msg)
    return f"{record.module}:{record.lineno}"


def _is_of_connections(record: logging.LogRecord) -> bool:
    """Whether the arguments are brokers, sockets and what the system says of them, and never a record."""
    return record.name in ("kafka.net.connection", "kafka.net.manager")


class Repeats(logging.Filter):
    """Lets a line about a connection that is tried again by once a minute, of each place that says it: a
    broker that is down is tried several times a second, by each client."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not _is_of_connections(record) or record.exc_info:
            return True
        place = (record.name, str(record.msg), record.lineno)
        before = self._said.get(place)
        if before is not None and record.created - before < _REPEATED.total_seconds():
            return False
        self._said[place] = record.created
        return True


def _describe(error: BaseException) -> dict[str, object]:
    described: dict[str, object] = {
        "type": type(error).__qualname__,
        "frames": [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ],
    }
    if isinstance(error, CurbsideError):
        described |= {"code": error.code, "message": error.message}
    if error.__cause__ is not None:
        described["cause"] = _describe(error.__cause__)
    if isinstance(error, BaseExceptionGroup):
        described["errors"] = [_describe(one) for one in error.exceptions]
    return described


def configure_logging(service: str, level: str) -> None:
    """Send every logger of this process, and what ends it or a thread of it, to stderr as JSON lines,
    replacing what was configured."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Access logs hold URLs with query strings; requests are counted in metrics instead.
    logging.getLogger("uvicorn.access").disabled = True
    for name in (
        "uvicorn",
        "uvicorn.error",
        "aiohttp.access",
        "sqlalchemy.engine",
        "presidio-analyzer",
        "httpx",
        "httpx2",
        "alembic",
        "kafka",  # a line per partition and rebalance
        "botocore",
    ):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel("WARNING")
    # Python's own hooks print the message of an exception that nobody caught.
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, frames: TracebackType | None
) -> None:
    log.critical("an exception ended the process", exc_info=(kind, error or kind(), frames))


def _log_uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    if not issubclass(hook.exc_type, SystemExit):  # a thread may end itself so, which is no error
        error = hook.exc_value or hook.exc_type()
        log.critical("an exception ended a thread", exc_info=(hook.exc_type, error, hook.exc_traceback))


def _log_unraisable(hook: sys.UnraisableHookArgs) -> None:
    error = hook.exc_value or hook.exc_type()
    log.error("an exception had nobody to raise it to", exc_info=(hook.exc_type, error, hook.exc_traceback))
