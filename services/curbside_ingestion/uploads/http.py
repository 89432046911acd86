"""Resumable uploads over HTTP, as tus 1.0 has them: https://tus.io/protocols/resumable-upload."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from curbside.errors import CurbsideError
from curbside.identity.http import CanIngest
from curbside.runtime.problems import PROBLEM, problem_response
from curbside_ingestion.bodies import media_type
from curbside_ingestion.described import Source
from curbside_ingestion.domain.problems import TruncatedReport, UnsupportedType
from curbside_ingestion.domain.uploads import (
    ALGORITHMS,
    PIECE_MEDIA,
    VERSION,
    BadHeader,
    ChecksumMismatch,
    UploadState,
    WrongVersion,
    read_checksum,
    read_length,
    read_metadata,
    read_offset,
)
from curbside_ingestion.uploads.answers import UploadShown
from curbside_ingestion.uploads.described import (
    ADDED,
    ASKED,
    BEGUN,
    CREATION,
    ENDED,
    FOUND,
    MEANT,
    MISMATCH,
    OFFERED,
    OVERRIDDEN,
    OVERRIDDEN_ANSWERED,
    OVERRIDE,
    OVERRIDES,
    PATCH,
)
from curbside_ingestion.uploads.handlers import DEFAULT_SOURCE, Uploads
from curbside_ingestion.uploads.store import Upload

_PATH: Final = "/ingestion/v1/uploads"
_VERSIONED: Final = {"tus-resumable": VERSION}
_EXTENSIONS: Final = "creation,expiration,checksum,termination"


class _TusRoute(APIRoute):
    """Every answer says which tus it speaks, and every request but those that ask for it must, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_tus(request: Request) -> Response:
            try:
                if request.method not in ("OPTIONS", "GET"):
                    _check_version(request)
                response = await handle(request)
            except CurbsideError as error:
                if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise  # which is logged
                response = _problem(error, request)
            response.headers.update(_VERSIONED)
            return response

        return handle_tus


def upload_routes(uploads: Uploads, *, max_bytes: int) -> APIRouter:
    router = APIRouter(prefix="/v1/uploads", route_class=_TusRoute)
    offered = {
        "tus-version": VERSION,
        "tus-extension": _EXTENSIONS,
        "tus-max-size": str(max_bytes),
        "tus-checksum-algorithm": ",".join(ALGORITHMS),
    }

    @router.options("", status_code=204, response_class=Response, responses=OFFERED)
    async def offer(principal: CanIngest) -> Response:
        """What of tus is spoken here."""
        return Response(status_code=204, headers=offered)

    @router.post("", status_code=201, response_class=Response, openapi_extra=CREATION, responses=BEGUN)
    async def begin(request: Request, principal: CanIngest, source: Source = DEFAULT_SOURCE) -> Response:
        """Begin an upload of an archive (a ZIP of documents, or NDJSON) that is too large for one request, or
        whose connection may break: the creation of tus 1.0. `Upload-Metadata` may hold `filetype`
        (`application/zip` or `application/x-ndjson`; without it the first bytes tell), `source`, and
        `columns`, which says of the tables in a ZIP what `/ingestion/v1/reports:batch` is told of them."""
        length = read_length(request.headers.get("upload-length"), max_bytes)
        metadata = read_metadata(request.headers.get("upload-metadata"))
        upload = await uploads.begin(length, metadata, source, principal)
        headers = {"location": f"{_PATH}/{upload.upload_id}", **_state(upload)}
        return Response(status_code=201, headers=headers)

    @router.head("/{upload_id}", response_class=Response, openapi_extra=MEANT, responses=ASKED)
    async def ask(upload_id: str, principal: CanIngest) -> Response:
        """How far an upload came, as tus asks: `Upload-Offset` is from where to go on."""
        upload = await uploads.find(upload_id, principal)
        headers = {**_state(upload), "upload-length": str(upload.length), "cache-control": "no-store"}
        if given := uploads.metadata_of(upload):
            headers["upload-metadata"] = given
        return Response(headers=headers)

    @router.get("/{upload_id}", responses=FOUND)
    async def show(upload_id: str, principal: CanIngest, response: Response) -> UploadShown:
        """How far an upload came, and the batch that its reports go into."""
        upload = await uploads.find(upload_id, principal)
        response.headers.update({**_state(upload), "cache-control": "no-store"})
        return {
            "upload_id": upload.upload_id,
            "state": upload.state,
            "length": upload.length,
            "offset": upload.received,
            "expires_at": upload.expires_at.isoformat() if upload.state is UploadState.OPEN else None,
            "batch_id": upload.batch_id,
        }

    @router.patch(
        "/{upload_id}", status_code=204, response_class=Response, openapi_extra=PATCH, responses=ADDED
    )
    async def add(upload_id: str, request: Request, principal: CanIngest) -> Response:
        """Add bytes behind `Upload-Offset`, as many as one likes. 204 says that they are durable; where the
        connection breaks, most of them are. With the last the archive is whole, and its reports are taken in
        from then on: `Upload-Batch` names the batch that tells what becomes of them."""
        media, _ = media_type(request)
        if media != PIECE_MEDIA:
            raise UnsupportedType(
                "Content-Type is not that of bytes of an upload",
                field="Content-Type",
                mend=f"Send {PIECE_MEDIA}.",
            )
        declared = request.headers.get("content-length", "")
        upload = await uploads.append(
            upload_id,
            read_offset(request.headers.get("upload-offset")),
            int(declared) if declared.isdecimal() else None,
            _body(request),
            read_checksum(request.headers.get("upload-checksum")),
            principal,
        )
        return Response(status_code=204, headers=_state(upload))

    @router.delete(
        "/{upload_id}", status_code=204, response_class=Response, openapi_extra=MEANT, responses=ENDED
    )
    async def end(upload_id: str, principal: CanIngest) -> Response:
        """End an upload and remove what it brought. One that is whole is worked through first: 409."""
        await uploads.terminate(upload_id, principal)
        return Response(status_code=204)

    @router.post(
        "/{upload_id}",
        status_code=204,
        response_class=Response,
        openapi_extra=OVERRIDDEN,
        responses=OVERRIDDEN_ANSWERED,
    )
    async def overridden(upload_id: str, request: Request, principal: CanIngest) -> Response:
        """PATCH, HEAD or DELETE for clients that cannot say them, which say so in X-HTTP-Method-Override."""
        match request.headers.get(OVERRIDE, "").upper():
            case "PATCH":
                return await add(upload_id, request, principal)
            case "DELETE":
                return await end(upload_id, principal)
            case "HEAD":
                return await ask(upload_id, principal)
        raise BadHeader(
            f"{OVERRIDE} does not say what is asked",
            field=OVERRIDE,
            mend=f"Send one of {', '.join(OVERRIDES)} in it.",
        )

    return router


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for data in request.stream():
            yield data
    except ClientDisconnect:
        raise TruncatedReport(
            "the connection ended before the body did", field="body", mend="Go on from Upload-Offset."
        ) from None


def _state(upload: Upload) -> dict[str, str]:
    said = {"upload-offset": str(upload.received)}
    if upload.state is UploadState.OPEN:
        said["upload-expires"] = format_datetime(upload.expires_at, usegmt=True)
    if upload.batch_id is not None:
        said["upload-batch"] = upload.batch_id
        said["upload-batch-location"] = f"/ingestion/v1/batches/{upload.batch_id}"
    return said


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise WrongVersion(
            "Tus-Resumable is missing, or of a version that is not spoken here",
            field="Tus-Resumable",
            mend=f"Send {VERSION}.",
        )


def _problem(error: CurbsideError, request: Request) -> Response:
    response = problem_response(error, request.url.path)
    if isinstance(error, ChecksumMismatch):
        said = {**error.problem(request.url.path), "status": MISMATCH}
        response = JSONResponse(said, MISMATCH, media_type=PROBLEM)
    if isinstance(error, WrongVersion):
        response.headers["tus-version"] = VERSION
    if "offset" in error.extensions:
        response.headers["upload-offset"] = str(error.extensions["offset"])
    return response
