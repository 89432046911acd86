"""What datasets does with a patient's word."""

from __future__ import annotations

from curbside.contracts.events import Event
from curbside.contracts.v1 import events_pb2
from curbside.storage.database import Database
from curbside_datasets.consents import store
from curbside_datasets.consents.earlier import period_of
from curbside_datasets.domain.consents import decision_of


async def hear_consent(event: Event, *, database: Database, group: str) -> None:
    """Keep what a patient permits or denies: every later build asks who is barred at its moment."""
    payload = event.payload
    assert isinstance(payload, events_pb2.ConsentChanged)
    change = store.Change(
        tenant=event.tenant,
        consent_id=payload.consent_id,
        subject=event.subject,
        sequence=payload.sequence,
        scope=payload.scope,
        decision=decision_of(payload.decision),
        period=period_of(payload, tenant=event.tenant, ring=database.ring),
    )
    async with database.begin(f"consents of {event.tenant} {event.subject}") as transaction:
        if await transaction.first_time(event, group):
            await store.put_consent(transaction.session, change)
