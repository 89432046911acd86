"""The installation that the demo drives: one that runs already, or one that it starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from curbside.errors import OperatorError
from curbside.runtime.client import Api, NotRunning, connect
from curbside.runtime.reading import progress_bar
from curbside.runtime.supervisor import state_path, supervisor_runs
from curbside.settings import RuntimeSettings, child_environment
from curbside.storage.directories import private_directory

# The first start fetches two model wheels (131 MB) and converts one: 40 s here, minutes on a slow line.
_START_LIMIT: Final = timedelta(minutes=10)


class DidNotStart(OperatorError):
    code = "operator.did-not-start"


class NotOurs(OperatorError):
    code = "operator.not-ours"


class Installation:
    """`curbside up` on a data directory, started where nothing runs there yet; `options` are its own."""

    def __init__(
        self, settings: RuntimeSettings, environment: Mapping[str, str], *, options: Sequence[str] = ()
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self._settings.data

    def start(self) -> Api:
        """A client of the installation, once it is ready. Raises DidNotStart with the reason."""
        spawned = False
        api: Api | None = None
        with progress_bar() as bar:
            task = bar.add_task("starting the services", total=1, note="")
            deadline = time.monotonic() + _START_LIMIT.total_seconds()
            while time.monotonic() < deadline:
                if not self._alive():
                    if spawned:
                        raise DidNotStart(self._last_words())
                    self._spawn()
                    spawned = True
                api = api or self._client()
                report = api.ready() if api is not None else None
                if report is not None and api is not None:
                    results = [r for checks in report["services"].values() for r in checks.values()]
                    waiting = next((r for r in results if r != "ok"), "")
                    bar.update(task, completed=results.count("ok"), total=len(results), note=waiting[:60])
                    if report["ready"]:
                        return api
                time.sleep(0.5)
        raise DidNotStart(
            f"the services were not ready within {_START_LIMIT}: see the logs in {str(self.data / 'logs')!r}."
        )

    def stop(self) -> None:
        """Stop what runs on this data directory, gracefully, and wait for its end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        told: int | None = None
        while name := self._running_supervisor():
            # A supervisor that has only just begun has not written its pid yet.
            pid = self.processes(name).get("supervisor")
            if pid is not None and pid != told:
                told = pid
                self._tell_to_stop(pid)
            time.sleep(0.2)

    def processes(self, supervisor: str = "all") -> dict[str, int]:
        """Pids by name, as that supervisor last wrote them; empty where nothing runs."""
        try:
            found: dict[str, int] = json.loads(state_path(self.data, supervisor).read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _alive(self) -> bool:
        if self._process is not None and self._process.poll() is None:
            return True
        return supervisor_runs(self.data)

    def _running_supervisor(self) -> str | None:
        """That of the services, or, which ends last, of the servers that --full runs for them."""
        return next((name for name in ("all", "servers") if supervisor_runs(self.data, name)), None)

    def _tell_to_stop(self, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass  # it has just ended by itself
        except PermissionError:
            raise NotOurs(
                f"another user's curbside runs on {str(self.data)!r}: stop it as that user, or use --data "
                "with another directory."
            ) from None

    def _client(self) -> Api | None:
        try:
            return connect(self._settings)
        except NotRunning:
            return None

    def _spawn(self) -> None:
        logs = self.data / "logs"
        private_directory(logs)
        with open(logs / "supervisor.log", "wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "curbside", "up", "--data", str(self.data), *self._options],
                env=child_environment(**self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it outlives the demo, unless --exit
            )

    def _last_words(self) -> str:
        lines = (self.data / "logs" / "supervisor.log").read_text(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("curbside: ") if lines else "the supervisor ended"
