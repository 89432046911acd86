"""Bodies of requests: whole, as their digest says, and with the fields that stand beside a file in a form."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from curbside_ingestion.domain.columns import Columns, read_columns
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
_COLUMNS: Final = "columns"
_FORM_FIELDS: Final = (*(name for name in FIELD_NAMES if name != "text"), "known", "exclusions", _COLUMNS)


@dataclass(frozen=True)
class File:
    name: str = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Form:
    """The files of a form, and the fields that its sender gave with them."""

    files: Sequence[File]
    said: dict[str, object] = field(repr=False)
    columns: Columns | None = None  # of tables among them


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
    digests = _Digests(request)
    digests.update(data)
    digests.check()
    return data


class _Digests:
    """Those of a body that its sender states in Content-Digest, made anew while it comes in."""

    def __init__(self, request: Request) -> None:
        members = [
            part.strip().partition("=") for part in request.headers.get("content-digest", "").split(",")
        ]
        self._stated = [
            (_DIGESTS[name.casefold()](), value.strip().strip(":").encode("latin-1"))
            for name, _, value in members
            if name.casefold() in _DIGESTS
        ]

    def update(self, data: bytes) -> None:
        for digest, _ in self._stated:
            digest.update(data)

    def check(self) -> None:
        for digest, stated in self._stated:
            if not hmac.compare_digest(base64.b64encode(digest.digest()), stated):
                raise DigestMismatch(
                    "the body is not the one that Content-Digest was made of: it was cut off or changed",
                    field="Content-Digest",
                    mend="Send it again, whole.",
                )


class _FormParser(MultiPartParser):
    """Starlette's, which keeps what it reads in memory, and knows whether the form came to its end."""

    spool_max_size = _IN_MEMORY
    ended = False

    def on_end(self) -> None:
        self.ended = True


async def read_form(request: Request, *, max_files: int) -> Form:
    """A form of one or more files, and fields as a report's JSON has them, where `known` is JSON and
    `exclusions` are separated by semicolons; and `columns` of tables. It stays in memory."""
    digests = _Digests(request)

    async def noted() -> AsyncGenerator[bytes, None]:
        async for chunk in request.stream():
            digests.update(chunk)
            yield chunk

    parser = _FormParser(request.headers, noted(), max_files=max_files, max_fields=len(_FORM_FIELDS))
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
    except UnicodeError:  # codecs of Python that are none of text's, e.g. punycode
        raise BadShape(
            "the declared charset is not one that a form has",
            field="Content-Type",
            mend="Send the form in UTF-8, without a charset (RFC 7578, 5.1.2).",
        ) from None
    digests.check()
    if not parser.ended and parser.items:
        # RFC 2046, 5.1.1: the last boundary ends it. What came before would be taken for all there was.
        raise TruncatedReport("the form ends before its last boundary", field="body", mend="Send it again.")
    files: list[File] = []
    said: dict[str, Any] = {}
    columns: Columns | None = None
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files.append(File(value.filename or "", await value.read()))
        elif name not in _FORM_FIELDS:
            raise BadShape(
                "the form has a field that no rule knows",
                field="body",
                mend=f"Send only file, {', '.join(_FORM_FIELDS)}.",
            )
        elif name == _COLUMNS:
            columns = read_columns(value) if value.strip() else columns
        elif value:
            said[name] = _known(value) if name == "known" else value
    if not files:
        raise EmptyReport("the form holds no file", field="file", mend="Send the report in `file`.")
    return Form(files, said, columns)


def _known(value: str) -> object:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise BadShape("known is not JSON", field="known", mend='Send e.g. {"names": ["…"]}.') from None


def _cut_off() -> TruncatedReport:
    return TruncatedReport("the connection ended before the body did", field="body", mend="Send it again.")
