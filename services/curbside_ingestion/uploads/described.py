"""What /openapi.json says of uploads: the headers of tus 1.0, and what each status means there."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from curbside.runtime.openapi import Responses, refusals, refusals_as
from curbside_ingestion.domain.uploads import ALGORITHMS, PIECE_MEDIA, VERSION, UploadState
from curbside_ingestion.uploads.answers import UploadShown

MISMATCH: Final = 460  # tus's own
OVERRIDE: Final = "X-HTTP-Method-Override"
OVERRIDES: Final = ("PATCH", "HEAD", "DELETE")

_Schema = Mapping[str, Any]
_BYTES: Final[_Schema] = {"type": "string", "pattern": r"^\d{1,15}$"}  # as a request says a number
_COUNT: Final[_Schema] = {"type": "integer", "minimum": 0}
_TEXT: Final[_Schema] = {"type": "string"}


def _header(name: str, schema: _Schema, example: str, *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": schema, "example": example}


_TUS: Final = _header("Tus-Resumable", {"type": "string", "enum": [VERSION]}, VERSION)
_PIECE: Final[dict[str, Any]] = {PIECE_MEDIA: {"schema": {"type": "string", "format": "binary"}}}
_CHECKSUM: Final = _header(
    "Upload-Checksum",
    {"type": "string", "pattern": f"^({'|'.join(ALGORITHMS)}) [A-Za-z0-9+/]+={{0,2}}$"},
    "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",  # of "hello world"
    required=False,
)
CREATION: Final[dict[str, Any]] = {
    "parameters": [
        _TUS,
        _header("Upload-Length", _BYTES, "1500000000"),
        _header(
            "Upload-Metadata", _TEXT, "filetype YXBwbGljYXRpb24vemlw,source cmlzLW5vcnRo", required=False
        ),
    ]
}
PATCH: Final[dict[str, Any]] = {
    "parameters": [_TUS, _header("Upload-Offset", _BYTES, "0"), _CHECKSUM],
    "requestBody": {"required": True, "content": _PIECE},
}
MEANT: Final[dict[str, Any]] = {"parameters": [_TUS]}
OVERRIDDEN: Final[dict[str, Any]] = {
    "parameters": [
        _TUS,
        _header(OVERRIDE, {"type": "string", "enum": [*OVERRIDES]}, OVERRIDES[0]),
        _header("Upload-Offset", _BYTES, "0", required=False),
        _CHECKSUM,
    ],
    "requestBody": {"required": False, "content": _PIECE},
}


def _said(**headers: tuple[str, _Schema]) -> dict[str, Any]:
    """Headers of an answer; upload_offset is Upload-Offset."""
    named = {name.replace("_", "-").title(): said for name, said in headers.items()}
    versioned = {"Tus-Resumable": {"description": "What is spoken here.", "schema": {"enum": [VERSION]}}}
    return versioned | {
        name: {"description": words, "schema": schema} for name, (words, schema) in named.items()
    }


_STATE: Final = _said(
    upload_offset=("How many bytes are durable: from where to go on.", _COUNT),
    upload_expires=("Until when it goes on, as HTTP dates; not where all bytes are here.", _TEXT),
    upload_batch=("The batch of its reports, once all bytes are here.", _TEXT),
    upload_batch_location=("Where that batch tells of itself.", _TEXT),
)
_NO_VERSION: Final[dict[int, str]] = {
    HTTPStatus.PRECONDITION_FAILED: "`Tus-Resumable` is missing, or not 1.0.0."
}
_NOT_HERE: Final[dict[int, str]] = {
    HTTPStatus.NOT_FOUND: "There is no such upload in this tenant.",
    HTTPStatus.GONE: "It has expired.",
}
_FULL: Final = refusals(HTTPStatus.INSUFFICIENT_STORAGE)
_PIECE_REFUSED: Final[dict[int, str]] = {
    HTTPStatus.BAD_REQUEST: "A header is missing, or is not as tus has it.",
    HTTPStatus.CONFLICT: "The upload is not at this offset: ask with HEAD.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More bytes than `Upload-Length` said, or in more pieces than one "
    "may have.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: f"Content-Type is not `{PIECE_MEDIA}`, or the bytes are compressed.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The connection broke: what came is durable, unless a checksum was to "
    "be met.",
    MISMATCH: "The bytes are not those of `Upload-Checksum`; none was kept.",
}
_IN_HAND: Final = "All bytes are here, and are being worked through."
_DURABLE: Final[Responses] = {
    204: {
        "description": "Durable up to `Upload-Offset`. With the last bytes `Upload-Batch` names its batch.",
        "headers": _STATE,
    }
}
_ASKED: Final[dict[str, Any]] = {
    "description": "How far it came.",
    "headers": _STATE
    | _said(
        upload_length=("How many bytes it will have.", _COUNT),
        upload_metadata=("What was said of it, as it was sent.", _TEXT),
    ),
}
_EXAMPLE: Final[UploadShown] = {
    "upload_id": "0192f3c4a0b1c2d3e4f5061728394a5b",
    "state": UploadState.COMPLETE,
    "length": 1_500_000_000,
    "offset": 1_500_000_000,
    "expires_at": None,
    "batch_id": "0192f3c4a1b2c3d4e5f60718293a4b5c",
}

OFFERED: Final[Responses] = {
    204: {
        "description": "The headers say it.",
        "headers": _said(
            tus_version=("The versions of tus.", _TEXT),
            tus_extension=("Its extensions.", _TEXT),
            tus_max_size=("The most bytes of an archive.", _COUNT),
            tus_checksum_algorithm=("Those of `Upload-Checksum`.", _TEXT),
        ),
    }
}
BEGUN: Final[Responses] = {
    201: {
        "description": "`Location` is where its bytes go, `Upload-Expires` until when.",
        "headers": _STATE | _said(location=("Where its bytes go.", _TEXT)),
    },
    **refusals_as(
        _NO_VERSION
        | {
            HTTPStatus.BAD_REQUEST: "A header is missing, or is not as tus has it.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The archive is larger than one may be.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "`filetype` names no archive that is worked through here.",
            HTTPStatus.UNPROCESSABLE_ENTITY: "`columns` in `Upload-Metadata` is none, or `source` "
            "names no system.",
            HTTPStatus.TOO_MANY_REQUESTS: "This token has as many uploads under way as it may, or too much "
            "is under way: ask again after the seconds of Retry-After.",
        }
    ),
    **_FULL,
}
ADDED: Final[Responses] = {**_DURABLE, **refusals_as(_NO_VERSION | _NOT_HERE | _PIECE_REFUSED), **_FULL}
ASKED: Final[Responses] = {200: _ASKED, **refusals_as(_NO_VERSION | _NOT_HERE)}
FOUND: Final[Responses] = {
    200: {
        "description": "How far it came.",
        "headers": _STATE,
        "content": {"application/json": {"example": _EXAMPLE}},
    },
    **refusals_as(_NOT_HERE),
}
ENDED: Final[Responses] = {
    204: {"description": "It is no more, nor what it brought.", "headers": _said()},
    **refusals_as(_NO_VERSION | _NOT_HERE | {HTTPStatus.CONFLICT: _IN_HAND}),
}
OVERRIDDEN_ANSWERED: Final[Responses] = {
    200: _ASKED,
    204: {
        "description": "As PATCH and DELETE answer: durable up to `Upload-Offset`, or no more.",
        "headers": _STATE,
    },
    **refusals_as(
        _NO_VERSION
        | _NOT_HERE
        | _PIECE_REFUSED
        | {
            HTTPStatus.BAD_REQUEST: f"A header is missing, or is not as tus has it; or {OVERRIDE} is.",
            HTTPStatus.CONFLICT: "The upload is not at this offset; or it is to be ended, and all its bytes "
            "are here.",
        }
    ),
    **_FULL,
}
