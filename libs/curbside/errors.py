"""Errors are types that know their status.

One table each maps them to problem+json (RFC 9457), to a gRPC status, and to retry-or-dead-letter.
A message names the field and the mend; it never carries patient text.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Any, ClassVar


class Disposition(StrEnum):
    """What a consumer does with a message whose handler raised."""

    RETRY = "retry"
    DEAD_LETTER = "dead-letter"


class CurbsideError(Exception):
    """Base of every error that a caller may see.

    `code` is stable and machine-readable; `field` names what was wrong in the caller's input;
    `mend` says, in one sentence, what to do about it.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    grpc_status: ClassVar[str] = "INTERNAL"
    disposition: ClassVar[Disposition] = Disposition.RETRY
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        mend: str | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.mend = mend
        self.extensions = extensions

    @property
    def sentence(self) -> str:
        """The message, and how to mend it."""
        if self.mend is None:
            return self.message
        stop = "" if self.message.endswith((".", "?", "!", ":")) else "."
        return f"{self.message}{stop} {self.mend}"

    def problem(self, instance: str | None = None) -> dict[str, Any]:
        """This error as a problem+json object (RFC 9457), with `code`, `field` and `mend`."""
        body: dict[str, Any] = {
            "type": f"urn:curbside:problem:{self.code}",
            "title": self.title,
            "status": int(self.status),
            "detail": self.message,
            "code": self.code,
        }
        if self.field is not None:
            body["field"] = self.field
        if self.mend is not None:
            body["mend"] = self.mend
        if instance is not None:
            body["instance"] = instance
        return body | self.extensions


class BadInput(CurbsideError):
    """The caller's input cannot be accepted as it is."""

    code = "input.invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    grpc_status = "INVALID_ARGUMENT"
    disposition = Disposition.DEAD_LETTER
    title = "The input cannot be accepted"


class TooLarge(BadInput):
    code = "input.too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The input is too large"


class UnsupportedFormat(BadInput):
    code = "input.unsupported-format"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "The format is not one that Curbside reads"


class NotFound(CurbsideError):
    code = "not-found"
    status = HTTPStatus.NOT_FOUND
    grpc_status = "NOT_FOUND"
    disposition = Disposition.DEAD_LETTER
    title = "There is no such thing"


class Conflict(CurbsideError):
    """The request contradicts what is already there."""

    code = "conflict"
    status = HTTPStatus.CONFLICT
    grpc_status = "ALREADY_EXISTS"
    disposition = Disposition.DEAD_LETTER
    title = "This contradicts what is already there"


class Unauthenticated(CurbsideError):
    code = "identity.unauthenticated"
    status = HTTPStatus.UNAUTHORIZED
    grpc_status = "UNAUTHENTICATED"
    disposition = Disposition.DEAD_LETTER
    title = "No valid token was sent"


class Forbidden(CurbsideError):
    code = "identity.forbidden"
    status = HTTPStatus.FORBIDDEN
    grpc_status = "PERMISSION_DENIED"
    disposition = Disposition.DEAD_LETTER
    title = "The token does not allow this"


class GateFailed(CurbsideError):
    """A dataset or model did not pass a gate, and goes no further."""

    code = "gate.failed"
    status = HTTPStatus.CONFLICT
    grpc_status = "FAILED_PRECONDITION"
    disposition = Disposition.DEAD_LETTER
    title = "A gate was not passed"


class Unavailable(CurbsideError):
    """Something we depend on does not answer; the same call may succeed later."""

    code = "unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = "UNAVAILABLE"
    disposition = Disposition.RETRY
    title = "Not ready to answer"


class TooBusy(Unavailable):
    """More is under way than may be at once; `retry_after` says in how many seconds to ask again."""

    code = "too-busy"
    status = HTTPStatus.TOO_MANY_REQUESTS
    grpc_status = "RESOURCE_EXHAUSTED"
    title = "Too much is under way"


class StorageFull(Unavailable):
    code = "storage.full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    grpc_status = "RESOURCE_EXHAUSTED"
    title = "No space is left on the disk"


class OperatorError(CurbsideError):
    """Something only an operator can mend: a taken port, a missing model, a missing extra.

    The command prints its message as one sentence and exits with status 2, without a traceback.
    """

    code = "operator"


class MissingExtra(OperatorError):
    """An optional dependency of a service is not installed."""

    code = "operator.missing-extra"

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed: install Curbside with its {extra!r} extra, "
            f"e.g. uv pip install 'curbside[{extra}]'."
        )


def disposition_of(error: BaseException) -> Disposition:
    """Retry what may pass by itself; dead-letter what never will."""
    return error.disposition if isinstance(error, CurbsideError) else Disposition.RETRY
