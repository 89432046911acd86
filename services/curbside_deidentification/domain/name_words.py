"""The words of data/names.yaml: what stands next to names of people, and what is never a part of one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml

_FILE: Final = Path(__file__).with_name("data") / "names.yaml"
_READ: Final = _FILE.read_bytes()
_LISTS: Final[Mapping[str, str]] = MappingProxyType(yaml.safe_load(_READ))
# Names the lists, as a policy's label names its file.
NAMES_DIGEST: Final = hashlib.sha256(_READ).hexdigest()


def words(name: str) -> frozenset[str]:
    return frozenset(_LISTS[name].split())


def phrases(name: str) -> frozenset[str]:
    return frozenset(phrase.strip() for phrase in _LISTS[name].split(";"))


# Function words, verbs behind a name in capitals, credentials, field labels.
NEVER_NAME: Final = words("never")
# Instruments that are called by their inventor's name alone.
BARE_EPONYMS: Final = words("bare_eponyms")
# Peoples and languages: capitals inside a sentence that name nobody.
PEOPLES: Final = words("peoples")
