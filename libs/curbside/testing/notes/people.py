"""Made-up people, and the ways in which records write a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from curbside.testing.notes.values import Values


@dataclass(frozen=True)
class Person:
    """One person; `relation` is empty but for relatives, `degree` but for staff."""

    first: str
    middle: str
    last: str
    nickname: str
    female: bool
    relation: str = ""
    degree: str = ""

    @property
    def full(self) -> str:
        return f"{self.first} {self.last}"

    @property
    def initials(self) -> str:
        return self.first[0] + self.middle + self.last[0].upper()


def make_person(
    values: Values,
    *,
    female: bool | None = None,
    last: str | None = None,
    relation: bool = False,
    degrees: str = "",
) -> Person:
    if female is None:
        female = values.random.random() < 0.5
    return Person(
        first=values.text("female" if female else "male"),
        middle=values.letters(1),
        last=last or values.text("surnames"),
        nickname=values.text("nicknames"),
        female=female,
        relation=values.text("female_relations" if female else "male_relations") if relation else "",
        degree=values.text(degrees) if degrees else "",
    )


NAME_STYLES: Final[Mapping[str, Callable[[Person], str]]] = MappingProxyType(
    {
        "full": lambda p: p.full,
        "first": lambda p: p.first,
        "last": lambda p: p.last,
        "middle": lambda p: f"{p.first} {p.middle}. {p.last}",
        "last_first": lambda p: f"{p.last}, {p.first}",
        "last_first_middle": lambda p: f"{p.last}, {p.first} {p.middle}",
        "caps": lambda p: p.full.upper(),
        "caps_last": lambda p: p.last.upper(),
        "caps_last_first": lambda p: f"{p.last}, {p.first} {p.middle}".upper(),
        "tight_last_first": lambda p: f"{p.last},{p.first}".upper(),
        "caps_first": lambda p: p.first.upper(),
        "caps_initial_last": lambda p: f"{p.first[0]}. {p.last}".upper(),
        "lower": lambda p: p.full.lower(),
        "lower_first": lambda p: p.first.lower(),
        "lower_last": lambda p: p.last.lower(),
        "initial_last": lambda p: f"{p.first[0]}. {p.last}",
        "initials_last": lambda p: f"{p.first[0]}.{p.middle}. {p.last}",
        "first_initial": lambda p: f"{p.first} {p.last[0].upper()}.",
        "last_initial": lambda p: f"{p.last} {p.first[0]}",
        "initials": lambda p: p.initials,
        "dotted_initials": lambda p: f"{p.first[0]}.{p.last[0].upper()}.",
        "dotted_three": lambda p: ".".join(p.initials) + ".",
        "spaced_initials": lambda p: " ".join(p.initials),
        "lower_initials": lambda p: p.initials.lower(),
        "two_initials": lambda p: p.initials[0] + p.initials[-1],
        "lower_two_initials": lambda p: (p.initials[0] + p.initials[-1]).lower(),
        "nick": lambda p: p.nickname,
        "quoted": lambda p: f'{p.first} "{p.nickname}" {p.last}',
        "caret": lambda p: f"{p.last}^{p.first}^{p.middle}".upper(),
        "junior": lambda p: f"{p.full}, Jr." if not p.female else p.full,
        "third": lambda p: f"{p.full} III" if not p.female else p.full,
    }
)
