"""What the source already says of patient, relatives and staff is matched first and surest.

A recogniser that does not know the site falls hard on another one's names; the list of the patient's own
identifiers is what brings recall back (Neamatullah et al. 2008, doi:10.1186/1472-6947-8-32).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

_NOT_A_NAME: Final = frozenset(
    """
    dr mr mrs ms miss prof md do rn np pa phd jr sr ii iii iv the of and von van de
    """.split()  # noqa: SIM905
)
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:'(?!s\b)[^\W\d_]+)*", re.IGNORECASE)
# The next one or two words on the line, or beyond its end in small letters: there a capital begins a heading.
_NEXT: Final = re.compile(
    r"(?:-|[ \t]{1,3}|[ \t]{0,3}\n[ \t]{0,8}(?=[a-z]))(?P<one>[^\W\d_]+(?:-[^\W\d_]+)?)"
    r"(?:[ \t]{1,3}(?P<two>[^\W\d_]+))?"
)
_PERSON: Final = re.compile(r",|'s\b|\s(?:and|with)\s(?:his|her|he|she)\b", re.IGNORECASE)
_TITLED: Final = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|prof)\.?|\b(?:miss|doctor|nurse))[ \t]{1,3}$", re.IGNORECASE
)
_ARTICLE: Final = re.compile(r"\b(?:the|an?|this|via|per)[ \t]{1,3}$", re.IGNORECASE)
# A sentence, a heading or an item of a list begins behind one of these.
_OPENINGS: Final = ".:;\n\r!?•*"


class _Spellings(dict[int, str]):
    """Letters without their accents, apostrophes and hyphens in one form: each character becomes one, so
    that offsets stay. Exports drop accents, and word processors turn apostrophes."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in "‘’ʼ′`´":
            folded = "'"
        elif character in "\u2010\u2011":
            folded = "-"
        else:
            base = unicodedata.normalize("NFD", character)[0]
            folded = base if base.isascii() else character
        self[code] = folded
        return folded


_SPELLINGS: Final = _Spellings()


@dataclass(frozen=True, slots=True)
class KnownWords:
    """What stands behind a surname that is also a word, and tells which it is: policy.yaml, `known_words`."""

    acts: frozenset[str]  # what only a person does
    speech: frozenset[str]  # of these, what proves a name in small letters, too
    phrases: Mapping[str, frozenset[str]]  # by word: one or two words that make it one when they follow
    headings: frozenset[str]


class _Verdict(Enum):
    NAME = auto()
    WORD = auto()
    UNDECIDED = auto()


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


def find_known(text: str, known: Known, lexicon: Lexicon, words: KnownWords) -> Iterator[Span]:
    """Every mention of `known` in `text`, in any case, order, spacing and accents, with score 1."""
    text = text.translate(_SPELLINGS)
    yield from _matches(text, _whole_names(known.names), Category.NAME, "KnownName")
    for start, end, verdict in _name_parts(text, known.names, lexicon, words):
        if verdict is _Verdict.NAME:
            yield Span(start, end, Category.NAME, 1.0, "KnownNamePart")
    for values, category, recogniser in (
        (known.mrns, Category.MRN, "KnownMrn"),
        (known.numbers, Category.OTHER_ID, "KnownNumber"),
        (known.phones, Category.PHONE, "KnownPhone"),
        (known.dates, Category.DATE, "KnownDate"),
    ):
        yield from _matches(text, _separated(values), category, recogniser)
    yield from _matches(text, _spaced(known.addresses), Category.LOCATION, "KnownAddress")
    emails = (re.escape(email.translate(_SPELLINGS)) for email in known.emails)
    yield from _matches(text, emails, Category.EMAIL, "KnownEmail")


def undecided(
    text: str, known: Known, lexicon: Lexicon, words: KnownWords, found: Iterable[Span]
) -> list[tuple[int, int]]:
    """Where a part of a known name stands that may be a name or a word, and none of `found` covers it."""
    open_ = [
        (start, end)
        for start, end, verdict in _name_parts(text.translate(_SPELLINGS), known.names, lexicon, words)
        if verdict is _Verdict.UNDECIDED
    ]
    spans = list(found) if open_ else []
    return [(s, e) for s, e in open_ if not any(span.start <= s and e <= span.end for span in spans)]


def _matches(text: str, patterns: Iterable[str], category: Category, recogniser: str) -> Iterator[Span]:
    alternatives = "|".join(sorted({pattern for pattern in patterns if pattern}, key=len, reverse=True))
    if alternatives:
        for match in re.finditer(rf"(?<!\w)(?:{alternatives})(?!\w)", text, re.IGNORECASE):
            yield Span(match.start(), match.end(), category, 1.0, recogniser)


def _parts(name: str) -> list[str]:
    return [part for part in _TOKEN.findall(name.translate(_SPELLINGS)) if part.casefold() not in _NOT_A_NAME]


def _whole_names(names: Iterable[str]) -> Iterator[str]:
    """ "Mary Ann Smith" also as "Smith, Mary Ann" and "Smith, M."."""
    for name in names:
        parts = [re.escape(part) for part in _parts(name)]
        if len(parts) > 1:
            gap = r"[\s,.'-]{1,3}"
            yield gap.join(parts)
            yield gap.join((parts[-1], *parts[:-1]))
            yield gap.join((parts[0], r"(?:\w\.?" + gap + ")?" + parts[-1]))
            yield rf"{parts[0][0]}\.?{gap}{parts[-1]}"
            yield rf"{parts[-1]},\s?{parts[0][0]}\b\.?"


def _name_parts(
    text: str, names: Iterable[str], lexicon: Lexicon, words: KnownWords
) -> Iterator[tuple[int, int, _Verdict]]:
    """Each part of a name by itself: where it stands, and whether it is the name there."""
    parts = {part.casefold() for name in names for part in _parts(name) if len(part) > 1}
    for match in _TOKEN.finditer(text):
        part = match[0].casefold()
        if part not in parts:
            continue
        verdict = _Verdict.NAME
        if len(part) < 3 or lexicon.is_word(part):
            verdict = _verdict(text, *match.span(), lexicon, words)
        yield match.start(), match.end(), verdict


def _verdict(text: str, start: int, end: int, lexicon: Lexicon, words: KnownWords) -> _Verdict:
    """Whether a part that is also a word ("White", "May", "Ng") is the name at `start`.

    A capital says so amid a sentence, unless the words behind make it a phrase ("White matter", "MAY
    RETURN"). Where a sentence begins it says nothing by itself: what a person does behind it makes it a
    name, and another word of the vocabulary leaves it undecided.
    """
    word, before = text[start:end], text[max(0, start - 40) : start]
    following = _NEXT.match(text, end)
    one = following["one"].casefold() if following else ""
    two = f"{one} {following['two'].casefold()}" if following and following["two"] else one
    acts = one in words.acts or _PERSON.match(text, end) is not None
    if not word[0].isupper():
        return _Verdict.NAME if one in words.speech else _Verdict.WORD
    if _TITLED.search(before):
        return _Verdict.NAME
    if not words.phrases.get(word.casefold(), frozenset()).isdisjoint((one, two)):
        return _Verdict.WORD
    abbreviated = len(word) == 2 and word.isupper() and not _line_of_capitals(text, start)
    if abbreviated and _ARTICLE.search(before):
        return _Verdict.WORD  # "the ED", "an NG": a person has no article
    if acts:
        return _Verdict.NAME
    if abbreviated:
        return _Verdict.UNDECIDED
    line = before.rstrip(" \t")
    if line and line[-1] not in _OPENINGS:
        return _Verdict.NAME
    if text[end : end + 1] == ":":
        return _Verdict.WORD if word.casefold() in words.headings else _Verdict.UNDECIDED
    if (one and lexicon.is_word(one)) or text[end : end + 2].strip().isdigit():
        return _Verdict.UNDECIDED
    return _Verdict.NAME


def _line_of_capitals(text: str, at: int) -> bool:
    """Whether the line around `at`, up to 200 characters of it, has no small letter."""
    start = max(text.rfind("\n", 0, at) + 1, at - 100)
    end = text.find("\n", at, at + 100)
    return text[start : end if end >= 0 else at + 100].isupper()


def _separated(values: Iterable[str]) -> Iterator[str]:
    """Letters and digits with any separator, or none, between them; four at least."""
    for value in values:
        value = value.translate(_SPELLINGS)
        characters = [character for character in value if character.isalnum()]
        if len(characters) >= 4:
            yield r"[-\s./()]{0,2}".join(map(re.escape, characters))


def _spaced(values: Iterable[str]) -> Iterator[str]:
    """A whole address with any spacing, and its first line by itself."""
    for value in values:
        for piece in {value, value.split(",")[0].split("\n")[0]}:
            words = re.findall(r"\w+", piece.translate(_SPELLINGS))
            if sum(map(len, words)) >= 6:
                yield r"[\s,.#-]{1,3}".join(map(re.escape, words))
