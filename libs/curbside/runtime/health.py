"""Health: alive says the process answers; ready says its model is loaded and its bus reachable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from curbside.errors import CurbsideError
from curbside.runtime.services import Check, Service
from curbside.telemetry.metrics import READY

LIVE_PATH: Final = "/livez"
READY_PATH: Final = "/readyz"
METRICS_PATH: Final = "/metrics"
# 3 s: a probe's own timeout in the chart is 5 s, and a check that hangs must not hang the probe.
_CHECK_SECONDS: Final = 3.0


async def readiness(services: Sequence[Service], shared: Mapping[str, Check]) -> dict[str, dict[str, str]]:
    """Each check's result by service, with what all share under "platform": "ok", or the sentence of the
    error it raised.

    All are asked at once, so that the answer takes no longer than one check may; what they say is also the
    gauge `curbside_service_ready`.
    """
    checked = {"platform": shared, **{service.name: service.checks for service in services}}
    asked = {name: checks for name, checks in checked.items() if checks}
    answers = await asyncio.gather(*(_results(checks) for checks in asked.values()))
    results = dict(zip(asked, answers, strict=True))
    for name, checks in results.items():
        READY.labels(service=name).set(all(result == "ok" for result in checks.values()))
    return results


def serving(services: Sequence[Service], results: Mapping[str, Mapping[str, str]]) -> dict[str, bool]:
    """Whether each gRPC service may be called, by its full name; the empty name stands for the whole process
    (gRPC health checking protocol). `results` are those of `readiness`.

    A name depends on its own service and on the platform only: the gateway's shield asks for
    deidentification's, and is itself a part of the whole.
    """
    ready = {name: all(result == "ok" for result in checks.values()) for name, checks in results.items()}
    return {"": all(ready.values())} | {
        method.split("/")[1]: ready.get("platform", True) and ready.get(service.name, True)
        for service in services
        for binding in service.grpc
        for method in binding.scopes
    }


async def _results(checks: Mapping[str, Check]) -> dict[str, str]:
    results = await asyncio.gather(*(_result(check) for check in checks.values()))
    return dict(zip(checks, results, strict=True))


async def _result(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), _CHECK_SECONDS)
    except CurbsideError as error:
        return error.message
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:g} s"
    except Exception as error:
        return type(error).__name__  # its message may quote its input
    return "ok"


def routes(services: Sequence[Service], shared: Mapping[str, Check]) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get(LIVE_PATH, response_class=PlainTextResponse)
    async def live() -> PlainTextResponse:
        return PlainTextResponse("alive\n")

    @router.get(READY_PATH, responses={503: {"description": "A check does not hold; it is named."}})
    async def ready() -> JSONResponse:
        results: dict[str, dict[str, str]] = await readiness(services, shared)
        whole = all(result == "ok" for checks in results.values() for result in checks.values())
        body: dict[str, Any] = {"ready": whole, "services": results}
        return JSONResponse(body, status_code=200 if whole else 503)

    @router.get(METRICS_PATH, response_class=PlainTextResponse)
    async def metrics() -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        # Where nobody asks for readiness, as on one machine, the gauge would stand for ever where it began.
        await readiness(services, shared)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
