"""Datasets, wired."""

from __future__ import annotations

import asyncio
from functools import partial

from curbside.runtime.services import Platform, Service
from curbside.settings import load
from curbside_datasets import builder, handlers
from curbside_datasets.consents.handlers import hear_consent
from curbside_datasets.consumer import GROUP, subscriptions
from curbside_datasets.http import routes
from curbside_datasets.settings import DatasetsSettings
from curbside_datasets.store import METADATA

__all__ = ["METADATA", "build"]


def build(platform: Platform) -> Service:
    settings = load(DatasetsSettings)
    database, blobs = platform.database, platform.blobs
    queued = asyncio.Event()
    return Service(
        name="datasets",
        router=routes(
            request_build=partial(handlers.request_build, database=database, queued=queued),
            show_build=partial(handlers.show_build, database=database),
            list_versions=partial(handlers.list_versions, database=database),
            show_version=partial(handlers.show_version, database=database),
            show_examples=partial(handlers.show_examples, database=database, blobs=blobs),
            trace_report=partial(handlers.trace_report, database=database),
            ledger=partial(handlers.read_ledger, database=database),
            max_page=settings.max_page,
        ),
        subscriptions=subscriptions(
            learn=partial(handlers.learn_report, database=database, blobs=blobs, group=GROUP),
            displace=partial(handlers.displace_report, database=database, group=GROUP),
            hear=partial(hear_consent, database=database, group=GROUP),
        ),
        tasks=[
            partial(
                builder.build_forever, database=database, blobs=blobs, queued=queued, poll=settings.build_poll
            )
        ],
        checks={"database": database.check},
    )
