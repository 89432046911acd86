"""Where a surname stands for a disease, a sign, an operation or an instrument that is called after somebody.

"Bell's palsy" names nobody, not even where the patient is a Bell, and to put a surrogate there would invent a
finding. "Bell's daughter", "Mr. Bell" and "Sarah Bell's palsy" name somebody. data/eponyms.yaml says which
names stand for what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.eponym_names import FIRST, Name, names_in, words
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

_FOUND: Final = words("found")

_POSSESSIVE: Final = re.compile(r"['’][sS]?(?!\w)")
_NOUN: Final = re.compile(
    rf"(?:[ \t]{{1,2}}|-|[ \t]?\r?\n[ \t]{{0,8}})(?:(?:{'|'.join(sorted(words('adjectives')))})[ ]){{0,2}}"
    r"(?P<noun>[^\W\d_]+(?:-[^\W\d_]+)?)"
    r"(?!\w)(?![ -](?:off|results?|pending|ordered|reports?|his|her|their)\b)",
    re.IGNORECASE,
)
_GRADED: Final = re.compile(r"[ ](?:[IV]{1,3}|\d)(?![\w/-]|\.\d)")
_FINDING: Final = re.compile(
    rf"(?:['’]s?)?[ ](?:(?:is|was|were)[ ])?(?:{'|'.join(sorted(words('findings')))})\b(?![ ]for\b)"
    r"|[ ]?\([+-]\)",
    re.IGNORECASE,
)
_BEFORE: Final = re.compile(r"(?P<word>[^\W\d_]+)(?P<of>[ ]of)?(?P<the>[ ]the)?[ ]\Z", re.IGNORECASE)
_DONE_BEFORE: Final = re.compile(
    r"(?<!\w)(?:s/p|status[ -]post|underwent|(?:scheduled|planned|booked|listed|consented|candidate)"
    r"[ ]for)[ ](?:an?[ ]|the[ ])?\Z",
    re.IGNORECASE,
)
_ARTICLE: Final = re.compile(r"(?<!\w)an?[ ]\Z", re.IGNORECASE)
_CHAINED: Final = re.compile(r"[ ]?[-–/][ ]?|[ ](?:and|or|&)[ ]|,[ ](?:and[ ]|or[ ])?")
_TITLED: Final = re.compile(
    rf"(?<!\w)(?:{'|'.join(sorted(words('titles')))})\.?[ ]{{1,2}}\Z|(?<!\w)[A-Z]\.[ ]?\Z", re.IGNORECASE
)
_CREDENTIAL: Final = re.compile(
    rf",?[ ](?:{'|'.join(sorted(words('credentials'), key=len, reverse=True))})\b", re.IGNORECASE
)
_GIVEN_BEHIND: Final = re.compile(r",[ ](?P<given>[A-Z][^\W\d_]+)")
_GIVEN_BEFORE: Final = re.compile(r"(?P<given>[A-Z][^\W\d_]+)[ ]\Z")
_PERSONAL: Final = re.compile(
    r"[ ](?:denies|denied|reports|reported|states|stated|says|said|agrees|agreed|presents|presented|"
    r"asks|asked|called|calls|lives|is[ ]an?|was[ ]seen)\b"
)
# Who does something, or is told of it, stands behind these.
_OF_SOMEBODY: Final = re.compile(
    r"(?<!\w)(?:by|per|told|paged|called|asked|saw|cc|d/w|from|notified)[:]?[ ]\Z", re.IGNORECASE
)
_CAPITAL: Final = re.compile(r"(?:[A-Z]|[^\W\d_a-z]|\d)\w*")
_FAR: Final = 40
_MOST: Final = 3  # of names in a row


@dataclass(frozen=True, slots=True)
class Eponym:
    """`text[start:end]` is the name in an eponym. `sure` where its noun stands beside it: the thing is meant
    whoever bears the name; without it a sign or an operation is likelier than a person that nobody knows."""

    start: int
    end: int
    sure: bool


def eponyms(text: str, lexicon: Lexicon) -> list[Eponym]:
    """The names of `text` that stand for a thing, in order."""
    names = list(names_in(text))
    found: dict[int, bool] = {}
    for i, name in enumerate(names):
        sure = _is_thing(text, name, lexicon)
        if sure is None and _is_pair(text, names[max(0, i - 1) : i + 1], lexicon):
            sure = False
        if sure is None:
            continue
        # "Barlow and Ortolani tests", "Brudzinski, Kernig absent": the noun is that of all.
        for j in _chain(text, names, i, lexicon):
            found[j] = max(sure, found.get(j, False))
    return [Eponym(names[i].start, names[i].end, sure) for i, sure in sorted(found.items())]


def _chain(text: str, names: Sequence[Name], last: int, lexicon: Lexicon) -> Iterator[int]:
    """`last` and the names before it that stand in a row for things of one kind."""
    yield last
    for i in range(last - 1, max(-1, last - _MOST), -1):
        if not _shares(text, names[i], names[i + 1]) or _is_person(text, names[i], lexicon):
            return
        yield i


def without_eponyms(spans: Iterable[Span], text: str, found: Sequence[Eponym]) -> Iterator[Span]:
    """`spans` without the eponyms in those of names and places; what stands beside one in them stays."""
    for span in spans:
        if span.category not in (Category.NAME, Category.LOCATION, Category.FACILITY):
            yield span
            continue
        at = span.start
        for one in found:
            if at < one.end and one.start < span.end:
                yield from _left_of(replace(span, start=at, end=max(at, one.start)), text)
                at = min(one.end, span.end)
        yield from [span] if at == span.start else _left_of(replace(span, start=at), text)


def _left_of(span: Span, text: str) -> Iterator[Span]:
    """What of `span`, beside an eponym in it, may be somebody's or a place's: a capital or a figure."""
    capitals = list(_CAPITAL.finditer(text, span.start, span.end))
    if capitals:
        yield replace(span, start=capitals[0].start(), end=capitals[-1].end())


def _is_thing(text: str, name: Name, lexicon: Lexicon) -> bool | None:
    """Whether `name` stands for a thing: surely, likely, or (None) not."""
    if _is_person(text, name, lexicon):
        return None
    possessive = _POSSESSIVE.match(text, name.end)
    noun = _NOUN.match(text, possessive.end() if possessive else name.end)
    # A patient whose name ends in "s" owns things, too: "Graves' daughter"; "Graves' disease" by its noun.
    wanted = name.things.possessed if possessive else name.things.nouns
    if noun is not None and noun["noun"].casefold() in wanted:
        return True
    earlier = text[max(0, name.start - _FAR) : name.start]
    before = _BEFORE.search(earlier)
    if before is not None and before["of"] and before["word"].casefold() in name.things.before:
        return True
    two = " " in text[name.start : name.end] or name.joined
    if two and "scale" in name.things.kinds and _GRADED.match(text, name.end):
        return True
    if not text[name.start].isupper():
        return None
    if "sign" in name.things.kinds and (
        _FINDING.match(text, name.end)
        or (before is not None and not before["of"] and before["word"].casefold() in _FOUND)
    ):
        return False
    if "procedure" in name.things.kinds and _DONE_BEFORE.search(earlier):
        return False
    if name.joined or (two and _ARTICLE.search(earlier)):
        return False if not _PERSONAL.match(text, name.end) else None
    return None


def _is_person(text: str, name: Name, lexicon: Lexicon) -> bool:
    """Whether a title, a given name or a degree beside it says that somebody is meant."""
    earlier = text[max(0, name.start - _FAR) : name.start]
    if _TITLED.search(earlier) or _CREDENTIAL.match(text, name.end):
        return True
    behind = _GIVEN_BEHIND.match(text, name.end)
    if behind is not None and _may_be_given(behind["given"], lexicon):
        return True
    before = _GIVEN_BEFORE.search(earlier)
    return before is not None and _may_be_given(before["given"], lexicon)


def _may_be_given(word: str, lexicon: Lexicon) -> bool:
    small = word.casefold()
    if small in FIRST:
        return False  # the name before it of a list
    if lexicon.is_given(word) or small in lexicon.forenames:
        return True
    return not word.isupper() and not lexicon.general.is_word(word)


def _is_pair(text: str, names: Sequence[Name], lexicon: Lexicon) -> bool:
    """Whether two names of things of one kind stand together, one of which few people bear:
    "Ortolani/Barlow"."""
    return (
        len(names) > 1
        and _shares(text, *names)
        and _OF_SOMEBODY.search(text[max(0, names[0].start - _FAR) : names[0].start]) is None
        and any(_is_rare(text, name, lexicon) for name in names)
        and not any(_is_person(text, name, lexicon) for name in names)
    )


def _is_rare(text: str, name: Name, lexicon: Lexicon) -> bool:
    small = text[name.start : name.end].casefold()
    return small not in lexicon.surnames and small not in lexicon.forenames


def _shares(text: str, one: Name, other: Name) -> bool:
    """Whether `one` and `other` stand side by side and for things of one kind."""
    return (
        _CHAINED.fullmatch(text, one.end, other.start) is not None
        or _CHAINED.fullmatch(text, _after_possessive(text, one.end), other.start) is not None
    ) and not one.things.kinds.isdisjoint(other.things.kinds)


def _after_possessive(text: str, end: int) -> int:
    possessive = _POSSESSIVE.match(text, end)
    return possessive.end() if possessive else end
