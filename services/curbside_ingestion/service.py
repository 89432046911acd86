"""Ingestion, wired."""

from __future__ import annotations

from functools import partial

from curbside.runtime.services import Platform, Service
from curbside.settings import load
from curbside_ingestion import handlers
from curbside_ingestion.consumer import GROUP, subscriptions
from curbside_ingestion.http import routes
from curbside_ingestion.settings import IngestionSettings
from curbside_ingestion.store import METADATA

__all__ = ["METADATA", "build"]


def build(platform: Platform) -> Service:
    database, blobs, ring = platform.database, platform.blobs, platform.ring
    return Service(
        name="ingestion",
        router=routes(
            receive=partial(handlers.receive_reports, database=database, blobs=blobs, ring=ring),
            listed=partial(handlers.list_reports, database=database, ring=ring),
            show=partial(handlers.show_report, database=database, ring=ring),
            ledger=partial(handlers.read_ledger, database=database),
            settings=load(IngestionSettings),
        ),
        subscriptions=subscriptions(partial(handlers.follow_reports, database=database, group=GROUP)),
        checks={"database": database.check, "space": blobs.check_space},
    )
