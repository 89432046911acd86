"""Ingestion, wired."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from fastapi import APIRouter

from curbside.runtime.services import Platform, Service
from curbside.settings import load
from curbside_ingestion import handlers
from curbside_ingestion.arriving import size_of
from curbside_ingestion.batches.handlers import (
    find_outcome,
    keep_batches,
    look_at,
    note_batch,
    show_batch,
)
from curbside_ingestion.batches.http import batch_routes
from curbside_ingestion.batches.watching import Watch
from curbside_ingestion.consents import handlers as consents
from curbside_ingestion.consents.http import consent_routes
from curbside_ingestion.consumer import GROUP, subscriptions
from curbside_ingestion.extraction.found import DEFAULT_LIMITS
from curbside_ingestion.extraction.pool import Extractors
from curbside_ingestion.fhir_http import fhir_routes, refused
from curbside_ingestion.group_commit import GroupCommit
from curbside_ingestion.hl7_exchange import answer_message
from curbside_ingestion.hl7_http import hl7_routes
from curbside_ingestion.http import routes
from curbside_ingestion.idempotency.http import keyed_routes
from curbside_ingestion.idempotency.once import Once
from curbside_ingestion.mllp_listener import listen, mllp_listener
from curbside_ingestion.pacing import Pace
from curbside_ingestion.pacing_http import Paced
from curbside_ingestion.reading import Documents
from curbside_ingestion.receiving import Intake
from curbside_ingestion.settings import IngestionSettings
from curbside_ingestion.store import METADATA
from curbside_ingestion.uploads.handlers import Uploads
from curbside_ingestion.uploads.http import upload_routes
from curbside_ingestion.uploads.reading import Archives
from curbside_ingestion.uploads.working import UploadQueue
from curbside_ingestion.waiting.queue import ExtractionQueue

_LEASE: Final = timedelta(minutes=1)  # beyond what its parser may take: reading, writing, waiting

__all__ = ["METADATA", "build"]


def build(platform: Platform) -> Service:
    database, blobs, ring = platform.database, platform.blobs, platform.ring
    settings = load(IngestionSettings)
    take_in = GroupCommit(
        Intake(database, blobs, ring),
        group_size=handlers.GROUP_SIZE,
        queue_size=settings.max_waiting_reports,
        side_by_side=2,
        queue_bytes=settings.max_waiting_bytes,
        size_of=size_of,
    )
    # Two pools: who waits for an acknowledgement must not wait for documents that have theirs.
    at_once, extractors = (
        Extractors(
            children=settings.extraction_children,
            seconds=settings.extraction_cpu,
            memory_bytes=settings.extraction_memory_bytes,
            limits=replace(DEFAULT_LIMITS, ocr_path=settings.ocr_path),
        )
        for _ in range(2)
    )
    queue = ExtractionQueue(
        database,
        blobs,
        ring,
        extractors,
        at_once=settings.extraction_children,
        lease=extractors.patience + _LEASE,
        max_characters=settings.max_report_characters,
    )

    documents = Documents(
        at_once,
        max_characters=settings.max_report_characters,
        max_reports=settings.max_batch_reports,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        max_file_bytes=platform.settings.max_body_bytes,
    )
    take_consents = partial(consents.take_consents, database=database, blobs=blobs, ring=ring)
    receive = partial(
        consents.receive_rows,
        reports=partial(handlers.receive_reports, take_in=take_in, ring=ring, documents=queue.arrived),
        consents=take_consents,
    )
    together = partial(
        consents.receive_together,
        reports=partial(handlers.receive_together, take_in=take_in, ring=ring),
        consents=take_consents,
        judge=partial(consents.judge_consents, database=database, ring=ring),
    )
    answer = partial(answer_message, documents=documents, receive=receive)

    # A commit of its own beside that of the reports, which batches that come at once share.
    keep = GroupCommit(
        partial(keep_batches, database=database),
        group_size=handlers.GROUP_SIZE,
        queue_size=settings.max_waiting_reports,
    )
    watch = Watch(partial(look_at, database=database), seats_each=settings.max_watched_batches)

    async def follow(moves: Sequence[handlers.Move]) -> None:
        await handlers.follow_reports(moves, database=database, group=GROUP)
        watch.stir()

    completed = asyncio.Event()
    uploads = Uploads(
        database,
        blobs,
        ring,
        expiry=settings.upload_expiry,
        most_open=settings.max_open_uploads,
        completed=completed.set,
    )
    archives = Archives(
        documents,
        blobs,
        max_file_bytes=platform.settings.max_body_bytes,
        max_members=settings.max_upload_members,
    )
    worked_through = UploadQueue(uploads, archives, receive, watch.stir, completed)

    once = Once(database, ring, settings.idempotency_expiry)

    listener = mllp_listener(
        answer, settings, tenant=platform.settings.tenant, profile=platform.settings.profile
    )

    pace = Pace(
        requests_per_second=settings.client_requests_per_second,
        burst_requests=settings.client_burst_requests,
        bytes_per_minute=settings.client_bytes_per_minute,
    )

    async def close() -> None:
        for each in (at_once, extractors):
            await asyncio.to_thread(each.close)

    return Service(
        name="ingestion",
        router=_together(
            routes(
                receive=receive,
                documents=documents,
                listed=partial(handlers.list_reports, database=database, ring=ring),
                show=partial(handlers.show_report, database=database, ring=ring),
                ledger=partial(handlers.read_ledger, database=database),
                note=partial(note_batch, note=keep),
                settings=settings,
                route_class=keyed_routes(once),
            ),
            fhir_routes(
                documents=documents,
                receive=receive,
                together=together,
                route_class=keyed_routes(once, refused),
            ),
            hl7_routes(answer, keyed_routes(once)),
            batch_routes(
                show=partial(show_batch, database=database),
                find=partial(find_outcome, database=database),
                watch=watch,
            ),
            consent_routes(
                take=take_consents,
                listed=partial(consents.list_consents, database=database, ring=ring),
                show=partial(consents.show_consent, database=database, ring=ring),
            ),
            upload_routes(uploads, max_bytes=settings.max_upload_bytes),
        ),
        subscriptions=subscriptions(follow),
        tasks=[
            queue.run,
            *([partial(listen, listener)] if listener is not None else []),
            once.clean,
            worked_through.run,
        ],
        streams=["/v1/uploads/"],
        stopping=[watch.stop],
        gate=partial(Paced, pace=pace, prefix="/ingestion/") if pace.counts else None,
        stop=[close],
        checks={"database": database.check, "space": blobs.check_space},
    )


def _together(*routers: APIRouter) -> APIRouter:
    together = APIRouter()
    for router in routers:
        together.routes += router.routes  # included, each would be asked in its turn by every request
    return together
