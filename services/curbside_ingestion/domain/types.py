"""What a report may be called: an allow-list, since its type goes into events and datasets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml

TYPES_FILE: Final = Path(__file__).with_name("types.yaml")
OTHER: Final = "other"


@lru_cache(maxsize=1_000)
def type_named(value: str) -> str:
    """The type that `value` names: by the longest name or alias that is whole words of it, else `other`."""
    slug = f"-{re.sub(r'[^a-z0-9]+', '-', value.casefold())}-"
    return next((name for alias, name in load_types().items() if f"-{alias}-" in slug), OTHER)


@cache
def load_types() -> Mapping[str, str]:
    """Names by themselves and by their aliases, the longest alias first."""
    listed: dict[str, list[str]] = yaml.safe_load(TYPES_FILE.read_bytes())
    named = {alias: name for name, aliases in listed.items() for alias in (name, *aliases)}
    return MappingProxyType(dict(sorted(named.items(), key=lambda pair: -len(pair[0]))))
