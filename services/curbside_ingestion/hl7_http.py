"""HL7 v2 over HTTP: messages in, their acknowledgements out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from curbside.identity.http import CanIngest
from curbside.identity.principal import Principal
from curbside_ingestion.bodies import whole_body
from curbside_ingestion.described import HL7, HL7_ANSWERED, Source
from curbside_ingestion.domain.report import read_source
from curbside_ingestion.extraction.found import DEFAULT_LIMITS, Kind
from curbside_ingestion.extraction.hl7v2.normalising import messages_of
from curbside_ingestion.hl7_exchange import Answer

SOURCE: Final = "hl7"


def hl7_routes(
    answer: Callable[[bytes, str, Principal], Awaitable[Answer]], route_class: type[APIRoute] = APIRoute
) -> APIRouter:
    router = APIRouter(route_class=route_class)

    @router.post("/hl7", openapi_extra=HL7, responses=HL7_ANSWERED, response_class=Response)
    async def take_messages(request: Request, principal: CanIngest, source: Source = SOURCE) -> Response:
        """Take in HL7 v2 messages (ORU, MDM and kin), one or a file of them. Each is answered by an ACK, in
        their order: AA says that its reports are durable. The status is 200 where all are AA, and that of the
        first problem otherwise."""
        data, named = await whole_body(request), read_source(source)
        messages = await asyncio.to_thread(messages_of, data, DEFAULT_LIMITS)
        answers = [await answer(message, named, principal) for message in messages]
        problem = next((one.problem for one in answers if one.problem is not None), None)
        retry = {} if problem is None else problem.extensions
        return Response(
            b"".join(one.acknowledgement for one in answers),
            200 if problem is None else int(problem.status),
            {"retry-after": str(retry["retry_after"])} if "retry_after" in retry else None,
            media_type=Kind.HL7.value,
        )

    return router
