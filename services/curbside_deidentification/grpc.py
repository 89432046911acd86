"""Deidentify over gRPC for other services, one text or a stream of them; and the way back, Restore."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.errors import CurbsideError, Unavailable
from curbside.identity.grpc import current_principal
from curbside.identity.principal import Principal, Scope
from curbside.phi import PhiText
from curbside.runtime.services import GrpcBinding
from curbside_deidentification.flow import Room, answered
from curbside_deidentification.handlers import Deidentify
from curbside_deidentification.wire import document_of, to_response

log = logging.getLogger(__name__)
METHOD: Final = "/curbside.contracts.v1.Deidentification/Deidentify"
STREAM: Final = "/curbside.contracts.v1.Deidentification/DeidentifyStream"
RESTORE: Final = "/curbside.contracts.v1.Deidentification/Restore"
RESTORE_ANSWER: Final = "/curbside.contracts.v1.Deidentification/RestoreAnswer"

Restore = Callable[[Principal, PhiText, str, str], Awaitable[PhiText]]
RestoreAnswer = Callable[[Principal, PhiText, str], Awaitable[PhiText]]


class DeidentificationServicer(rpc.DeidentificationServicer):
    """`calls` bounds what single calls may have under way, `streams` what all streams together may."""

    def __init__(
        self,
        deidentify: Deidentify,
        restore: Restore,
        restore_answer: RestoreAnswer,
        *,
        calls: Room,
        streams: Room,
    ) -> None:
        self._deidentify = deidentify
        self._restore = restore
        self._restore_answer = restore_answer
        self._calls = calls
        self._streams = streams

    async def Deidentify(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._calls.seat(_characters(request)):
            return await self._response_to(request)

    async def DeidentifyStream(  # noqa: N802
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[Any]:
        answers = answered(
            request_iterator, self._in_stream, self._streams, lambda item: _characters(item.request)
        )
        async with aclosing(answers):
            async for response in answers:
                yield response

    async def Restore(self, request: Any, context: Any) -> Any:  # noqa: N802
        restored = await self._restore(
            current_principal(), PhiText(request.text), request.subject, request.policy
        )
        return pb.RestoreResponse(text=restored.reveal())

    async def RestoreAnswer(self, request: Any, context: Any) -> Any:  # noqa: N802
        restored = await self._restore_answer(current_principal(), PhiText(request.text), request.opinion_id)
        return pb.RestoreResponse(text=restored.reveal())

    async def _response_to(self, request: Any) -> Any:
        # The token's tenant, not the request's: a caller cannot speak for another tenant.
        tenant = current_principal().tenant
        return to_response(
            await self._deidentify(document_of(request), tenant=tenant, subject=request.subject)
        )

    async def _in_stream(self, item: Any) -> Any:
        """A text that fails is an answer; that nothing answers is no text's fault, and ends the stream."""
        try:
            return pb.DeidentifyStreamResponse(id=item.id, response=await self._response_to(item.request))
        except Unavailable:
            raise
        except CurbsideError as error:
            problem = pb.DeidentifyProblem(
                code=error.code, message=error.message, field=error.field or "", mend=error.mend or ""
            )
        except Exception as error:
            log.error("one text of a stream failed", exc_info=error)
            problem = pb.DeidentifyProblem(code=CurbsideError.code, message=CurbsideError.title)
        return pb.DeidentifyStreamResponse(id=item.id, problem=problem)


def _characters(request: Any) -> int:
    return len(request.document.text)


def binding(
    deidentify: Deidentify, restore: Restore, restore_answer: RestoreAnswer, *, calls: Room, streams: Room
) -> GrpcBinding:
    return GrpcBinding(
        rpc.add_DeidentificationServicer_to_server,
        DeidentificationServicer(deidentify, restore, restore_answer, calls=calls, streams=streams),
        # Who had a pasted text de-identified gets its own answer back, and nothing else.
        {
            METHOD: Scope.DEIDENTIFY,
            STREAM: Scope.DEIDENTIFY,
            RESTORE: Scope.RESTORE,
            RESTORE_ANSWER: Scope.DEIDENTIFY,
        },
    )
