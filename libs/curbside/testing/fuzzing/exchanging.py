"""One request over a connection of its own, byte for byte as it was made, and its answer by a deadline."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# A client that is refused early may find the connection closed while it still sends, and not see the answer.
_EARLY: Final = 16_384  # bytes that a socket's buffer holds in any case


class Framing(StrEnum):
    """How a request says where its body ends."""

    LENGTH = "length"
    CHUNKED = "chunked"
    SHORT = "short"  # it announces more than it sends, and closes


@dataclass(frozen=True)
class Exchange:
    """A request as it goes out."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)
    framing: Framing = Framing.LENGTH
    kind: str = ""  # what made it, for whoever reads a complaint

    def wire(self, host: str) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", f"host: {host}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        match self.framing:
            case Framing.CHUNKED:
                lines.append("transfer-encoding: chunked")
                middle = len(self.body) // 2
                parts = [part for part in (self.body[:middle], self.body[middle:]) if part]
                body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
            case Framing.SHORT:
                lines.append(f"content-length: {len(self.body) + 100}")
                body = self.body
            case Framing.LENGTH:
                if self.body or self.method in ("POST", "PUT", "PATCH"):
                    lines.append(f"content-length: {len(self.body)}")
                body = self.body
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body

    def __str__(self) -> str:
        shown = {name: value[:120] for name, value in self.headers if name != "authorization"}
        return f"{self.kind}: {self.method} {self.target[:300]} {shown} {self.framing} {self.body[:300]!r}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = 0.0

    @property
    def media(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().casefold()


class Hang(Exception):
    """No whole answer came within the deadline."""


def exchange(sent: Exchange, address: tuple[str, int], *, deadline: float) -> Answer | None:
    """The answer to `sent`; None where the connection was closed on a body that was not read to its end.

    Raises Hang after `deadline` seconds, and ConnectionError where a whole request got no answer.
    """
    began = time.monotonic()
    with socket.create_connection(address, timeout=deadline) as connection:
        early = False
        try:
            connection.sendall(sent.wire(f"{address[0]}:{address[1]}"))
            if sent.framing is Framing.SHORT:
                connection.shutdown(socket.SHUT_WR)
        except TimeoutError:
            raise Hang from None
        except OSError:
            early = True
        connection.settimeout(max(0.01, deadline - (time.monotonic() - began)))
        answer = http.client.HTTPResponse(connection, method=sent.method)
        try:
            with contextlib.closing(answer):
                answer.begin()
                body = answer.read()
        except TimeoutError:
            raise Hang from None
        except (OSError, http.client.HTTPException) as error:
            # Who is gone before the end of the body is owed no answer.
            if early or len(sent.body) > _EARLY or sent.framing is Framing.SHORT:
                return None
            raise ConnectionError(type(error).__name__) from None
        headers = {name.casefold(): value for name, value in answer.getheaders()}
        seconds = time.monotonic() - began
        if seconds > deadline:
            raise Hang
        return Answer(answer.status, headers, body, seconds)
