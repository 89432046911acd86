"""Logs are JSON lines of an allow-list: time, level, logger, message, and the extras a call names.

The message of an exception may quote its input, so only its type and frames are written; a
CurbsideError's message is ours and stays.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Final

from opentelemetry import trace

from curbside.errors import CurbsideError

# Attributes that every LogRecord has; what else stands on one came through `extra=`.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


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
            # Libraries format their input into messages; ours never do. Theirs go only as the template.
            "message": record.getMessage() if record.name.startswith("curbside") else str(record.msg),
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
    return described


def configure_logging(service: str, level: str) -> None:
    """Send every logger of this process to stderr as JSON lines, replacing what was configured."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
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
    ):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel("WARNING")
