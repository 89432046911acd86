"""The codes of policy.yaml and headings.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Policy:
    messages: Mapping[str, str]
    results: Mapping[str, str]
    resulted: tuple[str, ...]
    retracted_observations: tuple[str, ...]
    completion: Mapping[str, str]
    unavailable: tuple[str, ...]
    amending: tuple[str, ...]
    cancelling: tuple[str, ...]
    documents: Mapping[str, str]
    exclusions: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Headings:
    suffixes: Mapping[str, str]
    loinc: Mapping[str, str]


@cache
def load_policy() -> Policy:
    listed: dict[str, Any] = yaml.safe_load((_HERE / "policy.yaml").read_bytes())
    values: dict[str, Any] = {
        name: tuple(codes) if isinstance(codes, list) else codes for name, codes in listed.items()
    }
    return Policy(**values)


@cache
def load_headings() -> Headings:
    return Headings(**yaml.safe_load((_HERE / "headings.yaml").read_bytes()))
