"""The names that things of medicine are called by, and where they stand in a text: data/eponyms.yaml."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

_FILE: Final = Path(__file__).with_name("data") / "eponyms.yaml"
_READ: Final = _FILE.read_bytes()
_DATA: Final[Mapping[str, Any]] = MappingProxyType(yaml.safe_load(_READ))
# Names the list, as a policy's label names its file.
EPONYMS_DIGEST: Final = hashlib.sha256(_READ).hexdigest()


@dataclass(frozen=True, slots=True)
class Things:
    """What one name stands for: the nouns behind it, behind its possessive, and before "of"."""

    kinds: frozenset[str]
    nouns: frozenset[str]
    possessed: frozenset[str]
    before: frozenset[str]

    def __or__(self, other: Things) -> Things:
        return Things(
            self.kinds | other.kinds,
            self.nouns | other.nouns,
            self.possessed | other.possessed,
            self.before | other.before,
        )


def words(name: str) -> frozenset[str]:
    """The words of one list of the file."""
    return frozenset(_DATA[name].split())


def _load() -> Mapping[tuple[str, ...], Things]:
    table: dict[tuple[str, ...], Things] = {}
    for group in _DATA["groups"]:
        nouns = frozenset(str(group.get("nouns") or "").split())
        whole = group["kind"] in ("disease", "sign")
        possessed = nouns if whole else frozenset(str(group.get("possessed") or "").split())
        before = frozenset(str(group.get("before") or "").split())
        things = Things(frozenset((group["kind"],)), nouns, possessed, before)
        for name in group["names"].split():
            key = tuple(name.split("-"))
            table[key] = table[key] | things if key in table else things
    return MappingProxyType(table)


_TABLE: Final = _load()
FIRST: Final = frozenset(key[0] for key in _TABLE)
_LONGEST: Final = max(map(len, _TABLE))
# The names, which are no words of the vocabulary and yet no name by themselves where few people bear them.
EPONYM_WORDS: Final = frozenset(part for key in _TABLE for part in key if len(part) > 3)
_PIECE: Final = re.compile(r"[^\W\d_]+")
_WITHIN: Final = re.compile(r"[ ](?:(?:and|&)[ ])?|[ ]?[-–/][ ]?")


@dataclass(frozen=True, slots=True)
class Name:
    """`text[start:end]` is a name that `things` are called by."""

    start: int
    end: int
    things: Things
    joined: bool  # of two people, with a hyphen or a stroke


def names_in(text: str) -> Iterator[Name]:
    """Every name of the table in `text`, the longest where two begin alike, an "s" behind it or not."""
    reached = 0
    for match in _PIECE.finditer(text):
        if match.start() < reached or match[0].casefold().removesuffix("s") not in _STEMS:
            continue
        name = _longest(text, match)
        if name is not None:
            reached = name.end
            yield name


_STEMS: Final = frozenset(first.removesuffix("s") for first in FIRST)


def _longest(text: str, first: re.Match[str]) -> Name | None:
    key, at, best = [first[0].casefold()], first.end(), None
    joined = False
    while True:
        for last in (key[-1], key[-1].removesuffix("s")):
            things = _TABLE.get((*key[:-1], last))
            if things is not None:
                best = Name(first.start(), at, things, joined)
                break
        if len(key) == _LONGEST or (gap := _WITHIN.match(text, at)) is None:
            return best
        piece = _PIECE.match(text, gap.end())
        if piece is None:
            return best
        joined = joined or gap[0].strip(" ") in ("-", "–", "/")
        key.append(piece[0].casefold())
        at = piece.end()
