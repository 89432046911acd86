"""Rights of gRPC methods, and errors as gRPC statuses, in one interceptor."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import grpc
from grpc import aio

from curbside.errors import CurbsideError, Unauthenticated
from curbside.identity.http import allowed
from curbside.identity.principal import Principal, Scope
from curbside.identity.tokens import Tokens

log = logging.getLogger(__name__)
_principal: ContextVar[Principal] = ContextVar("principal")


def current_principal() -> Principal:
    """The principal of the gRPC call being served."""
    return _principal.get()


class RightsInterceptor(aio.ServerInterceptor):
    """Authenticates each call and demands the scope its full method name maps to.

    A method that the mapping does not name is refused: rights are declared, never defaulted.
    """

    def __init__(self, tokens: Tokens, scopes: Mapping[str, Scope], public: frozenset[str]) -> None:
        self._tokens = tokens
        self._scopes = scopes
        self._public = public

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(details)
        if handler is None or details.method in self._public:
            return handler
        header = dict(details.invocation_metadata or ()).get("authorization", "")
        method = details.method

        async def admit() -> None:
            scheme, _, token = str(header).partition(" ")
            if scheme.casefold() != "bearer" or not token:
                raise Unauthenticated("the call carries no bearer token", field="authorization")
            principal = await self._tokens.authenticate(token.strip())
            _principal.set(allowed(principal, self._scopes[method]))

        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                _streaming(handler.stream_stream, admit),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                _streaming(handler.unary_stream, admit),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            _unary(handler.unary_unary, admit), handler.request_deserializer, handler.response_serializer
        )


def _unary(behaviour: Any, admit: Callable[[], Awaitable[None]]) -> Any:
    async def call(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        try:
            await admit()
            return await behaviour(request, context)
        except Exception as error:
            await _abort(context, error)

    return call


def _streaming(behaviour: Any, admit: Callable[[], Awaitable[None]]) -> Any:
    async def call(request: Any, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        try:
            await admit()
            async with aclosing(behaviour(request, context)) as responses:
                async for response in responses:
                    yield response
        except Exception as error:
            await _abort(context, error)

    return call


async def _abort(context: aio.ServicerContext[Any, Any], error: Exception) -> None:
    if isinstance(error, aio.AbortError):
        raise error
    if isinstance(error, CurbsideError):
        trailing = [("curbside-problem", json.dumps(error.problem()))]
        if "retry_after" in error.extensions:  # seconds; gRPC's own clients read milliseconds (gRFC A6)
            trailing.append(("grpc-retry-pushback-ms", str(1_000 * error.extensions["retry_after"])))
        context.set_trailing_metadata(tuple(trailing))
        await context.abort(grpc.StatusCode[error.grpc_status], error.message)
    log.error("gRPC call failed", exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, "something went wrong on our side")
