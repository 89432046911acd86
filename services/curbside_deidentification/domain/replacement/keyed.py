"""Draws that look random and are the same for the same key and values: HMAC-SHA256."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_BETWEEN = "\x1f"


@dataclass(frozen=True, slots=True)
class Keyed:
    """Without the key nobody can tell which value a draw was made for."""

    key: bytes = field(repr=False)

    def number(self, *values: object) -> int:
        """256 bits drawn for `values`."""
        message = _BETWEEN.join(map(str, values)).encode("utf-8", "surrogatepass")
        return int.from_bytes(hmac.digest(self.key, message, hashlib.sha256), "big")

    def numbers(self, *values: object) -> Iterator[int]:
        """As many bytes (0 to 255) as are asked for."""
        block = 0
        while True:
            yield from self.number(*values, block).to_bytes(32, "big")
            block += 1

    def walk(self, pool: Sequence[str], *values: object) -> Iterator[str]:
        """Every item of `pool` once, from a drawn place on."""
        start = self.number(*values) % len(pool) if pool else 0
        yield from pool[start:]
        yield from pool[:start]
