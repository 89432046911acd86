"""Deidentify over gRPC for other services: the shield of the inference gateway."""

from __future__ import annotations

from typing import Any, Final

from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.identity.grpc import current_principal
from curbside.identity.principal import Scope
from curbside.runtime.services import GrpcBinding
from curbside_deidentification.handlers import Deidentify
from curbside_deidentification.wire import document_of, to_response

METHOD: Final = "/curbside.contracts.v1.Deidentification/Deidentify"


class DeidentificationServicer(rpc.DeidentificationServicer):
    def __init__(self, deidentify: Deidentify) -> None:
        self._deidentify = deidentify

    async def Deidentify(self, request: Any, context: Any) -> Any:  # noqa: N802
        # The token's tenant, not the request's: a caller cannot speak for another tenant.
        tenant = current_principal().tenant
        result = await self._deidentify(document_of(request), tenant=tenant, subject=request.subject)
        return to_response(result)


def binding(deidentify: Deidentify) -> GrpcBinding:
    return GrpcBinding(
        rpc.add_DeidentificationServicer_to_server,
        DeidentificationServicer(deidentify),
        {METHOD: Scope.DEIDENTIFY},
    )
