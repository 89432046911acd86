"""Initials of people whom the document names, and initials found once. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.explained import explained, spells_out
from curbside_deidentification.domain.gate import BETWEEN_NAMES, TOKEN
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.unknown_initials import SURE
from curbside_deidentification.recognisers.writing.initials import (
    DAY,
    DEGREE,
    TIME,
    is_known,
    is_listed,
    letters_of,
)

# What these find is initials as it stands, alone or in pairs. So is what `UnknownInitials` is sure of; the
# rest of it is too often an abbreviation of a trade.
_OF_INITIALS: Final = frozenset({"TypistInitials", "LoggedInitials", "PlacedInitials"})
_WRITTEN: Final = re.compile(
    r"(?:(?<![\w.'’-])|(?<=--)|(?<=(?<![\w-])[x-]))(?P<form>[A-Z]{2,4}|[a-z]{2,4}|"
    r"(?:[A-Z]\.[ ]?){1,3}[A-Z]\.?|[A-Z](?:[ ][A-Z]){2})"
    r"(?![\w’-]|'(?!s))"
)
# Two letters are too few: they count beside a stamp, a dash, a bracket, a stroke or a line's end.
_STAMPED_BEFORE: Final = re.compile(
    rf"(?:{TIME}|{DAY}|[-–—~/:=>|,]|[(\[]|(?:\A|[\r\n])[ \t>*#•-]{{0,6}}|"
    rf"(?i:\b(?:by|per|pt|init|initials|client|subject)))[ ]?\Z"
)
_STAMPED_BEHIND: Final = re.compile(
    rf"[.;,)\]]?[ \t]{{0,4}}(?:[\r\n]|\Z)|[ ,]{{1,2}}(?:{TIME}|{DAY})(?!\d)|[)\]]|[ ]?[/=>|:](?!\d)|['’]s[ ]"
)

# Two who did something together, or one for the other.
_PAIR: Final = re.compile(
    r"(?<![\w/.-])(?P<one>[A-Z]{3})"
    r"(?:[ ]?(?:/|\+|&|->|>|=)[ ]?|[ ](?:and|AND|for|FOR|to|TO)[ ])(?P<other>[A-Z]{3})(?![\w/-])"
)
# So many different initials make a log of a document.
_MANY: Final = 2
_DOER: Final = (
    r"(?:by|per|tech|scrub|circ|anes|prelim|final|read|signed|marked|rn|rph|verif|rev|2nd|noted|relief|transport|sitter|"
    r"witness|wit\.?|monitor|entered|qc|qa|coll|rec'?d|x[12]|c|to|seen w/|spoke w/)"
)
_LOGGED_BEHIND: Final = re.compile(
    rf"(?:(?:{TIME}|{DAY})[ ]|[~\[(|/+>-][ ]?|"
    rf"(?<![\w/])(?i:{_DOER})[:#]?[ ]{{1,2}})(?P<form>[A-Z]{{3}})"
    rf"(?=[.,;]?[ \t]{{0,4}}(?:[\r\n]|\Z)|[)\]]"
    rf"|[ ,]{{1,2}}(?:{TIME}|{DAY}|{DEGREE}|\d{{1,3}}[MF]\b)|[.,;][ ]|[ ]?[/|+=>][ ]?[A-Z]{{3}}\b)"
)
_LOGGED_BEFORE: Final = re.compile(
    rf"(?:(?m:^)[ \t]{{0,4}}|[a-z\d%.,;][ ])(?P<form>[A-Z]{{3}})"
    rf"(?=[ ](?:{TIME}|{DAY})(?!\d)|[ ]?=[ ]?[A-Z][a-z]|,[ ]{DEGREE})"
)
_LEGEND_BEFORE: Final = re.compile(
    r"(?<![\w.'’/-])(?P<form>[A-Z]{2,4}|(?:[A-Z]\.){2,3})[ ]?[)=:–—-]?[ ]{0,2}\Z"
)
_LEGEND_BEHIND: Final = re.compile(
    rf"(?:,?[ ]{DEGREE})?[ ]?[(\[=:–—-][ ]?(?P<form>[A-Z]{{2,4}}|(?:[A-Z]\.){{2,3}})(?![\w.]|[ ]?#?\d)"
)


def repeated_initials(text: str, names: Iterable[Span], lexicon: Lexicon) -> Iterator[Span]:
    """Two to four letters that are the initials of a full name in `names`, or that a rule took for initials.

    Of "Robert Feldmann" these are RF, and R?F with any letter between, for a middle name is seldom written.
    What is a word or an abbreviation is none of them.
    """
    names = list(names)
    yield from _beside_names(text, names)
    people, sure = set[str](), set[str]()
    for span in names:
        if span.category is not Category.NAME:
            continue
        written = text[span.start : span.end]
        if span.recogniser in _OF_INITIALS or (span.recogniser, span.score) == ("UnknownInitials", SURE):
            sure.update(_parts(written))
        else:
            people.update(_initials_of(written))
    if not people and not sure:
        return
    abbreviations = {one.casefold() for one in explained(text)}
    people, sure = people - abbreviations, sure - abbreviations
    for match in _WRITTEN.finditer(text):
        bare = letters_of(match["form"])
        capitals = match["form"].isupper()
        fits = bare in sure or (
            capitals and (bare in people or (bare[0] + bare[-1] in people and len(bare) == 3))
        )
        if not fits or (is_listed(bare, lexicon) and "." not in match["form"]):
            continue
        if len(bare) == 2 and not (bare in sure and capitals) and not _stamped(text, match):
            continue
        yield _span(match.start("form"), match.end("form"))
    for match in _PAIR.finditer(text):
        one, other = letters_of(match["one"]), letters_of(match["other"])
        for first, second, group in ((one, other, "other"), (other, one, "one")):
            if first in sure and not is_listed(first, lexicon) and not is_known(second, lexicon):
                yield _span(*match.span(group))
    if len({one for one in sure if len(one) == 3 and not is_listed(one, lexicon)}) >= _MANY:
        yield from _in_log(text, lexicon)


def _in_log(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """Where a document is full of initials, letters in their place are some, even where medicine has an
    abbreviation of these letters that few use."""
    found = set[str]()
    for pattern in (_LOGGED_BEHIND, _LOGGED_BEFORE):
        for match in pattern.finditer(text):
            form = match["form"]
            earlier = text[max(0, match.start("form") - 48) : match.start("form")]
            if not is_known(form, lexicon) and not (
                earlier[-1:] in ("(", "[") and spells_out(earlier, form.casefold())
            ):
                found.add(form)
                yield _span(*match.span("form"))
    if found:
        for match in re.finditer(rf"(?<![\w.-])(?:{'|'.join(sorted(found))})(?![\w.’'-])", text):
            yield _span(*match.span())


def _beside_names(text: str, names: Iterable[Span]) -> Iterator[Span]:
    """The initials in a legend: "JDM = Jo Marsh", "Jo Marsh, RN (JDM)"; there even those that are a word."""
    for span in names:
        if span.category is not Category.NAME:
            continue
        own = set(_initials_of(text[span.start : span.end]))
        if not own:
            continue
        for match in (
            _LEGEND_BEFORE.search(text[max(0, span.start - 12) : span.start]),
            _LEGEND_BEHIND.match(text, span.end),
        ):
            if match is None:
                continue
            bare = letters_of(match["form"])
            if bare in own or (len(bare) == 3 and bare[0] + bare[-1] in own):
                shift = max(0, span.start - 12) if match.re is _LEGEND_BEFORE else 0
                yield _span(match.start("form") + shift, match.end("form") + shift)


def _parts(written: str) -> Iterator[str]:
    """The initials in what a rule took: "JDM/rtk/12" holds two."""
    for part in re.split(r"[/:|&+]|\s{2,}", written):
        bare = letters_of(part)
        if 2 <= len(bare) <= 4:
            yield bare


def _initials_of(written: str) -> Iterator[str]:
    """RF, RJF and the like of "Robert J. Feldmann", of "Feldmann, Robert J" as well."""
    last, comma, first = written.partition(",")
    words = [
        word
        for word in TOKEN.findall(f"{first} {last}" if comma else written)
        if word.casefold() not in BETWEEN_NAMES
    ]
    heads = "".join(word[0] for word in words).casefold()
    if not (2 <= len(heads) <= 4 and heads.isascii()) or any(len(word) < 2 for word in (words[0], words[-1])):
        return
    yield heads
    yield heads[0] + heads[-1]


def _stamped(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 24) : match.start()]
    return _STAMPED_BEFORE.search(before) is not None and _STAMPED_BEHIND.match(text, match.end()) is not None


def _span(start: int, end: int) -> Span:
    return Span(start, end, Category.NAME, 0.7, "RepeatedInitials")
