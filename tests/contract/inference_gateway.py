"""The gateway as a clinician asks it: a real platform between the two peers, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from inference_peers import NAME, FakeEngine, FakeShield

from curbside.contracts.events import Event, new_event
from curbside.contracts.tasks import NOTICE
from curbside.contracts.topics import OPINIONS_GIVEN
from curbside.contracts.v1 import events_pb2
from curbside.identity.principal import Role
from curbside.runtime.host import listen
from curbside.runtime.platform import open_blobs
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform

REPORT = f"FINDINGS: {NAME} has a 5 mm nodule in the left upper lobe. The heart is normal."
SAFE = REPORT.replace(NAME, "[NAME]")
ANSWER = "A 5 mm nodule in the left upper lobe."
ADAPTER = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"weights"}
WAIT = 20  # seconds until a test gives up on something that happens at once


@dataclass
class Gateway:
    """A clinician's view of the gateway, and the peers behind it."""

    opened: TestPlatform
    http: httpx2.AsyncClient
    engine: FakeEngine
    shield: FakeShield

    async def ask(self, task: str = "summarize", report: str | None = REPORT, **body: Any) -> httpx2.Response:
        content = {"task": task, "report": report, **body}
        return await self.http.post("/inference/v1/opinions", json=content)

    async def opinion(self, task: str = "summarize", **body: Any) -> dict[str, Any]:
        response = await self.ask(task, **body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def events(self, **body: Any) -> list[tuple[str, Any]]:
        """A stream's events: name (message where it has none) and data."""
        response = await self.ask(stream=True, **body)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["curbside-notice"] == NOTICE
        events, fields = [], dict[str, str]()
        # As clients do that know more line ends than the standard's: an event must not hold one of those.
        for line in response.text.splitlines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                events.append((fields.get("event", "message"), json.loads(fields["data"])))
                fields = {}
        return events

    async def given(self) -> list[Event]:
        return await self.opened.published(OPINIONS_GIVEN)

    async def learn(
        self, text: str, report_id: str = "r1", subject: str = "patient-1", **payload: Any
    ) -> str:
        """Let a de-identified report be known; its id."""
        ref = await store_blob(self.opened.platform.blobs, Zone.SAFE, text.encode(), subject=subject)
        stored = events_pb2.ReportDeidentified(
            report_id=report_id,
            text=ref.to_message(),
            spans_by_category={"NAME": 2, "DATE": 1},
            policy="p@1",
            **payload,
        )
        await self.opened.deliver(new_event(stored, tenant="default", subject=subject))
        return report_id

    async def displace(self, report_id: str, state: str) -> None:
        payload = events_pb2.ReportDisplaced(report_id=report_id, state=state, displaced_by="r9")
        await self.opened.deliver(new_event(payload, tenant="default", subject="patient-1"))

    async def model(self) -> dict[str, Any]:
        """What the gateway says of the model that answers."""
        response = await self.http.get("/inference/v1/model")
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def promote(self, version: str, archive: bytes, base_model: str = "embedded") -> Event:
        ref = await store_blob(training_blobs(self.opened), Zone.MODELS, archive, subject="platform")
        promoted = events_pb2.ModelPromoted(
            model_version=version, alias="production", base_model=base_model, adapter=ref.to_message()
        )
        event = new_event(promoted, tenant="default")
        await self.opened.deliver(event)
        return event


async def store_blob(blobs: BlobStore, zone: Zone, data: bytes, *, subject: str) -> BlobRef:
    return await blobs.put(zone, data, tenant="default", subject=subject)


def training_blobs(opened: TestPlatform) -> BlobStore:
    return open_blobs(opened.platform.settings, opened.platform.ring, "training")


def adapter_tar(files: Mapping[str, bytes] = ADAPTER) -> bytes:
    """A tar as training writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """`app` on a real socket, so that an asker can leave; its address."""
    listener = listen("127.0.0.1", 0, "port")
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def open_gateway(directory: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """A gateway that takes two questions at once, and whoever may ask it."""
    engine, shield = FakeEngine(), FakeShield()
    async with engine.serve(), shield.serve():
        monkeypatch.setenv("CURBSIDE_INFERENCE__ENGINE_URL", engine.url)
        monkeypatch.setenv("CURBSIDE_INFERENCE__ENGINE_API_KEY", "engine-key")
        monkeypatch.setenv("CURBSIDE_INFERENCE__DEIDENTIFICATION_TARGET", shield.target)
        monkeypatch.setenv("CURBSIDE_INFERENCE__MAX_CONCURRENT", "2")
        async with open_test_platform("inference", directory) as opened:
            token = opened.platform.settings.service_token_path
            token.parent.mkdir(parents=True, exist_ok=True)
            token.write_text("the-service-token\n")
            headers = await opened.headers(Role.CLINICIAN)
            async with (
                serving(opened.app) as url,
                httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=WAIT) as http,
            ):
                yield Gateway(opened, http, engine, shield)
