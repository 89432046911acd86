"""What the workbench asks of inference over HTTP, with the token of whoever is signed in.

The one place where the workbench reveals what was pasted: in the body that carries it to inference.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from curbside.contracts.tasks import Task
from curbside.errors import CurbsideError, Unavailable
from curbside.phi import PhiText


class Refused(CurbsideError):
    """Inference said no: `status` and the sentence of its problem."""

    code = "workbench.refused"

    def __init__(self, status: int, detail: str, mend: str | None) -> None:
        super().__init__(detail, mend=mend)
        self.http_status = status


class InferenceApi:
    """A client of inference at `url`."""

    def __init__(self, url: str, *, timeout: timedelta) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout.total_seconds()
        self._client: Any = None

    async def model(self, token: str) -> dict[str, Any]:
        """The model that answers now. Raises Refused (401, 403: the token), or Unavailable."""
        import httpx2

        try:
            reply = await self._http().get("/inference/v1/model", headers=_bearer(token), timeout=10)
        except httpx2.TransportError:
            raise self._unreachable() from None
        if reply.status_code != 200:
            raise _refused(reply.status_code, reply.content)
        body: dict[str, Any] = reply.json()
        return body

    async def ask(
        self, token: str, task: Task, report: PhiText, prior: PhiText | None
    ) -> AsyncGenerator[str | dict[str, Any]]:
        """Pieces of the answer, then the whole opinion. Raises Refused or Unavailable, also in between."""
        import httpx2

        body = {"task": task.value, "report": report.reveal(), "stream": True}
        if prior is not None:
            body["prior"] = prior.reveal()
        try:
            async with self._http().stream(
                "POST", "/inference/v1/opinions", json=body, headers=_bearer(token)
            ) as reply:
                if reply.status_code != 200:
                    raise _refused(reply.status_code, await reply.aread())
                event = "message"
                async for line in reply.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name == "event":
                        event = value
                    elif name == "data" and event == "problem":
                        raise _refused(0, value.encode())
                    elif name == "data":
                        data = json.loads(value)
                        yield data if event == "opinion" else str(data["text"])
        except httpx2.TransportError:
            raise self._unreachable() from None

    async def check(self) -> None:
        """Raise Unavailable unless inference's process is alive."""
        import httpx2

        try:
            reply = await self._http().get("/livez", timeout=2)
        except httpx2.TransportError:
            raise self._unreachable() from None
        if reply.status_code != 200:
            raise self._unreachable()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _http(self) -> Any:
        if self._client is None:
            import httpx2

            self._client = httpx2.AsyncClient(
                base_url=self._url,
                timeout=httpx2.Timeout(self._timeout, connect=3),
                limits=httpx2.Limits(max_connections=None),
                trust_env=False,
            )
        return self._client

    def _unreachable(self) -> Unavailable:
        return Unavailable(
            f"inference at {self._url} does not answer",
            mend="Ask your operator to start it (curbside serve inference) or to set "
            "CURBSIDE_WORKBENCH__INFERENCE_URL.",
        )


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _refused(status: int, body: bytes) -> Refused:
    try:
        problem = json.loads(body)
        return Refused(status, str(problem["detail"]), problem.get("mend"))
    except (ValueError, KeyError, TypeError):
        return Refused(status, f"inference answered with status {status}", None)
