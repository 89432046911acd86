"""Ingestion's commands: receive reports, follow what becomes of them, show them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter as Counted
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from prometheus_client import Counter

from curbside.contracts.events import Event
from curbside.errors import Unavailable
from curbside.identity.principal import Principal
from curbside.phi import PhiText
from curbside.storage.database import Database
from curbside.storage.keys import KeyRing
from curbside_ingestion import store
from curbside_ingestion.arriving import Arrival, arrive
from curbside_ingestion.domain.problems import UnknownReport
from curbside_ingestion.domain.rows import GoodRow
from curbside_ingestion.domain.states import ReportState, may_become
from curbside_ingestion.receiving import Accepted, Refused
from curbside_ingestion.sealing import AUTHORED_AT, EXTERNAL_ID, opened

log = logging.getLogger(__name__)

TakeIn = Callable[[Sequence[Arrival]], Awaitable[Sequence[Accepted | Refused]]]


class Receive(Protocol):
    def __call__(
        self, rows: Sequence[GoodRow], media_type: str, principal: Principal
    ) -> Awaitable[list[Accepted | Refused]]: ...


RECEIVED = Counter(
    "curbside_ingestion_received_reports",
    "Reports that came in, by outcome: accepted, or the code of the problem.",
    ["outcome"],
)
# As long as others may want to write, and as large as still fits a second or two of this machine.
GROUP_SIZE: Final = 200


@dataclass(frozen=True, slots=True)
class ShownReport:
    report: store.StoredReport
    external_id: PhiText | None
    authored_at: PhiText | None
    history: Sequence[store.Moment] = ()


@dataclass(frozen=True, slots=True)
class ReportLedger:
    received: int
    states: dict[ReportState, int]
    whole: bool


@dataclass(frozen=True, slots=True)
class Move:
    """Where `event` says that a report is now."""

    event: Event
    report_id: str
    state: ReportState
    reason: str


async def receive_reports(
    rows: Sequence[GoodRow],
    media_type: str,
    principal: Principal,
    *,
    take_in: TakeIn,
    ring: KeyRing,
    documents: asyncio.Event,
) -> list[Accepted | Refused]:
    """Take in `rows`; what comes back as Accepted is durable with its record, audit and event.

    When storage gives out midway, or too much waits for it, the rows that were not taken in come back as
    Refused. `documents` is set where one of them waits for its text to be extracted.
    """
    outcomes: list[Accepted | Refused] = []
    for start in range(0, len(rows), GROUP_SIZE):
        arrivals = [arrive(row, media_type, principal, ring) for row in rows[start : start + GROUP_SIZE]]
        try:
            outcomes += await take_in(arrivals)
        except Unavailable as problem:
            outcomes += [Refused(row.row, problem) for row in rows[start:]]
            break
    if any(row.waits_as is not None for row in rows):
        documents.set()
    became = Counted("accepted" if isinstance(one, Accepted) else one.problem.code for one in outcomes)
    for outcome, count in became.items():
        RECEIVED.labels(outcome=outcome).inc(count)
    return outcomes


async def receive_together(
    rows: Sequence[GoodRow], media_type: str, principal: Principal, *, take_in: TakeIn, ring: KeyRing
) -> list[Accepted | Refused]:
    """Take in all of `rows` in one transaction of the database, or none.

    A copy of what is there already does not stand in the way. Of none, each comes back as Refused: by its own
    problem, or as WithheldReport. Raises Unavailable having taken in none.
    """
    unit = secrets.token_hex(8)
    arrivals = [replace(arrive(row, media_type, principal, ring), unit=unit) for row in rows]
    outcomes = [*await take_in(arrivals)] if arrivals else []
    for outcome in outcomes:
        RECEIVED.labels(outcome="accepted" if isinstance(outcome, Accepted) else outcome.problem.code).inc()
    return outcomes


async def follow_reports(moves: Sequence[Move], *, database: Database, group: str) -> None:
    """Put reports where events say they are, one after another, unless they are beyond that already.

    All or none: of several, an event that speaks of an unknown report (UnknownReport) stops the others too.
    """
    async with database.begin(*(move.report_id for move in moves)) as transaction:
        fresh = {event.event_id for event in await transaction.first_times([m.event for m in moves], group)}
        once = {move.event.event_id: move for move in moves if move.event.event_id in fresh}
        states = await store.states_of(transaction.session, {move.report_id for move in once.values()})
        moved: list[Move] = []
        for move in once.values():
            report = move.event.tenant, move.report_id
            if report not in states:
                raise UnknownReport(
                    f"an event speaks of the report {move.report_id!r}, which was never received here",
                    mend="Check that both services belong to one installation.",
                )
            if may_become(states[report], move.state):
                states[report] = move.state
                moved.append(move)
            else:
                late = {"report": move.report_id, "state": states[report], "event": move.event.type}
                log.info("late event", extra=late)
        await store.move_all(
            transaction,
            [store.Step(m.report_id, m.state, m.event.occurred_at, m.reason[:128]) for m in moved],
        )


async def list_reports(
    principal: Principal,
    *,
    state: ReportState | None,
    after: str | None,
    limit: int,
    database: Database,
    ring: KeyRing,
) -> list[ShownReport]:
    """A page of reports; who read their external ids and times is audited."""
    async with database.begin(principal.id) as transaction:
        found = await store.find_reports(
            transaction.session, principal.tenant, state=state, after=after, limit=limit
        )
        await transaction.record(
            actor=principal.id,
            tenant=principal.tenant,
            action="report.listed",
            target=found[0].report_id if found else "none",
            details={"count": len(found)},
        )
    return [_shown(report, ring) for report in found]


async def show_report(
    report_id: str, principal: Principal, *, database: Database, ring: KeyRing
) -> ShownReport:
    """One report with its history; who read its external id and time is audited."""
    async with database.begin(principal.id) as transaction:
        found = await store.find_reports(transaction.session, principal.tenant, report_id=report_id, limit=1)
        if not found:
            raise UnknownReport("there is no such report", field="report_id", mend="Check its id.")
        history = await store.history_of(transaction.session, report_id)
        await transaction.record(
            actor=principal.id, tenant=principal.tenant, action="report.read", target=report_id
        )
    return _shown(found[0], ring, history)


async def read_ledger(principal: Principal, *, database: Database) -> ReportLedger:
    async with database.read() as session:
        received = await store.count_receipts(session, principal.tenant)
        missing = await store.count_receipts_without_report(session, principal.tenant)
        states = await store.count_states(session, principal.tenant)
    return ReportLedger(received, states, whole=not missing and received == sum(states.values()))


def _shown(report: store.StoredReport, ring: KeyRing, history: Sequence[store.Moment] = ()) -> ShownReport:
    of_report = report.tenant, report.report_id, ring
    return ShownReport(
        report,
        opened(EXTERNAL_ID, report.external_id, *of_report),
        opened(AUTHORED_AT, report.authored_at, *of_report),
        history,
    )
