"""What ingestion answers to requests that nobody would send: never a crash, and nothing undocumented.

Half of the cases are made of /openapi.json by schemathesis, for every operation, with data that fit its
schema and data that do not; the others are ours: JSON with members twice and halves of surrogates, forms
without ends, headers that contradict their bodies, real documents of ../shared/data damaged, FHIR resources
with their parts exchanged, HL7 messages in pieces. They go over real connections to the process that a pod
runs, on the embedded halves. A refusal must be a problem that names a field and quotes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from curbside.identity.principal import Role
from curbside.runtime.platform import key_ring, open_tokens
from curbside.settings import RuntimeSettings
from curbside.testing.figures import Figure, add_json_option, report
from curbside.testing.fuzzing.running import Fuzzing, Outcome
from curbside.testing.servers.process import free_ports, listens, start_child, terminate, wait_until

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
_DEADLINE: Final = 20.0  # seconds: the longest that was seen, with both cores busy, took 4


async def _token(settings: RuntimeSettings) -> str:
    tokens, identity = await asyncio.to_thread(open_tokens, settings, key_ring(settings))
    try:
        return await tokens.issue("fuzz", [Role.ADMINISTRATOR], tenant="default", actor="fuzz")
    finally:
        await identity.close()


def fuzz(scratch: Path, cases: int, number: int, console: Console) -> Outcome:
    """`cases` against ingestion in a process of its own."""
    http, grpc = free_ports(2)
    settings = RuntimeSettings(data_dir=scratch / "data", http_port=http, grpc_port=grpc)
    token = asyncio.run(_token(settings))
    environment = {
        "CURBSIDE_RUNTIME__DATA_DIR": str(settings.data),
        "CURBSIDE_RUNTIME__HTTP_PORT": str(http),
        "CURBSIDE_RUNTIME__GRPC_PORT": str(grpc),
        "CURBSIDE_RUNTIME__LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "curbside", "serve", "--here", "ingestion"]
    log = scratch / "log"
    process = start_child(command, log=log, environment={**os.environ, **environment})
    try:
        wait_until(lambda: listens(http), process, "ingestion", log=log)

        def progress(outcome: Outcome) -> None:
            console.print(f"{outcome.cases:,} cases, slowest {outcome.slowest:.1f} s")

        fuzzing = Fuzzing(settings.http_url, token, SHARED, deadline=_DEADLINE, number=number)
        return fuzzing.run(cases, progress=progress)
    finally:
        terminate(process)


def figures_of(outcome: Outcome, wanted: int) -> list[Figure]:
    none = "none"
    counted = {
        "server_errors": outcome.count("server error", "server_error", "Server error"),
        "hangs": outcome.count("hang"),
        "tracebacks": outcome.count("traceback"),
        "complaints": outcome.complaints.total(),
    }
    statuses = {"statuses": dict(sorted(outcome.statuses.items())), "cut": outcome.cut}
    return [
        Figure("cases", outcome.cases, "requests", "", least=wanted, digits=0, more=statuses),
        *(Figure(name, value, "answers", none, most=0, digits=0) for name, value in counted.items()),
        Figure("slowest_s", outcome.slowest, "s", "the deadline", most=_DEADLINE, digits=2),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1,000 cases instead of 10,000")
    parser.add_argument("--seed", type=int, default=5)
    add_json_option(parser)
    arguments = parser.parse_args()
    wanted = 1_000 if arguments.quick else 10_000
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as scratch:
        outcome = fuzz(Path(scratch), wanted, arguments.seed, console)
    for said, times in outcome.complaints.most_common():
        console.print(f"{times} x {said}", markup=False)
        for case in outcome.shown[said]:
            console.print(f"    {case}", markup=False)
    return report(figures_of(outcome, wanted), console, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
