"""TGI's routes. A route parses, calls the engine, and shapes the reply."""

from __future__ import annotations

import time
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from curbside_inference.engine import wire
from curbside_inference.engine.app import ENGINE_VERSION, Answer, Engine, Shape, streaming
from curbside_inference.engine.generation import Finished, Token
from curbside_inference.engine.wire import (
    ChatRequest,
    CompletionRequest,
    GenerateRequest,
    Parameters,
    Refused,
    SharedOptions,
    VertexRequest,
    invalid,
)

VALIDATION_WORKERS: Final = 1


def routes(engine: Engine) -> APIRouter:
    """Every route of the engine; those that generate ask for the API key, where one is set."""
    router = APIRouter()
    guarded = APIRouter(dependencies=[Depends(engine.authorise)])
    _probes(router, engine)
    _generation(guarded, engine)
    _openai(guarded, engine)
    router.include_router(guarded)
    return router


def _probes(router: APIRouter, engine: Engine) -> None:
    @router.get("/")
    @router.get("/health")
    @router.get("/ping")
    async def health() -> Response:
        _ready(engine)
        return Response(status_code=200)

    @router.get("/metrics")
    async def metrics() -> Response:
        return PlainTextResponse(engine.metrics.exposition(), media_type="text/plain; version=0.0.4")

    @router.get("/info")
    async def info() -> dict[str, Any]:
        ready = engine.generator.loaded
        return {
            "model_id": engine.models.name,
            "model_sha": None,
            "model_pipeline_tag": "text-generation",
            "max_concurrent_requests": engine.settings.max_concurrent_requests,
            "max_best_of": 1,
            "max_stop_sequences": wire.MAX_STOP_SEQUENCES,
            "max_input_tokens": engine.limits.max_input_tokens if ready else 0,
            "max_total_tokens": engine.limits.max_total_tokens if ready else 0,
            "validation_workers": VALIDATION_WORKERS,
            "max_client_batch_size": 1,
            "router": "curbside-embedded-engine",
            "version": ENGINE_VERSION,
            "sha": None,
            "docker_label": None,
        }

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        found = [engine.models.name, *engine.models.versions()]
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": engine.models.name} for name in found
        ]
        return {"object": "list", "data": data}


def _generation(router: APIRouter, engine: Engine) -> None:
    async def generate_once(body: GenerateRequest, request: Request) -> tuple[dict[str, Any], dict[str, str]]:
        answer = engine.begin(body.inputs, body.parameters)
        end = await engine.finish(answer, request)
        reply = wire.generation_json(body.inputs, body.parameters, answer.ticket, answer.tokens, end)
        return reply, answer.headers(end)

    def stream(body: GenerateRequest) -> Response:
        def begin() -> Answer:
            if body.parameters.decoder_input_details:
                raise invalid("`decoder_input_details` == true is not supported when streaming tokens")
            return engine.begin(body.inputs, body.parameters)

        def shape(answer: Answer) -> Shape:
            return lambda index, token, end: [
                wire.stream_json(body.inputs, body.parameters, answer.ticket, index, token, end)
            ]

        return streaming(
            engine.events(begin, shape, done=False), {"x-compute-characters": str(len(body.inputs))}
        )

    @router.post("/generate")
    async def generate(body: GenerateRequest, request: Request) -> Response:
        reply, headers = await generate_once(body, request)
        return JSONResponse(reply, headers=headers)

    @router.post("/generate_stream")
    async def generate_stream(body: GenerateRequest) -> Response:
        return stream(body)

    @router.post("/")
    @router.post("/invocations")
    async def either(body: GenerateRequest, request: Request) -> Response:
        if body.stream:
            return stream(body)
        reply, headers = await generate_once(body, request)
        return JSONResponse([reply], headers=headers)

    @router.post("/vertex")
    async def vertex(body: VertexRequest, request: Request) -> dict[str, Any]:
        return {
            "predictions": [
                (await generate_once(one, request))[0]["generated_text"] for one in body.instances
            ]
        }

    @router.post("/tokenize")
    async def tokenize(body: GenerateRequest) -> list[dict[str, Any]]:
        return _tokens(engine, body.inputs)

    @router.post("/chat_tokenize")
    async def chat_tokenize(body: ChatRequest) -> dict[str, Any]:
        _ready(engine)
        text = wire.render_chat(body.messages, engine.models)
        return {"tokenize_response": _tokens(engine, text, templated=True), "templated_text": text}


def _openai(router: APIRouter, engine: Engine) -> None:
    def known(body: SharedOptions) -> None:
        _ready(engine)
        if not engine.models.knows(body.model):
            raise Refused(
                404, "model_not_found", f"The model {body.model!r} does not exist: see GET /v1/models"
            )

    @router.post("/v1/chat/completions")
    async def chat(body: ChatRequest, request: Request) -> Response:
        known(body)
        if body.tools:
            raise Refused(422, "tool_error", "Tool error: tools are not supported")
        if body.response_format is not None and body.response_format != {"type": "text"}:
            raise invalid("grammar is not supported")
        if body.n not in (None, 1):
            raise invalid("`n` != 1 is not supported")
        inputs = wire.render_chat(body.messages, engine.models)
        parameters = body.parameters(
            details=True, top_n_tokens=body.top_logprobs if body.logprobs and body.top_logprobs else None
        )
        head = _Head(body.model, "chat.completion")
        if body.stream:
            return _stream(engine, inputs, parameters, head, body, _chat_delta(body), templated=True)
        answer = engine.begin(inputs, parameters, templated=True)
        end = await engine.finish(answer, request)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": end.text},
            "logprobs": wire.logprobs_json(answer.tokens) if body.logprobs else None,
            "finish_reason": wire.openai_reason(end.reason),
        }
        reply = head.body() | {"choices": [choice], "usage": wire.usage_json(answer.ticket, end)}
        return JSONResponse(reply, headers=answer.headers(end))

    @router.post("/v1/completions")
    async def complete(body: CompletionRequest, request: Request) -> Response:
        known(body)
        if not isinstance(body.prompt, str) and len(body.prompt) != 1:
            raise invalid("Number of prompts exceeds the maximum allowed batch size of 1")
        inputs = body.prompt if isinstance(body.prompt, str) else body.prompt[0]
        parameters = body.parameters(details=True)
        head = _Head(body.model, "text_completion")
        if body.stream:
            return _stream(engine, inputs, parameters, head, body, _completion_delta, templated=False)
        answer = engine.begin(inputs, parameters)
        end = await engine.finish(answer, request)
        choice = {
            "index": 0,
            "text": end.text,
            "logprobs": None,
            "finish_reason": wire.openai_reason(end.reason),
        }
        reply = head.body() | {"choices": [choice], "usage": wire.usage_json(answer.ticket, end)}
        return JSONResponse(reply, headers=answer.headers(end))


class _Head:
    """What every object of one OpenAI reply begins with."""

    def __init__(self, model: str, kind: str) -> None:
        self._model, self._kind, self._created = model, kind, int(time.time())

    def body(self, *, chunk: bool = False) -> dict[str, Any]:
        kind = f"{self._kind}.chunk" if chunk and self._kind == "chat.completion" else self._kind
        return {
            "object": kind,
            "id": "",
            "created": self._created,
            "model": self._model,
            "system_fingerprint": ENGINE_VERSION,
        }


def _chat_delta(body: ChatRequest) -> Any:
    def choice(token: Token, end: Finished | None) -> dict[str, Any]:
        return {
            "index": 0,
            "delta": {"role": "assistant", "content": "" if token.special else token.text},
            "logprobs": wire.logprobs_json([token]) if body.logprobs else None,
            "finish_reason": wire.openai_reason(end.reason) if end else None,
        }

    return choice


def _completion_delta(token: Token, end: Finished | None) -> dict[str, Any]:
    return {
        "index": 0,
        "text": "" if token.special else token.text,
        "logprobs": None,
        "finish_reason": wire.openai_reason(end.reason) if end else None,
    }


def _stream(
    engine: Engine,
    inputs: str,
    parameters: Parameters,
    head: _Head,
    body: SharedOptions,
    choice: Any,
    *,
    templated: bool,
) -> Response:
    with_usage = body.stream_options is not None and body.stream_options.include_usage

    def begin() -> Answer:
        return engine.begin(inputs, parameters, templated=templated)

    def shape(answer: Answer) -> Shape:
        def write(_: int, token: Token, end: Finished | None) -> list[dict[str, Any]]:
            chunk = head.body(chunk=True)
            events = [chunk | {"choices": [choice(token, end)], "usage": None}]
            if end is not None and with_usage:
                events.append(chunk | {"choices": [], "usage": wire.usage_json(answer.ticket, end)})
            return events

        return write

    return streaming(engine.events(begin, shape, done=True), {"x-compute-characters": str(len(inputs))})


def _ready(engine: Engine) -> None:
    if not engine.generator.healthy:
        raise Refused(503, "healthcheck", "unhealthy")


def _tokens(engine: Engine, text: str, *, templated: bool = False) -> list[dict[str, Any]]:
    _ready(engine)
    found = engine.models.tokenizer(text, add_special_tokens=not templated, return_offsets_mapping=True)
    return [
        {"id": token, "text": text[start:stop], "start": start, "stop": stop}
        for token, (start, stop) in zip(found["input_ids"], found["offset_mapping"], strict=True)
    ]
