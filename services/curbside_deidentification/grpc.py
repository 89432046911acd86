"""Deidentify over gRPC for other services, the shield of the inference gateway; and the way back, Restore."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.identity.grpc import current_principal
from curbside.identity.principal import Principal, Scope
from curbside.phi import PhiText
from curbside.runtime.services import GrpcBinding
from curbside_deidentification.handlers import Deidentify
from curbside_deidentification.wire import document_of, to_response

METHOD: Final = "/curbside.contracts.v1.Deidentification/Deidentify"
RESTORE: Final = "/curbside.contracts.v1.Deidentification/Restore"
RESTORE_ANSWER: Final = "/curbside.contracts.v1.Deidentification/RestoreAnswer"

Restore = Callable[[Principal, PhiText, str], Awaitable[PhiText]]


class DeidentificationServicer(rpc.DeidentificationServicer):
    def __init__(self, deidentify: Deidentify, restore: Restore, restore_answer: Restore) -> None:
        self._deidentify = deidentify
        self._restore = restore
        self._restore_answer = restore_answer

    async def Deidentify(self, request: Any, context: Any) -> Any:  # noqa: N802
        # The token's tenant, not the request's: a caller cannot speak for another tenant.
        tenant = current_principal().tenant
        result = await self._deidentify(document_of(request), tenant=tenant, subject=request.subject)
        return to_response(result)

    async def Restore(self, request: Any, context: Any) -> Any:  # noqa: N802
        restored = await self._restore(current_principal(), PhiText(request.text), request.subject)
        return pb.RestoreResponse(text=restored.reveal())

    async def RestoreAnswer(self, request: Any, context: Any) -> Any:  # noqa: N802
        restored = await self._restore_answer(current_principal(), PhiText(request.text), request.opinion_id)
        return pb.RestoreResponse(text=restored.reveal())


def binding(deidentify: Deidentify, restore: Restore, restore_answer: Restore) -> GrpcBinding:
    return GrpcBinding(
        rpc.add_DeidentificationServicer_to_server,
        DeidentificationServicer(deidentify, restore, restore_answer),
        # Who had a pasted text de-identified gets its own answer back, and nothing else.
        {METHOD: Scope.DEIDENTIFY, RESTORE: Scope.RESTORE, RESTORE_ANSWER: Scope.DEIDENTIFY},
    )
