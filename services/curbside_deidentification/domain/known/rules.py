"""The tables of data/known.yaml, data/nicknames.txt and data/common_words.txt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

_DATA: Final = Path(__file__).parents[1] / "data"


@dataclass(frozen=True, slots=True)
class KnownRules:
    """known.yaml says what each of these is; `digest` names their content."""

    affixes: frozenset[str]
    particles: frozenset[str]
    formerly: frozenset[str]
    placeholders: frozenset[str]
    titles: tuple[str, ...]
    labels: frozenset[str]
    named_before: frozenset[str]
    signed: tuple[str, ...]
    also_words: frozenset[str]
    eponym_followers: frozenset[str]
    small: Mapping[str, frozenset[str]]  # by what it lists: the words of `small`
    common: frozenset[str]  # the frequent words of English, of those that the vocabulary has
    copulas: frozenset[str]
    phrases: Mapping[str, frozenset[str]]
    small_phrases: Mapping[str, frozenset[str]]
    months_before: frozenset[str]
    characters: Mapping[str, str]  # by character: all it is taken for, with itself
    pairs: Mapping[str, str]
    letters: Mapping[str, str]
    street_types: Mapping[str, tuple[str, ...]]  # by each spelling: all of them
    directions: Mapping[str, tuple[str, ...]]
    units: tuple[str, ...]
    before_town: frozenset[str]
    states: frozenset[str]
    quantities: tuple[str, ...]
    number_labels: tuple[str, ...]
    nicknames: Mapping[str, frozenset[str]]
    digest: str


def _load() -> KnownRules:
    source = (_DATA / "known.yaml").read_bytes()
    table = (_DATA / "nicknames.txt").read_bytes()
    common = (_DATA / "common_words.txt").read_bytes()
    data = yaml.safe_load(source)
    names, streets, numbers, spelling = data["names"], data["streets"], data["numbers"], data["spelling"]
    return KnownRules(
        affixes=frozenset(names["affixes"].split()),
        particles=frozenset(str(names["particles"]).split()),
        formerly=frozenset(names["formerly"].split()),
        placeholders=frozenset(names["placeholders"].split()),
        titles=tuple(names["titles"].split()),
        labels=frozenset(names["labels"].split()),
        named_before=frozenset(names["named_before"].split()),
        signed=tuple(names["signed"].split()),
        also_words=frozenset(data["also_words"].split()),
        copulas=frozenset(data["copulas"].split()),
        eponym_followers=frozenset(data["eponym_followers"].split()),
        small=MappingProxyType({list_: frozenset(words.split()) for list_, words in data["small"].items()}),
        common=frozenset(common.decode("utf-8").split()),
        phrases=_phrases(data["phrases"]),
        small_phrases=_phrases(data["small_phrases"]),
        months_before=frozenset(data["months_before"].split()),
        characters=_alike(spelling["characters"]),
        pairs=MappingProxyType(dict(spelling["pairs"])),
        letters=MappingProxyType(dict(spelling["letters"])),
        street_types=_by_spelling(streets["types"]),
        directions=_by_spelling(streets["directions"]),
        units=tuple(streets["units"]),
        before_town=frozenset(streets["before_town"].split()),
        states=frozenset(streets["states"].split()),
        quantities=tuple(numbers["units"].split()),
        number_labels=tuple(numbers["labels"].split()),
        nicknames=_nicknames(table.decode("utf-8")),
        digest=hashlib.sha256(source + table + common).hexdigest(),
    )


def _phrases(entries: Iterable[Mapping[str, Any]]) -> Mapping[str, frozenset[str]]:
    phrases: dict[str, frozenset[str]] = {}
    for entry in entries:
        following = frozenset(part.strip() for part in entry["followed_by"].split(","))
        for word in entry["words"].split():
            phrases[word] = phrases.get(word, frozenset()) | following
    return MappingProxyType(phrases)


def _alike(groups: Iterable[str]) -> Mapping[str, str]:
    return MappingProxyType({character: group for group in groups for character in group})


def _by_spelling(groups: Iterable[list[str]]) -> Mapping[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for group in groups:
        for spelling in group:
            table[spelling] = tuple(dict.fromkeys((*table.get(spelling, ()), *group)))
    return MappingProxyType(table)


def _nicknames(table: str) -> Mapping[str, frozenset[str]]:
    """By name: every other name that a person of that name goes by."""
    by_formal: dict[str, set[str]] = {}
    by_pet: dict[str, set[str]] = {}
    for line in table.splitlines():
        formal, *pets = line.partition("#")[0].split() or [""]
        for pet in pets:
            by_formal.setdefault(formal, set()).add(pet)
            by_pet.setdefault(pet, set()).add(formal)
    names = by_formal.keys() | by_pet.keys()
    table_of: dict[str, frozenset[str]] = {}
    for name in names:
        formals = by_pet.get(name, set())
        others = by_formal.get(name, set()) | formals
        for formal in formals:
            others |= by_formal[formal]  # "Bob" and "Rob" are both Robert
        table_of[name] = frozenset(others - {name})
    return MappingProxyType(table_of)


RULES: Final = _load()
