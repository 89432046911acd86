"""From families and a seed to notes: the text, what in it is PHI, and what a hospital would send along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from curbside.phi import Category
from curbside.testing.notes.cast import Cast
from curbside.testing.notes.families import Family, FamilySet, Form
from curbside.testing.notes.slots import Piece, Scene, UnknownSlot, write
from curbside.testing.notes.values import Values
from curbside.testing.reports.identities import KnownIdentifiers

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_DEEPEST: Final = 6  # phrases of phrases: more is a phrase that names itself
_OPTIONAL: Final = "? "


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """`text[start:end]`; with no category it is neutral: found or not, it counts neither way."""

    start: int
    end: int
    category: Category | None


@dataclass(frozen=True)
class Note:
    """One made-up note with its gold."""

    id: str
    family: str
    kind: str
    text: str
    spans: tuple[GoldSpan, ...]
    known: KnownIdentifiers


def generate(families: FamilySet, count: int, seed: int) -> list[Note]:
    """`count` notes, the families in turn. The same arguments give the same notes on every machine, and more
    notes never change the ones before."""
    return [_note(families, number, seed) for number in range(count)]


def _note(families: FamilySet, number: int, seed: int) -> Note:
    random = Random(f"{families.name}:{seed}:{number}")
    family = families.families[number % len(families.families)]
    cast = Cast(Values(families.name, random))
    scene = Scene(cast, random.choice(family.dates), random.choice(family.phones), random)
    layout = _chosen_lines(random.choice(family.layouts), random)
    pieces = list(_pieces(layout, family, scene, 0))
    text, spans = _joined(pieces, random.choice(family.forms))
    identifier = f"{families.name}-{seed}-{number:05d}"
    return Note(identifier, family.name, family.kind, text, spans, cast.known())


def _chosen_lines(layout: str, random: Random) -> str:
    lines = []
    for line in layout.splitlines():
        if not line.startswith(_OPTIONAL):
            lines.append(line)
        elif random.random() < 0.5:
            lines.append(line.removeprefix(_OPTIONAL))
    return "\n".join(lines)


def _pieces(template: str, family: Family, scene: Scene, depth: int) -> Iterator[Piece]:
    if depth > _DEEPEST:
        raise UnknownSlot(f"phrases of {family.name!r} name each other without end")
    reached = 0
    for match in _BRACES.finditer(template):
        yield Piece(template[reached : match.start()])
        reached, inner = match.end(), match[1]
        if inner.startswith(">"):
            if inner[1:] not in family.phrases:
                raise UnknownSlot(f"family {family.name!r} has no phrase {inner[1:]!r}")
            phrase = scene.random.choice(family.phrases[inner[1:]])
            yield from _pieces(phrase.rstrip("\n"), family, scene, depth + 1)
        elif "|" in inner:
            yield Piece(scene.random.choice(inner.split("|")))
        else:
            yield from write(inner, scene)
    yield Piece(template[reached:])


def _joined(pieces: list[Piece], form: Form) -> tuple[str, tuple[GoldSpan, ...]]:
    text, spans = "", []
    for piece in pieces:
        if piece.marked and piece.text:
            spans.append(GoldSpan(len(text), len(text) + len(piece.text), piece.category))
        text += piece.text
    if form.startswith("flattened"):
        text = text.replace("\n", " ")
    if form.endswith("capitals"):
        text = "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)
    return text, tuple(spans)
