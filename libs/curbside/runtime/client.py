"""The command's client of the HTTP API: problems come back as the errors they were."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from curbside.errors import CurbsideError, OperatorError, Unavailable
from curbside.runtime.kinds import Kind, kind_of, start_command
from curbside.settings import RuntimeSettings

if TYPE_CHECKING:
    import httpx2

# In <data>/run: where each service answers, while they run apart.
ADDRESSES: Final = "addresses.json"
# As the gateway gives an engine (CURBSIDE_INFERENCE__ENGINE_TIMEOUT), and what the shield may take before.
_PATIENCE_SECONDS: Final = 240
# A server that is restarted answers within seconds.
_OUTAGE: Final = timedelta(minutes=1)
_AGAIN_SECONDS: Final = 0.5
AnswerT = TypeVar("AnswerT")

_PASSING: Final = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)


class ApiProblem(CurbsideError):
    """A problem+json answer. `body` is the whole object."""

    code = "api.problem"

    def __init__(self, body: Mapping[str, Any]) -> None:
        detail = str(body.get("detail") or body.get("title") or "the request was refused")
        super().__init__(detail, field=body.get("field"), mend=body.get("mend"))
        self.body = body


class NotRunning(OperatorError):
    code = "operator.not-running"


class Api:
    """A blocking client of one installation, with a bearer token.

    Where its services run apart, `services` gives each one's URL by name, and `base_url` is the workbench's.
    `start` is the command that starts it, for whoever finds that nothing answers.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        services: Mapping[str, str] | None = None,
        *,
        start: str = "curbside up",
    ) -> None:
        import httpx2

        self._start = start
        self.base_url = base_url
        self.services = services or {}
        self._client = httpx2.Client(
            base_url=base_url,
            headers={"authorization": f"Bearer {token}"},
            timeout=_PATIENCE_SECONDS,
            trust_env=False,
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.request("GET", path, params={k: v for k, v in query.items() if v is not None})

    def poll(self, path: str, **query: Any) -> Any:
        """As `get`, for whoever waits for something: what does not answer for a while is waited for too."""
        return patiently(lambda: self.get(path, **query))

    def post(self, path: str, body: Any = None) -> Any:
        return self.request("POST", path, json=body)

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The decoded JSON answer. Raises ApiProblem, or Unavailable where nothing answers."""
        return self.exchange(method, path, **options).json()

    def exchange(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer, where that is its headers. Raises as `request`."""
        import httpx2

        try:
            response = self._client.request(method, self._url(path), **options)
        except httpx2.ReadTimeout as error:
            raise Unavailable(
                f"{self.base_url} took longer than {_PATIENCE_SECONDS} s to answer",
                mend="Try again: a training run may be using this machine's cores (curbside runs).",
            ) from error
        except httpx2.TransportError as error:
            raise Unavailable(
                f"nothing answers at {self.base_url} ({type(error).__name__})",
                mend=f"Start it with `{self._start}`.",
            ) from error
        if response.is_success:
            return response
        try:
            body = response.json()
        except ValueError:
            body = {"detail": f"{self.base_url} answered {response.status_code}"}
        raise ApiProblem({"status": response.status_code, **body})

    def ready(self) -> dict[str, Any] | None:
        """The readiness report, of all services in one, or None where one does not answer."""
        ready = True
        services: dict[str, Any] = {}
        for url in dict.fromkeys((*self.services.values(), self.base_url)):
            report = self._ready(url)
            if report is None:
                return None
            ready = ready and report["ready"]
            # Each process has checks of its platform: those of one would hide those of another.
            services |= {
                f"{url} {name}" if self.services else name: checks
                for name, checks in report["services"].items()
            }
        return {"ready": ready, "services": services}

    def _ready(self, url: str) -> dict[str, Any] | None:
        import httpx2

        try:
            response = self._client.get(f"{url}/readyz", timeout=5)
        except httpx2.TransportError:
            return None
        try:
            body: dict[str, Any] = response.json()
        except ValueError:
            return None
        return body

    def _url(self, path: str) -> str:
        return self.services.get(path.lstrip("/").partition("/")[0], self.base_url) + path

    def close(self) -> None:
        self._client.close()


def may_pass(error: CurbsideError) -> bool:
    """Whether nothing answers, or a service says that it is busy, or that something it needs is away."""
    said = error.body["status"] if isinstance(error, ApiProblem) else None
    return isinstance(error, Unavailable) or said in _PASSING


def patiently(ask: Callable[[], AnswerT], patience: timedelta = _OUTAGE) -> AnswerT:
    """What `ask` returns, asked again while it fails by what `may_pass`, for as long as `patience`."""
    give_up_at: float | None = None
    while True:
        try:
            return ask()
        except CurbsideError as error:
            now = time.monotonic()
            give_up_at = give_up_at or now + patience.total_seconds()
            if not may_pass(error) or now >= give_up_at:
                raise
        time.sleep(_AGAIN_SECONDS)


def connect(settings: RuntimeSettings, *, url: str | None = None, token_file: Path | None = None) -> Api:
    """A client of the installation on this machine, or of the one at `url`."""
    path = token_file or settings.data / "run" / "admin-token"
    start = start_command(settings.data)
    try:
        token = path.expanduser().read_text().strip()
    except OSError:
        raise NotRunning(
            f"there is no token at {str(path)!r}: start Curbside with `{start}`, "
            f"or name a token file with --token-file."
        ) from None
    apart = _addresses(settings) if url is None else {}
    if url is None and not apart and kind_of(settings.data) is Kind.FULL:
        # At the address that `curbside up` would have, another installation may answer.
        raise NotRunning(f"the services of {str(settings.data)!r} do not run: start them with `{start}`.")
    return Api(url or apart.get("workbench", settings.http_url), token, apart, start=start)


def _addresses(settings: RuntimeSettings) -> dict[str, str]:
    """Where each service answers, where `curbside up --full` runs them apart; else nothing."""
    try:
        addresses: dict[str, str] = json.loads((settings.data / "run" / ADDRESSES).read_text())
    except (OSError, ValueError):
        return {}
    return addresses
