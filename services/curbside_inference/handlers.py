"""What the gateway does: give an opinion, stream one, learn of reports and of promoted models."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from curbside.contracts.events import Event, new_event
from curbside.contracts.tasks import MAX_ANSWER_TOKENS, Message
from curbside.contracts.v1 import events_pb2
from curbside.identity.principal import Principal
from curbside.phi import PhiText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database
from curbside.storage.zones import Zone
from curbside_inference import store
from curbside_inference.adapters import place_adapter
from curbside_inference.domain.evidence import evidence_for
from curbside_inference.domain.model import PRODUCTION, EngineModels
from curbside_inference.domain.opinion import Answer, Opinion, Piece
from curbside_inference.domain.problems import TooManyQuestions
from curbside_inference.domain.question import Question
from curbside_inference.metrics import measured
from curbside_inference.preparation import Prepared

log = logging.getLogger(__name__)
GROUP: Final = "inference"
_ACTOR: Final = "service:inference"

Prepare = Callable[[Question, Principal], Awaitable[Prepared]]
Conclude = Callable[[Prepared, Answer], Awaitable[Opinion]]


class Restore(Protocol):
    """What `Shield.restore` is to the handlers."""

    async def __call__(self, text: str, *, opinion_id: str) -> PhiText: ...


class Complete(Protocol):
    """What `EngineClient.complete` is to the handlers."""

    async def __call__(self, model: str, messages: Sequence[Message], *, max_tokens: int) -> Answer: ...


class Stream(Protocol):
    """What `EngineClient.stream` is to the handlers."""

    def __call__(
        self, model: str, messages: Sequence[Message], *, max_tokens: int
    ) -> AsyncIterator[str | Answer]: ...


class Seats:
    """As many questions at once as the gateway takes; one more is refused rather than kept waiting."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextmanager
    def seat(self) -> Iterator[None]:
        if self._taken >= self._most:
            raise TooManyQuestions(
                f"{self._most} questions are being answered already", mend="Ask again shortly.", retry_after=2
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


async def give_opinion(
    question: Question,
    principal: Principal,
    *,
    seats: Seats,
    prepare: Prepare,
    complete: Complete,
    restore: Restore,
    conclude: Conclude,
) -> Opinion:
    """The whole opinion; it is recorded before it is given, without what is turned back for its asker."""
    with measured(question.task), seats.seat():
        prepared = await prepare(question, principal)
        answer = await complete(
            prepared.model.engine_name, prepared.messages, max_tokens=MAX_ANSWER_TOKENS[prepared.task]
        )
        restored = await _restored(prepared, answer, restore)
        return replace(await conclude(prepared, answer), restored=restored)


async def stream_opinion(
    question: Question,
    principal: Principal,
    *,
    seats: Seats,
    prepare: Prepare,
    stream: Stream,
    restore: Restore,
    conclude: Conclude,
) -> AsyncIterator[Piece]:
    """The model that answers, its answer's pieces as they come, then the whole opinion. Closing the iterator
    closes the engine's.

    Where surrogates are turned back the answer comes in one piece: one may lie in two of the engine's.
    """
    with measured(question.task), seats.seat():
        prepared = await prepare(question, principal)
        yield prepared.model
        pieces = stream(
            prepared.model.engine_name, prepared.messages, max_tokens=MAX_ANSWER_TOKENS[prepared.task]
        )
        async with aclosing(pieces):  # type: ignore[type-var]
            async for piece in pieces:
                if isinstance(piece, Answer):
                    restored = await _restored(prepared, piece, restore)
                    opinion = await conclude(prepared, piece)
                    if restored is not None:
                        yield restored
                    yield replace(opinion, restored=restored)
                elif not prepared.restorable:
                    yield piece


async def _restored(prepared: Prepared, answer: Answer, restore: Restore) -> PhiText | None:
    if not prepared.restorable:
        return None
    return await restore(answer.text, opinion_id=prepared.opinion_id)


async def conclude_opinion(
    prepared: Prepared, answer: Answer, *, database: Database, blobs: BlobStore
) -> Opinion:
    """Record the opinion with its event and audit in one transaction, and return it.

    What has begun is finished, also where the asker leaves: nobody could say whether a commit that was cut
    off had happened.
    """
    recording = asyncio.create_task(_record(prepared, answer, database, blobs))
    try:
        return await asyncio.shield(recording)
    except asyncio.CancelledError:
        while not recording.done():
            # An asker's task may be cancelled again and again until it ends; `wait` leaves `recording` alone.
            with suppress(asyncio.CancelledError):
                await asyncio.wait({recording})
        if not recording.cancelled() and (error := recording.exception()) is not None:
            log.error("an opinion whose asker had left could not be recorded", exc_info=error)
        raise


async def _record(prepared: Prepared, answer: Answer, database: Database, blobs: BlobStore) -> Opinion:
    tenant, subject = prepared.principal.tenant, prepared.subject
    opinion = Opinion(
        opinion_id=prepared.opinion_id,
        task=prepared.task,
        answer=answer,
        evidence=tuple(await asyncio.to_thread(evidence_for, answer.text, prepared.input.text)),
        model=prepared.model,
        input=prepared.input,
        shielded_spans=prepared.spans,
    )
    output = {
        "answer": answer.text,
        "whole": answer.whole,
        "evidence": [[piece.start, piece.end] for piece in opinion.evidence],
        "model_version": opinion.model.version,
        "notice": opinion.notice,
    }
    shown = {"task": prepared.task, "input": prepared.input.text, "messages": prepared.messages}
    latency_ms = round((time.perf_counter() - prepared.started) * 1000)
    refs: list[BlobRef] = []
    committing = False
    try:
        for content in (shown, output):
            data = json.dumps(content, ensure_ascii=False).encode()
            refs.append(await blobs.put(Zone.SAFE, data, tenant=tenant, subject=subject))
        asked, given = refs
        happened = events_pb2.OpinionGiven(
            opinion_id=opinion.opinion_id,
            task=opinion.task.value,
            model_version=opinion.model.version,
            report_id=prepared.report_id,
            input=asked.to_message(),
            output=given.to_message(),
            latency_ms=latency_ms,
        )
        async with database.begin(opinion.opinion_id) as transaction:
            await store.add_opinion(
                transaction.session,
                opinion_id=opinion.opinion_id,
                tenant=tenant,
                subject=subject,
                task=opinion.task.value,
                model_version=opinion.model.version,
                report_id=prepared.report_id,
                input=asked.to_json(),
                output=given.to_json(),
                latency_ms=latency_ms,
                asked_by=prepared.principal.id,
            )
            await transaction.publish(new_event(happened, tenant=tenant, subject=subject))
            await transaction.record(
                actor=prepared.principal.id,
                tenant=tenant,
                action="opinion.given",
                target=opinion.opinion_id,
                details={
                    "task": opinion.task.value,
                    "model_version": opinion.model.version,
                    "report_id": prepared.report_id,
                    "shielded_spans": prepared.spans,
                },
            )
            committing = True
    except BaseException:
        # A commit that raised may have happened, and blobs without an opinion are better than the reverse.
        if not committing:
            for ref in refs:
                await blobs.delete(ref)
        raise
    return opinion


async def learn_reports(events: Sequence[Event], *, database: Database) -> None:
    """Keep where de-identified reports lie; one that was entered in error cannot be asked about.

    Of several events of one report the last counts.
    """
    last: dict[str, tuple[Event, events_pb2.ReportDeidentified]] = {}
    named = []
    for event in events:
        assert isinstance(event.payload, events_pb2.ReportDeidentified)
        named.append(event.payload.report_id)
    async with database.begin(*named) as transaction:
        for event in await transaction.first_times(events, GROUP):
            assert isinstance(event.payload, events_pb2.ReportDeidentified)
            last[event.payload.report_id] = event, event.payload
        kept = []
        for report_id, (event, payload) in last.items():
            if payload.status == events_pb2.REPORT_STATUS_ENTERED_IN_ERROR:
                await store.forget_report(transaction.session, event.tenant, report_id)
                continue
            kept.append(
                store.LearnedReport(
                    report_id=report_id,
                    tenant=event.tenant,
                    subject=event.subject,
                    text=BlobRef.from_message(payload.text),
                    spans=sum(payload.spans_by_category.values()),
                    policy=payload.policy or "unnamed",
                )
            )
        await store.keep_reports(transaction, kept)


async def displace_report(event: Event, *, database: Database) -> None:
    """Answer no more from a superseded or withdrawn report, though its text may yet come: no order holds
    between this event and the report's de-identification."""
    payload = event.payload
    assert isinstance(payload, events_pb2.ReportDisplaced)
    async with database.begin(payload.report_id) as transaction:
        if await transaction.first_time(event, GROUP):
            await store.mark_displaced(
                transaction.session,
                event.tenant,
                payload.report_id,
                state=payload.state,
                displaced_by=payload.displaced_by,
            )
            await store.forget_report(transaction.session, event.tenant, payload.report_id)


async def place_model(
    event: Event, *, database: Database, blobs: BlobStore, adapters_dir: Path, engine: EngineModels
) -> None:
    """Unpack a promoted adapter where the engine finds it, and only then let it answer.

    Where the engine is known not to serve it yet, it waits, and what answered until now goes on answering.
    """
    payload = event.payload
    assert isinstance(payload, events_pb2.ModelPromoted)
    version, alias = payload.model_version, payload.alias or PRODUCTION
    archive = await blobs.get(BlobRef.from_message(payload.adapter))
    await asyncio.to_thread(place_adapter, archive, adapters_dir, version, reserved=engine.base_names)
    serving = engine.serves(version)
    async with database.begin() as transaction:
        session = transaction.session
        if not await transaction.first_time(event, GROUP):
            return
        known = await store.promoted(session, event.tenant, alias)
        answering = next((row for row in known if engine.serves(row.model_version)), None)
        await store.drop_alias(session, event.tenant, store.waiting(alias))
        if answering is not None and not serving:
            await store.point_alias(
                session,
                event.tenant,
                alias,
                model_version=answering.model_version,
                base_model=answering.base_model,
                dataset_version=answering.dataset_version,
                promoted_at=answering.promoted_at,
            )
        await store.point_alias(
            session,
            event.tenant,
            alias if serving else store.waiting(alias),
            model_version=version,
            base_model=payload.base_model,
            dataset_version=payload.dataset_version,
            promoted_at=datetime.now(UTC),
        )
        await transaction.record(
            actor=_ACTOR,
            tenant=event.tenant,
            action="model.placed",
            target=version,
            details={"alias": alias, "base_model": payload.base_model, "serving": serving},
        )
    if not serving:
        log.warning(
            "a promoted model version waits: the engine does not serve it", extra={"model_version": version}
        )
