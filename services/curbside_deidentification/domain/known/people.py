"""A known name taken apart: given names, family names, initials, and what else the person is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.spelling import TOKEN, folded, letters, spelled_out

_SEPARATE: Final = re.compile(r"[^\s,;/^|()\"]+")
# "Wells-Brandt" is W-B, and "O'Brannigan" O'B.
_PIECE: Final = re.compile(r"[^\W\d_]+")
_ASIDE: Final = re.compile(r"[(\"“”\[]([^)\"“”\]]{1,60})[)\"“”\]]")


@dataclass(frozen=True, slots=True)
class Person:
    """Parts are small letters without accents; a compound part stands also in pieces.

    `given` and `family` say which parts initials and nicknames belong to; a single name is both.
    """

    given: tuple[str, ...]
    family: tuple[str, ...]
    initials: str  # of the given names, in order
    family_initials: str
    particles: frozenset[str]

    @property
    def parts(self) -> frozenset[str]:
        return frozenset((*self.given, *self.family))

    @property
    def nicknames(self) -> frozenset[str]:
        found: set[str] = set()
        for name in self.given:
            found |= RULES.nicknames.get(name, frozenset())
        return frozenset(found) - self.parts

    @property
    def joined(self) -> frozenset[str]:
        """Given and family name run together: "johnsmith", "smithjohn"."""
        runs = {one + other for one in self.given[:2] for other in self.family if one != other}
        runs |= {other + one for one in self.given[:2] for other in self.family if one != other}
        return frozenset(run for run in runs if len(run) >= 7)

    def placed(self, part: str, other: str) -> bool:
        """Whether `part` and `other` are the given and the family name in this order."""
        return part in self.given and other in self.family


def people_of(names: Iterable[str]) -> tuple[Person, ...]:
    return tuple(person for name in names for person in (_person(name),) if person.parts)


def _person(name: str) -> Person:
    asides = [word for match in _ASIDE.finditer(name) for word in _words(match[1])]
    plain = _ASIDE.sub(" ", name)
    head, comma, behind = plain.replace("^", ",", 1).replace("^", " ").partition(",")
    family, given = _words(head), [word for word in _words(behind) if word]
    born: list[str] = []
    if comma and given:
        pass_given, particles_given = given, family
    else:
        words = family + given
        for i, word in enumerate(words):
            if i and letters(word) in RULES.formerly:
                words, born = words[:i], words[i + 1 :]
                break
        pass_given, particles_given = words[:-1], words[-1:]
        # A particle and what stands behind it is the family's: "Anna van der Berg".
        for i, word in enumerate(words[1:-1], 1):
            if letters(word) in RULES.particles:
                pass_given, particles_given = words[:i], words[i:]
                break
        if len(words) == 1:
            pass_given = words
    former = [word for word in asides if letters(word) not in RULES.formerly]
    introduced = any(letters(word) in RULES.formerly for word in asides)
    family_words = [*particles_given, *born, *(former if introduced else ())]
    given_words = [*pass_given, *(() if introduced else former)]
    return Person(
        given=_keys(given_words),
        family=_keys(family_words, compound=True),
        initials="".join(letters(word)[0] for word in pass_given if letters(word)),
        family_initials="".join(
            piece[0]
            for word in particles_given
            if letters(word) not in RULES.particles
            for piece in _PIECE.findall(folded(word).lower())
        ),
        particles=frozenset(letters(word) for word in (*given_words, *family_words)) & RULES.particles,
    )


def _words(text: str) -> list[str]:
    """The words of a name without titles and credentials."""
    return [word for word in _SEPARATE.findall(text) if letters(word) and letters(word) not in RULES.affixes]


def _keys(words: Iterable[str], *, compound: bool = False) -> tuple[str, ...]:
    """Every form in which the words are searched for: whole, in pieces at hyphens, spelled out."""
    keys: dict[str, None] = {}
    words = list(words)
    for word in words:
        pieces = [letters(piece) for piece in TOKEN.findall(folded(word))]
        bare = letters(word)
        forms = [bare, *pieces, letters(spelled_out(word))]
        if "'" in folded(word) and len(pieces) == 1:
            forms.append(letters(folded(word).rpartition("'")[2]))  # "Sullivan" of "O'Sullivan"
        keys.update(dict.fromkeys(form for form in forms if _searched(form)))
    if compound and len(words) > 1:
        # "Van den Berg" also as "Vandenberg", and "Garcia Lopez" as "Garcialopez".
        keys.update(dict.fromkeys([letters("".join(words))]))
    return tuple(keys)


def _searched(form: str) -> bool:
    return len(form) > 1 and form.isalpha() and form not in RULES.particles | RULES.affixes
