"""Ingestion, wired."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from fastapi import APIRouter

from curbside.runtime.services import Platform, Service
from curbside.settings import load
from curbside_ingestion import handlers
from curbside_ingestion.consents import handlers as consents
from curbside_ingestion.consents.http import consent_routes
from curbside_ingestion.consumer import GROUP, subscriptions
from curbside_ingestion.extraction.found import DEFAULT_LIMITS
from curbside_ingestion.extraction.pool import Extractors
from curbside_ingestion.extraction_queue import ExtractionQueue
from curbside_ingestion.fhir_http import fhir_routes
from curbside_ingestion.group_commit import GroupCommit
from curbside_ingestion.hl7_exchange import answer_message
from curbside_ingestion.hl7_http import hl7_routes
from curbside_ingestion.http import routes
from curbside_ingestion.mllp_listener import listen, mllp_listener
from curbside_ingestion.pacing import Pace
from curbside_ingestion.pacing_http import Paced
from curbside_ingestion.reading import Documents
from curbside_ingestion.receiving import Intake, size_of
from curbside_ingestion.settings import IngestionSettings
from curbside_ingestion.store import METADATA

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
        consents.receive_rows,
        reports=partial(handlers.receive_together, take_in=take_in, ring=ring),
        consents=take_consents,
        whole=True,
    )
    answer = partial(answer_message, documents=documents, receive=receive)

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
                settings=settings,
            ),
            fhir_routes(documents=documents, receive=receive, together=together),
            hl7_routes(answer),
            consent_routes(
                take=take_consents,
                listed=partial(consents.list_consents, database=database),
                show=partial(consents.show_consent, database=database),
            ),
        ),
        subscriptions=subscriptions(partial(handlers.follow_reports, database=database, group=GROUP)),
        tasks=[queue.run, *([partial(listen, listener)] if listener is not None else [])],
        gate=partial(Paced, pace=pace, prefix="/ingestion/") if pace.counts else None,
        stop=[close],
        checks={"database": database.check, "space": blobs.check_space},
    )


def _together(*routers: APIRouter) -> APIRouter:
    together = APIRouter()
    for router in routers:
        together.include_router(router)
    return together
