"""How many reports ingestion acknowledges a second, beside a bare endpoint that only writes them down.

Reports of 3 KB come over HTTP from 32 clients that each wait for their answer, one by one and in batches of
a hundred. The peer, in the same run on the same disk and with the same HTTP server, is a FastAPI endpoint
that writes each body to a file of its own and fsyncs it: no rights, no encryption, no record, no event.
Ingestion is the process that a pod runs, with its relay and its audit chain, on the embedded halves.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError

from rich.console import Console

from curbside.identity.principal import Role
from curbside.runtime.platform import key_ring, open_tokens
from curbside.settings import RuntimeSettings
from curbside.testing.closed_loop import Load, send_all
from curbside.testing.figures import Figure, add_json_option, report
from curbside.testing.servers.process import free_ports, start_child, terminate, wait_until

_CLIENTS: Final = 32
_BATCH: Final = 100
_CHARACTERS: Final = 2_800  # with its ids and quotes a body has 3 KB
_OF_A_PATIENT: Final = 5  # reports
_WARM: Final = 640  # reports before the first measurement: imports, caches, connections
_ROUNDS: Final = 3
_PEER: Final = """
import os, secrets, sys
from pathlib import Path
import uvicorn
from fastapi import FastAPI, Request
app, where = FastAPI(), Path(sys.argv[2])
@app.post("/reports", status_code=202)
async def take(request: Request) -> dict[str, str]:
    body, name = await request.body(), secrets.token_hex(16)
    with open(where / name, "xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    return {"report_id": name}
@app.get("/livez")
async def live() -> None: ...
uvicorn.run(app, port=int(sys.argv[1]), log_config=None, server_header=False)
"""
_WORDS: Final = tuple(
    b"patient reports stable pain left knee lungs clear effusion regular weeks lisinopril daily without "
    b"change findings unchanged prior follow up heart rate".decode().split()
)


@dataclass(frozen=True)
class Round:
    """Reports a second of the peer and of ours, and the RSS that ours grew by (MB)."""

    bare: float
    single: Load
    singles: float
    batched: float


def write_reports(rng: random.Random, count: int, prefix: str) -> list[bytes]:
    reports = []
    for number in range(count):
        text = " ".join(rng.choices(_WORDS, k=_CHARACTERS // 6))[:_CHARACTERS]
        body = {
            "text": text,
            "external_id": f"{prefix}-{number}",
            "patient_id": f"MRN-{prefix}-{number // _OF_A_PATIENT}",
            "type": "clinic",
            "authored_at": "2026-03-01T14:05:00+01:00",
            "source": "bench",
        }
        reports.append(json.dumps(body).encode())
    return reports


@contextmanager
def served(command: Sequence[str], environment: dict[str, str], url: str, log: Path) -> Iterator[int]:
    """The process of `command` while it answers at `url`; yields its id."""
    import os

    process = start_child(command, log=log, environment={**os.environ, **environment})
    try:
        wait_until(lambda: _answers(url), process, command[-1], log=log)
        yield process.pid
    finally:
        terminate(process)


def _answers(url: str) -> bool:
    with suppress(URLError, OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return bool(answer.status == 200)
    return False


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1_000 for line in lines if line.startswith("VmRSS"))


async def _token(settings: RuntimeSettings) -> str:
    tokens, identity = await asyncio.to_thread(open_tokens, settings, key_ring(settings))
    try:
        return await tokens.issue("bench", [Role.ADMINISTRATOR], tenant="default", actor="bench")
    finally:
        await identity.close()


def batches_of(reports: Sequence[bytes]) -> list[bytes]:
    return [b"\n".join(reports[start : start + _BATCH]) for start in range(0, len(reports), _BATCH)]


def checked(load: Load, expected: int) -> Load:
    if load.statuses != {202: expected}:
        raise SystemExit(f"not every request was acknowledged: {dict(load.statuses)}")
    return load


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="3,000 reports instead of 20,000")
    parser.add_argument("--seed", type=int, default=5)
    add_json_option(parser)
    arguments = parser.parse_args()
    each = (3_000 if arguments.quick else 20_000) // _ROUNDS // _BATCH * _BATCH
    rng = random.Random(arguments.seed)  # noqa: S311
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(Path(scratch), rng, each, console)
    return report(figures, console, arguments.json)


def measure(scratch: Path, rng: random.Random, each: int, console: Console) -> list[Figure]:
    http, grpc, bare_port = free_ports(3)
    settings = RuntimeSettings(data_dir=scratch / "data", http_port=http, grpc_port=grpc)
    token = asyncio.run(_token(settings))
    environment = {
        "CURBSIDE_RUNTIME__DATA_DIR": str(settings.data),
        "CURBSIDE_RUNTIME__HTTP_PORT": str(http),
        "CURBSIDE_RUNTIME__GRPC_PORT": str(grpc),
        "CURBSIDE_RUNTIME__LOG_LEVEL": "WARNING",
    }
    headers = {"authorization": f"Bearer {token}"}
    one = {**headers, "content-type": "application/json"}
    many = {**headers, "content-type": "application/x-ndjson"}
    ours = [str(Path(sys.executable).with_name("curbside")), "serve", "--here", "ingestion"]
    bodies = scratch / "bodies"
    bodies.mkdir()
    peer = [sys.executable, "-c", _PEER, str(bare_port), str(bodies)]
    url, bare_url = settings.http_url, f"http://127.0.0.1:{bare_port}"
    in_batches = f"{url}/ingestion/v1/reports:batch"
    with (
        served(peer, {}, f"{bare_url}/livez", scratch / "peer.log"),
        served(ours, environment, f"{url}/livez", scratch / "ours.log") as pid,
    ):
        warm = write_reports(rng, 2 * _WARM, "warm")
        send_all(f"{bare_url}/reports", warm[:_WARM], clients=_CLIENTS, headers=one)
        send_all(f"{url}/ingestion/v1/reports", warm[:_WARM], clients=_CLIENTS, headers=one)
        send_all(in_batches, batches_of(warm[_WARM:]), clients=_CLIENTS, headers=many)
        before = rss_mb(pid)
        rounds = []
        for number in range(_ROUNDS):
            # Turn about, so that a machine that slows down slows all three.
            reports = write_reports(rng, 2 * each, f"r{number}")
            bare = checked(
                send_all(f"{bare_url}/reports", reports[:each], clients=_CLIENTS, headers=one), each
            )
            single = checked(
                send_all(f"{url}/ingestion/v1/reports", reports[:each], clients=_CLIENTS, headers=one), each
            )
            batches = batches_of(reports[each:])
            batched = checked(
                send_all(in_batches, batches, clients=_CLIENTS, headers=many),
                len(batches),
            )
            rounds.append(Round(each / bare.seconds, single, each / single.seconds, each / batched.seconds))
            last = rounds[-1]
            console.print(
                f"round {number + 1}: bare {last.bare:,.0f}/s, single {last.singles:,.0f}/s, "
                f"in hundreds {last.batched:,.0f}/s"
            )
            time.sleep(1)
        growth = rss_mb(pid) - before
    # The median round, whole: a ratio beside the rates of another round would not be theirs.
    middle = len(rounds) // 2
    by_single = sorted(rounds, key=lambda r: r.singles / r.bare)[middle]
    by_batch = sorted(rounds, key=lambda r: r.batched / r.bare)[middle]
    bare_peer = "a FastAPI endpoint that fsyncs each body"
    return [
        Figure("single_vs_fsync", by_single.singles / by_single.bare, "ratio", bare_peer, least=0.5),
        Figure("batch100_vs_fsync", by_batch.batched / by_batch.bare, "ratio", bare_peer, least=5),
        Figure("rss_growth_mb", growth, "MB", "the limit", most=50, digits=1),
        Figure("p99_ms", by_single.single.percentile(0.99) * 1_000, "ms", "", digits=1),
    ]


if __name__ == "__main__":
    sys.exit(main())
