"""Bodies of requests: whole, as their digest says, and with the fields that stand beside a file in a form."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from curbside_ingestion.domain.problems import (
    BadShape,
    DigestMismatch,
    EmptyReport,
    TruncatedReport,
    UnsupportedType,
)
from curbside_ingestion.domain.report import FIELD_NAMES

FORM: Final = "multipart/form-data"
_DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_IN_MEMORY: Final = 2**40  # bytes: a patient's report never goes into a temporary file
_FORM_FIELDS: Final = (*(name for name in FIELD_NAMES if name != "text"), "known", "exclusions")


@dataclass(frozen=True)
class File:
    name: str = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Form:
    """The files of a form, and the fields that its sender gave with them."""

    files: Sequence[File]
    said: dict[str, object] = field(repr=False)


def media_type(request: Request) -> tuple[str, str | None]:
    """The declared type of the body, in small letters, and its charset; empty where none is declared."""
    if request.headers.get("content-encoding", "identity").strip().casefold() != "identity":
        raise UnsupportedType(
            "the body is compressed", field="Content-Encoding", mend="Send it without compression."
        )
    media, *parameters = request.headers.get("content-type", "").split(";")
    declared = dict(parameter.strip().casefold().partition("=")[::2] for parameter in parameters)
    return media.strip().casefold(), declared.get("charset")


async def whole_body(request: Request) -> bytes:
    """The body, checked against Content-Digest (RFC 9530) where the sender states one."""
    try:
        data = await request.body()
    except ClientDisconnect:
        raise _cut_off() from None
    for member in request.headers.get("content-digest", "").split(","):
        name, _, value = member.strip().partition("=")
        if (make := _DIGESTS.get(name.casefold())) is not None:
            stated = value.strip().strip(":").encode("latin-1")
            if not hmac.compare_digest(base64.b64encode(make(data).digest()), stated):
                raise DigestMismatch(
                    "the body is not the one that Content-Digest was made of: it was cut off or changed",
                    field="Content-Digest",
                    mend="Send it again, whole.",
                )
    return data


async def read_form(request: Request, *, max_files: int) -> Form:
    """A form of one or more files, and fields as a report's JSON has them, where `known` is JSON and
    `exclusions` are separated by semicolons. It stays in memory."""
    parser = MultiPartParser(
        request.headers, request.stream(), max_files=max_files, max_fields=len(_FORM_FIELDS)
    )
    parser.spool_max_size = _IN_MEMORY
    try:
        form = await parser.parse()
    except ClientDisconnect:
        raise _cut_off() from None
    except MultiPartException as error:
        # Its messages are the parser's own and quote nothing.
        raise BadShape(
            f"the form cannot be read: {error.message}",
            field="body",
            mend="Send multipart/form-data (RFC 7578) with a `file`.",
        ) from None
    files: list[File] = []
    said: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files.append(File(value.filename or "", await value.read()))
        elif name not in _FORM_FIELDS:
            raise BadShape(
                "the form has a field that no rule knows",
                field="body",
                mend=f"Send only file, {', '.join(_FORM_FIELDS)}.",
            )
        elif value:
            said[name] = _known(value) if name == "known" else value
    if not files:
        raise EmptyReport("the form holds no file", field="file", mend="Send the report in `file`.")
    return Form(files, said)


def _known(value: str) -> object:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise BadShape("known is not JSON", field="known", mend='Send e.g. {"names": ["…"]}.') from None


def _cut_off() -> TruncatedReport:
    return TruncatedReport("the connection ended before the body did", field="body", mend="Send it again.")
