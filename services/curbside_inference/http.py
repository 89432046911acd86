"""The gateway over HTTP: a question in, an opinion out, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from curbside.contracts.tasks import NOTICE
from curbside.errors import CurbsideError
from curbside.identity.http import CanAsk
from curbside.identity.principal import Principal
from curbside.phi import PhiText
from curbside_inference.domain.model import ModelInUse
from curbside_inference.domain.opinion import Opinion, Piece
from curbside_inference.domain.question import Question, question_of
from curbside_inference.settings import InferenceSettings

Give = Callable[[Question, Principal], Awaitable[Opinion]]
Stream = Callable[[Question, Principal], AsyncIterator[Piece]]

# nginx's, for an asker that left before the answer: nobody reads it, metrics count it.
_CLIENT_LEFT: Final = 499
_STREAM_HEADERS: Final = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class Ask(BaseModel):
    """One of the four tasks, of a text or of a stored report. `prior` belongs to `compare`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    task: str = Field(examples=["summarize", "diagnose", "anomalies", "compare"])
    report: str | None = None
    report_id: str | None = None
    prior: str | None = None
    prior_report_id: str | None = None
    model: str | None = Field(default=None, description="A model version; without it, the promoted one.")
    stream: bool = False


class EvidenceBody(BaseModel):
    """An exact substring of `input`; offsets are Unicode code points."""

    text: str
    start: int
    end: int


class OpinionBody(BaseModel):
    opinion_id: str
    task: str
    answer: str
    truncated: bool = Field(description="The answer was cut at its limit of tokens.")
    evidence: list[EvidenceBody]
    model_version: str
    notice: str
    demonstration_notice: str | None = None
    shielded_spans: int = Field(description="Identifiers that were replaced before the model saw the text.")
    input: str = Field(description="The de-identified text that the model saw.")


class ModelBody(BaseModel):
    model_version: str
    base_model: str
    embedded: bool
    notice: str
    demonstration_notice: str | None = None
    waiting_version: str | None = Field(
        default=None, description="Promoted, and not yet served by the engine: `model_version` answers."
    )
    mend: str | None = Field(default=None, description="What lets `waiting_version` answer.")


class EventStream(StreamingResponse):
    """Server-sent events whose source is closed when the asker leaves, and not when memory is collected."""

    media_type = "text/event-stream"

    def __init__(
        self, source: AsyncIterator[str], close: Callable[[], Awaitable[None]], headers: Mapping[str, str]
    ) -> None:
        super().__init__(source, headers={**_STREAM_HEADERS, **headers})
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Shielded: a cancelled response must still close what it reads from.
            await asyncio.shield(self._close())


def routes(
    *,
    give: Give,
    stream: Stream,
    model: Callable[[Principal], Awaitable[ModelInUse]],
    settings: InferenceSettings,
) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.post(
        "/opinions",
        response_model=OpinionBody,
        response_model_exclude_none=True,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def ask(body: Ask, request: Request, principal: CanAsk) -> Any:
        """Ask for an opinion. With `stream`, `data: {"text"}` events come first, then `event: opinion`
        with the whole one, or `event: problem`."""
        question = question_of(
            **body.model_dump(exclude={"stream"}), max_characters=settings.max_report_characters
        )
        if body.stream:
            return await _streamed(stream(question, principal), request)
        opinion = await _unless_gone(give(question, principal), request)
        return Response(status_code=_CLIENT_LEFT) if opinion is None else opinion_body(opinion)

    @router.get("/model", response_model=ModelBody, response_model_exclude_none=True)
    async def show_model(principal: CanAsk) -> ModelBody:
        """The model that answers now."""
        used = await model(principal)
        return ModelBody(
            model_version=used.version,
            base_model=used.base_model,
            embedded=used.embedded,
            notice=NOTICE,
            demonstration_notice=used.demonstration_notice,
            waiting_version=used.waiting,
            mend=used.mend,
        )

    return router


def notices(model: ModelInUse) -> dict[str, str]:
    """The notices of an answer of `model`, as headers: the opinion that carries them comes last."""
    demonstration = model.demonstration_notice
    return {"curbside-notice": NOTICE} | (
        {"curbside-demonstration-notice": demonstration} if demonstration else {}
    )


def answer_of(opinion: Opinion) -> str:
    """The answer as its asker reads it."""
    return opinion.answer.text if opinion.restored is None else opinion.restored.reveal()


def opinion_body(opinion: Opinion) -> OpinionBody:
    return OpinionBody(
        opinion_id=opinion.opinion_id,
        task=opinion.task.value,
        answer=answer_of(opinion),
        truncated=not opinion.answer.whole,
        evidence=[
            EvidenceBody(text=piece.text, start=piece.start, end=piece.end) for piece in opinion.evidence
        ],
        model_version=opinion.model.version,
        notice=opinion.notice,
        demonstration_notice=opinion.model.demonstration_notice,
        shielded_spans=opinion.shielded_spans,
        input=opinion.input.text,
    )


async def _streamed(source: Any, request: Request) -> Response:
    """Events of `source`. What fails before the first piece is a problem with its status, not an event."""

    async def begin() -> tuple[ModelInUse, Piece]:
        return await anext(source), await anext(source)

    try:
        begun = await _unless_gone(begin(), request)
    except BaseException:
        await source.aclose()
        raise
    if begun is None:
        await source.aclose()
        return Response(status_code=_CLIENT_LEFT)
    model, first = begun
    return EventStream(_events(first, source), source.aclose, notices(model))


async def _events(first: Piece, source: AsyncIterator[Piece]) -> AsyncIterator[str]:
    yield _event(first)
    try:
        async for piece in source:
            yield _event(piece)
    except CurbsideError as error:
        yield _sse(error.problem(), "problem")
    except Exception:
        yield _sse(CurbsideError("the answer broke off; it is in our log").problem(), "problem")
        raise


def _event(piece: Piece) -> str:
    if isinstance(piece, Opinion):
        return _sse(opinion_body(piece).model_dump(exclude_none=True), "opinion")
    return _sse({"text": piece.reveal() if isinstance(piece, PhiText) else piece})


def _sse(data: dict[str, Any], event: str | None = None) -> str:
    head = f"event: {event}\n" if event else ""
    # ASCII: a client that splits lines as str.splitlines does would break an event at U+2028.
    return f"{head}data: {json.dumps(data)}\n\n"


async def _unless_gone(work: Awaitable[Any], request: Request) -> Any:
    """The result of `work`, or None where the asker left first; the work is then cancelled."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
