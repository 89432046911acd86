"""What tests of datasets share: reports as deidentification would hand them on, and builds of them."""

from __future__ import annotations

import asyncio

import httpx2

from curbside.contracts.events import Event, new_event
from curbside.contracts.v1 import events_pb2
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform
from curbside.testing.reports import GeneratedReport, generate_patients
from curbside_datasets import store

REPORTS = list(generate_patients(seed=5, patients=12, reports_per_patient=2))


async def deidentified(opened: TestPlatform, report: GeneratedReport, **changes: object) -> Event:
    """The event that deidentification would publish, its safe text in the zone."""
    text = report.text
    for span in reversed(report.spans):
        text = f"{text[: span.start]}[{span.category}]{text[span.end :]}"
    blob = await opened.platform.blobs.put(
        Zone.SAFE, text.encode(), tenant="default", subject=report.patient_id
    )
    fields = {
        "report_id": report.external_id,
        "text": blob.to_message(),
        "report_type": report.type.value,
        "source": report.source,
        "status": events_pb2.REPORT_STATUS_FINAL,
        "authored_at": report.authored_at.isoformat(),
        "policy": "safe-harbor:abc",
    }
    payload = events_pb2.ReportDeidentified(**{**fields, **changes})
    return new_event(payload, tenant="default", subject=report.patient_id)


async def ids_of(opened: TestPlatform) -> dict[str, str]:
    """The id of each report by the code that versions call it by."""
    async with opened.platform.database.read() as session:
        stored = await store.all_reports(session, "default", opened.platform.ring)
        return {one.code: one.report_id for one in stored}


def displaced(report: GeneratedReport, state: str) -> Event:
    """The event that ingestion would publish of an amended or retracted report."""
    payload = events_pb2.ReportDisplaced(report_id=report.external_id, state=state, displaced_by="another")
    return new_event(payload, tenant="default", subject=report.patient_id)


async def learn(opened: TestPlatform, reports: list[GeneratedReport]) -> None:
    for report in reports:
        await opened.deliver(await deidentified(opened, report))


async def built(
    opened: TestPlatform, client: httpx2.AsyncClient, recipe: dict[str, object]
) -> dict[str, object]:
    answer = await client.post("/datasets/v1/builds", json={"name": "test", "recipe": recipe})
    assert answer.status_code == 202
    build_id = answer.json()["build_id"]
    building = asyncio.create_task(opened.service.tasks[0]())
    while (build := (await client.get(f"/datasets/v1/builds/{build_id}")).json())["state"] in (
        "queued",
        "building",
    ):
        await asyncio.sleep(0.01)
    building.cancel()
    await asyncio.gather(building, return_exceptions=True)
    return dict(build)
