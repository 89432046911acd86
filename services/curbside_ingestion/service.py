"""Ingestion, wired."""

from __future__ import annotations

from functools import partial

from curbside.runtime.services import Platform, Service
from curbside.settings import load
from curbside_ingestion import handlers, receiving
from curbside_ingestion.consumer import GROUP, subscriptions
from curbside_ingestion.group_commit import GroupCommit
from curbside_ingestion.http import routes
from curbside_ingestion.settings import IngestionSettings
from curbside_ingestion.store import METADATA

__all__ = ["METADATA", "build"]


def build(platform: Platform) -> Service:
    database, blobs, ring = platform.database, platform.blobs, platform.ring
    settings = load(IngestionSettings)
    take_in = GroupCommit(
        partial(receiving.take_in, database=database, blobs=blobs, ring=ring),
        group_size=handlers.GROUP_SIZE,
        queue_size=settings.max_waiting_reports,
    )
    return Service(
        name="ingestion",
        router=routes(
            receive=partial(handlers.receive_reports, take_in=take_in, ring=ring),
            listed=partial(handlers.list_reports, database=database, ring=ring),
            show=partial(handlers.show_report, database=database, ring=ring),
            ledger=partial(handlers.read_ledger, database=database),
            settings=settings,
        ),
        subscriptions=subscriptions(partial(handlers.follow_reports, database=database, group=GROUP)),
        checks={"database": database.check, "space": blobs.check_space},
    )
