"""Keep posting reports for a while, and watch memory, the dead letters and the ledger.

`make soak ARGS=--minutes=60`. Every minute prints one line; it ends with status 1 where the ledger does not
add up, where anything became a dead letter, or where the web process grew by more than a half after its
first minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from curbside.contracts.topics import TOPICS
from curbside.demo.installation import Installation
from curbside.demo.ledger import Ledger, read_ledger
from curbside.runtime.client import Api
from curbside.runtime.platform import open_bus
from curbside.settings import RuntimeSettings
from curbside.testing.installation import tiny_installation
from curbside.testing.reports import generate_patients

console = Console()
WARM_UP_MINUTES = 2


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def dead_letters(data: Path) -> int:
    async def count() -> int:
        bus = open_bus(RuntimeSettings(data_dir=data))
        total = sum([await bus.dead_letters(topic) for topic in TOPICS])
        await bus.close()
        return total

    return asyncio.run(count())


def settle(api: Api) -> Ledger:
    while (ledger := read_ledger(api)).pending or ledger.mined < ledger.usable:
        time.sleep(0.5)
    return ledger


def soak(installation: Installation, minutes: float) -> bool:
    api = installation.start()
    started, posted, marks = time.monotonic(), 0, []
    for report in generate_patients(seed=int(started), patients=10_000_000, source="soak"):
        elapsed = time.monotonic() - started
        if elapsed > 60 * len(marks):
            marks.append(resident_bytes(installation.processes()["web"]))
            console.print(f"{elapsed / 60:5.1f} min  {posted} posted  web {marks[-1] / 1e6:.0f} MB")
        if elapsed > 60 * minutes:
            break
        api.post(
            "/ingestion/v1/reports",
            {"text": report.text, "external_id": report.external_id, "patient_id": report.patient_id},
        )
        posted += 1
    ledger = settle(api)
    dead = dead_letters(installation.data)
    early = marks[min(WARM_UP_MINUTES, len(marks) - 1)]
    grown = marks[-1] / early
    console.print(f"received {ledger.received} of {posted}; dead letters {dead}; web grew {grown:.2f} times")
    return ledger.received == posted == sum(ledger.states.values()) and not dead and grown <= 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="curbside-soak-") as scratch:
        installation, _ = tiny_installation(Path(scratch))
        try:
            return 0 if soak(installation, arguments.minutes) else 1
        finally:
            installation.stop()


if __name__ == "__main__":
    sys.exit(main())
