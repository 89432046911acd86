"""Wiring of deidentification: routes, the gRPC shield, the consumer, in one table."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from curbside.runtime.platform import state_directory
from curbside.runtime.services import Platform, Service
from curbside.settings import load
from curbside_deidentification import (
    audit_http,
    consumer,
    correcting,
    grpc,
    handlers,
    http,
    regression,
    regression_http,
    reversal,
    reversal_http,
    review,
)
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.flow import Room
from curbside_deidentification.pool import WorkerPool
from curbside_deidentification.replacements import Replacements
from curbside_deidentification.settings import DeidentificationSettings
from curbside_deidentification.store import METADATA

__all__ = ["METADATA", "build"]


def build(platform: Platform) -> Service:
    settings = load(DeidentificationSettings)
    run = state_directory(platform.settings)
    pool = WorkerPool(
        [run / f"worker-{number}.sock" for number in range(settings.workers)], deadline=settings.call_timeout
    )
    database, blobs = platform.database, platform.blobs
    replacements = Replacements(settings, blobs=blobs, ring=platform.ring)
    return Service(
        name="deidentification",
        router=_router(platform, settings, pool, replacements),
        grpc=[
            grpc.binding(
                partial(
                    handlers.shield, database=database, replacements=replacements, deidentify=pool.deidentify
                ),
                partial(handlers.restore, database=database, replacements=replacements),
                partial(handlers.restore_answer, database=database, replacements=replacements),
                calls=Room(settings.call_characters),
                streams=Room(settings.stream_characters),
            )
        ],
        subscriptions=consumer.subscriptions(
            partial(
                handlers.deidentify_report,
                database=database,
                blobs=blobs,
                replacements=replacements,
                deidentify=pool.deidentify,
                policy=load_policy().label,
            ),
            partial(handlers.displace_report, database=database),
            partial(reversal.learn_opinion, database=database),
            concurrency=settings.workers,
        ),
        checks={"workers": pool.check},
        stop=[pool.close],
    )


def _router(
    platform: Platform, settings: DeidentificationSettings, pool: WorkerPool, replacements: Replacements
) -> APIRouter:
    database, blobs = platform.database, platform.blobs
    policy = load_policy().label
    router = APIRouter()
    router.include_router(
        http.routes(
            listing=partial(review.list_quarantined, database=database),
            show=partial(review.show_quarantined, database=database, blobs=blobs),
            accept=partial(correcting.accept_span, database=database, blobs=blobs),
            remove=partial(correcting.remove_span, database=database, blobs=blobs),
            add=partial(correcting.add_span, database=database, blobs=blobs),
            release=partial(review.release, database=database, blobs=blobs, replacements=replacements),
            reject=partial(review.reject, database=database),
        )
    )
    router.include_router(
        regression_http.routes(
            replay=partial(
                regression.replay,
                database=database,
                blobs=blobs,
                deidentify=pool.deidentify,
                policy=policy,
            ),
            policy=policy,
        )
    )
    router.include_router(
        reversal_http.routes(
            request=partial(
                reversal.request_reversal,
                lifetime=settings.reversal_request_lifetime,
                database=database,
                replacements=replacements,
            ),
            listing=partial(reversal.list_reversals, database=database),
            approve=partial(
                reversal.approve_reversal, read_within=settings.reversal_read_within, database=database
            ),
            decline=partial(reversal.decline_reversal, database=database),
            read=partial(reversal.read_reversal, database=database, blobs=blobs, replacements=replacements),
        )
    )
    router.include_router(audit_http.routes(listing=partial(review.list_acts, database=database)))
    return router
