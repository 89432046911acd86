"""Initials that stand for a known person: "J.Q.P." anywhere, "JQP" where something is signed or dictated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.known.people import Person
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.spelling import Reading
from curbside_deidentification.domain.lexicon import Lexicon, abbreviations
from curbside_deidentification.domain.spans import Span

_SIGNED: Final = (
    rf"(?i:\b(?:{'|'.join(RULES.signed)})(?:[ \t]+by\b[ \t]?[:=]?|[ \t]?[:=])|/s/|\b(?:DD|DT|D|T)[ \t]?:)"
    r"[ \t]{0,3}"
)


def initials(reading: Reading, people: Sequence[Person], lexicon: Lexicon) -> Iterator[Span]:
    known = sorted({form for person in people for form in _forms(person)})
    if not known:
        return
    small = "|".join(known)
    capitals = small.upper()
    dotted = "|".join(r"\.[ \t]?".join(form.upper()) for form in known)
    long_dotted = "|".join(
        r"\.[ \t]?".join(form.upper()) for form in known if len(form) > 2 and not lexicon.is_word(form)
    )
    compound = "|".join(
        rf"{form[:at].upper()}[-'][ ]?{form[at:].upper()}" for form in known for at in _joints(form)
    )
    telling = "|".join(form.upper() for form in known if len(form) > 2 and not _is_used(form, lexicon))
    typist = r"[A-Za-z]{2,4}"
    forms = [
        rf"{_SIGNED}(?P<a>{capitals}|(?:{dotted})\.?)(?!\w|\.\w)",
        # The last line of a dictation: the dictating physician's initials, the typist's behind a stroke.
        rf"(?m:^)[ \t]{{0,8}}(?P<b>{capitals}|{small})[ \t]?[/:][ \t]?{typist}(?=\W|$)(?![ \t]?[/:]\d)",
        rf"(?m:^)[ \t]{{0,8}}{typist}[ \t]?[/:][ \t]?(?P<c>{capitals}|{small})[ \t]{{0,4}}(?m:$)",
        rf"(?m:^)[ \t]{{0,8}}(?P<d>{capitals})[ \t]{{0,4}}(?m:$)",
    ]
    if long_dotted:
        forms.append(rf"(?<![\w.])(?P<e>(?:{long_dotted})\.)(?!\w)")
    if compound:
        forms.append(rf"(?<![\w.'-])(?P<f>{compound})(?![\w'-])")
    if telling:
        forms.append(rf"(?<![\w.'/-])(?P<g>{telling})(?![\w'-]|[./]\w)")
    for form in forms:
        for match in re.finditer(form, reading.text):
            group = match.lastgroup or 0
            read = "".join(filter(str.isalpha, match[group])).lower()
            alone = match.lastgroup == "d"
            if alone and (len(read) < 3 or lexicon.is_word(read)):
                continue  # "CT" and "IMP" by themselves on a line are headings
            yield Span(*match.span(group), Category.NAME, 0.9, "KnownInitials")


def _joints(form: str) -> range:
    """Where a hyphen or an apostrophe may stand in initials: before the last of a family name, "KW-B"."""
    return range(max(2, len(form) - 1), len(form))


def _is_used(form: str, lexicon: Lexicon) -> bool:
    """Whether medicine writes the same letters for something else."""
    return lexicon.is_word(form) or form in abbreviations()


def _forms(person: Person) -> Iterator[str]:
    given, family = person.initials, person.family_initials
    if not given or not family:
        return
    if not all(initial.isascii() and initial.isalpha() for initial in given + family):
        return
    yield given[0] + family[0]
    yield given[0] + family
    yield given + family[0]
    yield given + family
