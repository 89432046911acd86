"""`kill -9` of each process at random moments during ingestion: nothing acknowledged is lost, nothing is
done twice.

The seed of the moments is printed.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from curbside.demo.installation import Installation
from curbside.demo.ledger import Ledger, read_ledger
from curbside.errors import CurbsideError, Unavailable
from curbside.runtime.client import Api, ApiProblem
from curbside.testing.installation import tiny_installation
from curbside.testing.reports import GeneratedReport, generate_patients

REPORTS = list(generate_patients(seed=11, patients=60, reports_per_patient=3))
KILLS_OF_EACH = 2
CHILDREN = ("web", "worker-0", "engine", "driver")


class Poster:
    """Posts every report until it is acknowledged, whatever dies meanwhile."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.acknowledged: dict[str, str] = {}  # report id by external id
        self.answers: Counter[int] = Counter()
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            for report in REPORTS:
                self._post_until_acknowledged(report)
        except BaseException as error:
            self.failure = error

    def _post_until_acknowledged(self, report: GeneratedReport) -> None:
        body = {
            "text": report.text,
            "external_id": report.external_id,
            "patient_id": report.patient_id,
            "type": report.type.value,
            "authored_at": report.authored_at.isoformat(),
            "source": "chaos",
        }
        while True:
            try:
                answer = self.api.post("/ingestion/v1/reports", body)
            except Unavailable:
                time.sleep(0.05)  # the web process is down: the client tries again, as clients do
                continue
            except ApiProblem as problem:
                self.answers[problem.body["status"]] += 1
                if problem.body["status"] == 409:
                    # A kill cut off the answer to an earlier try: the report is there all the same.
                    self.acknowledged[report.external_id] = problem.body["report_id"]
                    return
                if problem.body["status"] < 500:
                    raise
                time.sleep(0.05)
                continue
            self.answers[202] += 1
            self.acknowledged[report.external_id] = answer["report_id"]
            return


def kill(installation: Installation, name: str) -> bool:
    pid = installation.processes().get(name)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def settled(api: Api, seconds: float) -> Ledger:
    """The ledger once nothing is pending and datasets has seen all."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            ledger = read_ledger(api)
            if ledger.pending == 0 and ledger.mined >= ledger.usable and ledger.received >= len(REPORTS):
                return ledger
        except CurbsideError:
            pass  # still restarting
        assert time.monotonic() < deadline, "the ledger did not settle"
        time.sleep(0.2)


@pytest.mark.timeout(900)
def test_no_acknowledged_report_is_missing_and_none_is_twice(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    installation, _ = tiny_installation(tmp_path)
    poster = Poster(installation.start())
    try:
        poster.thread.start()
        plan = [name for name in CHILDREN for _ in range(KILLS_OF_EACH)] + ["supervisor"]
        rng.shuffle(plan)
        for name in plan:
            time.sleep(rng.uniform(0.5, 4.0))
            if name == "supervisor":
                # Everything dies with it; a new `curbside up` takes the data directory over.
                assert kill(installation, name)
                installation.start()
            else:
                kill(installation, name)
        poster.thread.join(300)
        assert not poster.thread.is_alive(), f"only {len(poster.acknowledged)} were acknowledged"
        assert poster.failure is None
        ledger = settled(installation.start(), 180)
        first = poster.api.get("/ingestion/v1/reports", limit=200)["reports"]
    finally:
        installation.stop()

    assert len(poster.acknowledged) == len(REPORTS) == len(set(poster.acknowledged.values()))
    assert ledger.received == len(REPORTS), "each report was received once"
    assert sum(ledger.states.values()) == len(REPORTS), "each report is in exactly one state"
    assert ledger.mined == ledger.usable, "datasets saw each usable report once"
    assert {report["report_id"] for report in first} <= set(poster.acknowledged.values())
