"""Clients that each send their next request when the last is answered, from a process of their own.

They write prepared bytes and read the status line and the body's length, so that what is measured is the
server: a full HTTP client would take more of the machine than it does.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_LENGTH: Final = b"content-length:"


@dataclass(frozen=True)
class Load:
    """What came of it: how long all took, how long each waited (seconds), and the statuses answered."""

    seconds: float
    waits: Sequence[float]
    statuses: Mapping[int, int]

    def percentile(self, share: float) -> float:
        """The wait, in seconds, that `share` of the requests did not exceed."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(share * len(self.waits)))]


def send_all(url: str, bodies: Sequence[bytes], *, clients: int, headers: Mapping[str, str]) -> Load:
    """POST every one of `bodies` to `url`, by `clients` at once, from a child process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(url, bodies, clients, dict(headers), sender), daemon=True)
    child.start()
    sender.close()
    try:
        load: Load = receiver.recv()
    finally:
        child.join()
    return load


def _run(url: str, bodies: Sequence[bytes], clients: int, headers: Mapping[str, str], answer: object) -> None:
    load = asyncio.run(_send(url, bodies, clients, headers))
    answer.send(load)  # type: ignore[attr-defined]


async def _send(url: str, bodies: Sequence[bytes], clients: int, headers: Mapping[str, str]) -> Load:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
    head = "\r\n".join(lines).encode()
    requests = [head + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body for body in bodies]
    waiting = iter(requests)
    waits: list[float] = []
    statuses: Counter[int] = Counter()
    started = time.perf_counter()
    await asyncio.gather(
        *(
            _client(parts.hostname or "127.0.0.1", parts.port or 80, waiting, waits, statuses)
            for _ in range(clients)
        )
    )
    return Load(time.perf_counter() - started, waits, dict(statuses))


async def _client(
    host: str, port: int, requests: Iterator[bytes], waits: list[float], statuses: Counter[int]
) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for request in requests:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lowered = head.lower()
        at = lowered.index(_LENGTH) + len(_LENGTH)
        await reader.readexactly(int(lowered[at : lowered.index(b"\r\n", at)]))
        waits.append(time.perf_counter() - began)
        statuses[int(head[9:12])] += 1
    writer.close()
    await writer.wait_closed()
