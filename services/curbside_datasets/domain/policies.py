"""Policies are commented YAML beside this file; their hashes go into every manifest."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_DIRECTORY = Path(__file__).parent
NAMES = ("cues", "recipe")


@cache
def policy(name: str) -> dict[str, Any]:
    """The policy `<name>.yaml`."""
    loaded: dict[str, Any] = yaml.safe_load(_bytes(name))
    return loaded


def policy_hash(name: str) -> str:
    """SHA-256 of the policy's bytes, in hex."""
    return hashlib.sha256(_bytes(name)).hexdigest()


@cache
def _bytes(name: str) -> bytes:
    # Read once: the hash is that of the policy in use, whatever becomes of the file.
    return (_DIRECTORY / f"{name}.yaml").read_bytes()
