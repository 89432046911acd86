"""What the source already says of patient, relatives and staff is matched first and surest.

A recogniser that does not know the site falls hard on another one's names; the list of the patient's own
identifiers is what brings recall back (Neamatullah et al. 2008, doi:10.1186/1472-6947-8-32).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

_NOT_A_NAME: Final = frozenset(
    """
    dr mr mrs ms miss prof md do rn np pa phd jr sr ii iii iv the of and von van de
    """.split()  # noqa: SIM905
)
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’](?![sS]\b)[^\W\d_]+)*")

_PERSON_ACTS: Final = re.compile(
    r"\w+(?:,|['’]s\b|"
    r"\s(?:is|was|has|had|denies|reports|states|presents|came|says|feels|lives|takes|will|and h))"
)


@dataclass(frozen=True, slots=True)
class Known:
    """Identifiers by what they are. Values are patient text: they live no longer than one document."""

    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    mrns: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Known(…)"


def find_known(text: str, known: Known, lexicon: Lexicon) -> Iterator[Span]:
    """Every mention of `known` in `text`, in any case, order and spacing, with score 1."""
    yield from _matches(text, _whole_names(known.names), Category.NAME, "KnownName")
    yield from _name_parts(text, known.names, lexicon)
    for values, category, recogniser in (
        (known.mrns, Category.MRN, "KnownMrn"),
        (known.numbers, Category.OTHER_ID, "KnownNumber"),
        (known.phones, Category.PHONE, "KnownPhone"),
        (known.dates, Category.DATE, "KnownDate"),
    ):
        yield from _matches(text, _separated(values), category, recogniser)
    yield from _matches(text, _spaced(known.addresses), Category.LOCATION, "KnownAddress")
    yield from _matches(text, map(re.escape, known.emails), Category.EMAIL, "KnownEmail")


def _matches(text: str, patterns: Iterable[str], category: Category, recogniser: str) -> Iterator[Span]:
    alternatives = "|".join(sorted({pattern for pattern in patterns if pattern}, key=len, reverse=True))
    if alternatives:
        for match in re.finditer(rf"(?<!\w)(?:{alternatives})(?!\w)", text, re.IGNORECASE):
            yield Span(match.start(), match.end(), category, 1.0, recogniser)


def _parts(name: str) -> list[str]:
    return [part for part in _TOKEN.findall(name) if part.casefold() not in _NOT_A_NAME]


def _whole_names(names: Iterable[str]) -> Iterator[str]:
    """ "Mary Ann Smith" also as "Smith, Mary Ann" and "Smith, M."."""
    for name in names:
        parts = [re.escape(part) for part in _parts(name)]
        if len(parts) > 1:
            gap = r"[\s,.'’-]{1,3}"
            yield gap.join(parts)
            yield gap.join((parts[-1], *parts[:-1]))
            yield gap.join((parts[0], r"(?:\w\.?" + gap + ")?" + parts[-1]))
            yield rf"{parts[0][0]}\.?{gap}{parts[-1]}"
            yield rf"{parts[-1]},\s?{parts[0][0]}\b\.?"


def _name_parts(text: str, names: Iterable[str], lexicon: Lexicon) -> Iterator[Span]:
    """A part by itself. One that is also a word ("White", "May") counts only capitalised amid a sentence."""
    parts = {part.casefold() for name in names for part in _parts(name) if len(part) > 1}
    for match in _TOKEN.finditer(text):
        part = match[0].casefold()
        if part not in parts:
            continue
        plain = lexicon.is_word(part) or len(part) < 3
        if not plain or (match[0].istitle() and _amid_sentence(text, match.start())):
            yield Span(match.start(), match.end(), Category.NAME, 1.0, "KnownNamePart")


def _amid_sentence(text: str, start: int) -> bool:
    """Whether a capital at `start` says something: not at a sentence's start, unless a person acts there."""
    before = text[:start].rstrip(" ")
    if before.endswith(("Dr.", "Mr.", "Mrs.", "Ms.")):
        return True
    if before and before[-1] not in ".:;\n!?•*":
        return True
    return _PERSON_ACTS.match(text, start) is not None


def _separated(values: Iterable[str]) -> Iterator[str]:
    """Letters and digits with any separator, or none, between them; four at least."""
    for value in values:
        characters = [character for character in value if character.isalnum()]
        if len(characters) >= 4:
            yield r"[-\s./()]{0,2}".join(map(re.escape, characters))


def _spaced(values: Iterable[str]) -> Iterator[str]:
    """A whole address with any spacing, and its first line by itself."""
    for value in values:
        for piece in {value, value.split(",")[0].split("\n")[0]}:
            words = re.findall(r"\w+", piece)
            if sum(map(len, words)) >= 6:
                yield r"[\s,.#-]{1,3}".join(map(re.escape, words))
