"""Random ids. The system is asked for many at once: each question gives way to other threads, and waits."""

from __future__ import annotations

import os
import threading
from typing import Final

_BYTES: Final = 4_096


class _Randomness(threading.local):
    """Bytes of the system's that this thread has not used yet."""

    def __init__(self) -> None:
        self.left = b""


_randomness = _Randomness()


def random_hex(size: int) -> str:
    """`size` random bytes in hex. For ids alone: keys and nonces are fresh from the system."""
    if len(_randomness.left) < size:
        _randomness.left = os.urandom(_BYTES)
    taken, _randomness.left = _randomness.left[:size], _randomness.left[size:]
    return taken.hex()


def _forget() -> None:
    _randomness.left = b""


# Or a forked child would give the ids that its parent gives.
os.register_at_fork(after_in_child=_forget)
