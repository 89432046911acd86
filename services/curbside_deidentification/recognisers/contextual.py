"""What the fitted tagger takes for an identifier of any kind. 45 CFR 164.514(b)(2)(i)(A) to (R).

The tagger was fitted on made-up notes, so what it says is held against the vocabulary and against the forms
that findings share with identifiers: a fraction, a range, an eponym, an abbreviation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.gate import before_eponym
from curbside_deidentification.domain.lexicon import WORD, Lexicon, abbreviations
from curbside_deidentification.domain.name_words import phrases
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.domain.tagging import Tagged, Tagger, by_density
from curbside_deidentification.recognisers.age_with_sex import HOT
from curbside_deidentification.recognisers.writing.days import is_measured

# How probably a token is part of an identifier: of any, and of what looks like something else, too. Low, for
# what is left identifies somebody, and what is removed is a word.
LEAST: Final = 0.1
_NO_LISTED_NAME: Final = 0.35
_SMALL_LETTERS: Final = 0.4
_PLACE_OF_WORDS: Final = 0.4
_SHORT_NUMBER: Final = 0.5
_ABBREVIATION: Final = 0.6
_BEGINS_SENTENCE: Final = 0.75
_COMPOUND: Final = 0.9
_AGE_OF_THREE_DIGITS: Final = 0.9
_DAY_WITHOUT_YEAR: Final = 0.9
_DAY_BEFORE_NAME: Final = 0.6  # "3/14 Osgood", as logs begin an entry
_MEASURED_DAY: Final = 0.95  # behind a word for what is measured, which may be a name: "Power, 2/1"
_SHORT_PHONE: Final = 0.4
_INTERNAL_PHONE: Final = 0.2  # of four or five figures that are neither a year nor a time of day
_WORD_ALONE: Final = 0.7
_SURE: Final = 0.97
# The rules know the forms; where one of them overlaps, it says what the mention is.
_MOST: Final = 0.75

_JOINED: Final = re.compile(r"[ ]{0,2}")
_WRITTEN: Final = re.compile(r"\w(?:.*\w)?[.)]?", re.DOTALL)
# "p.r.n.", "q.i.d.": the letters of a prescription.
_LETTERS: Final = re.compile(r"(?:[a-z]\.[ ]?)+(?:[a-z]\.?)?")
_UNIT_BEFORE: Final = re.compile(r"\d[ ]?[A-Za-zµμ]{1,5}/\Z")
_DENOMINATOR: Final = re.compile(
    r"[dcmµμ]?l|min|h(?:r|our)?|[mk]?g|d(?:ay)?|w(?:ee)?k|s(?:ec)?|mm|[hl]pf", re.I
)
_INITIALS: Final = re.compile(r"(?:[A-Z]\.?[ -]?){1,4}")
# A fraction, a score, a ratio, a range of weeks: without a year, few are days.
_FRACTIONS: Final = re.compile(r"[\d/.-]+")
_DAY: Final = re.compile(
    r"\d{1,2}([/.-])\d{1,2}\1(?:\d{2}|\d{4})|\d{4}([/.-])\d{1,2}\2\d{1,2}|(?:0?[1-9]|1[0-2])/(?:19|20)?\d{2}"
    r"|\d{6}|\d{8}"
)
_MONTH_AND_DAY: Final = re.compile(r"(?:0?[1-9]|1[0-2])[/-](?:0?[1-9]|[12]\d|3[01])")
_YEARS: Final = re.compile(r"(?:19|20)\d{2}(?:[ ]?[-–/][ ]?(?:19|20)?\d{2})?")
_FIGURES: Final = re.compile(r"\d[\d,]*")
_HIGH_AGE: Final = 90
_OF_THREE_DIGITS: Final = 100
_OLDEST: Final = 120
_MONTHS: Final = re.compile(r"[ -]?months?\b")
_OF_HIGH_AGE: Final = re.compile(r"nine?t|hundred|nonagen|centen", re.IGNORECASE)
_DIGITS: Final = re.compile(r"\d")
_FEW_DIGITS: Final = 4
_PHONE_DIGITS: Final = 7
_INTERNAL: Final = re.compile(r"(?!(?:19|20)\d\d\b|(?:[01]\d|2[0-3])[0-5]\d\b)\d{4,5}")
_OF_A_DAY: Final = re.compile(
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[a-z]*\b"
    r"|\d[ ]?(?:st|nd|rd|th)\b",
    re.IGNORECASE,
)
# Amid a sentence a code without a label is a compound, a strain or a variant: "the antagonist AB1234567".
_AMID_SENTENCE: Final = re.compile(r"(?:[a-z]{2,}[ ]?,?|\b[A-Z]{2,4}|[ ]-)[ ]?(?:\([ ]?)?\Z")
_BEGINNING: Final = re.compile(r"(?:\A|[.!?\n])\s*[-•*]?[ ]?\Z")
_SEX: Final = re.compile(r"\w[ ][MF]\Z")
# Behind an age, or before one: "95/F".
_SEX_BEHIND: Final = re.compile(r"\d[ ]?[/ ][ ]?\Z")
_SERVICES: Final = phrases("services")
# "JUNE 5 HIS WIFE": how what is told of the day begins.
_TOLD: Final = re.compile(
    r"(?<=\d)[ ](?:his|her|he|she|they|their|the|an?|pt|patient|and|was|is|had|has|with|for|to|at|in|when)\Z",
    re.IGNORECASE,
)
_SENTENCE_ENDS: Final = re.compile(r"[A-Za-z][a-z]{2}\.\Z")
_YEAR_ALONE: Final = re.compile(r"(?:19|20)\d\d")
_IN_YEAR: Final = re.compile(
    r"\b(?:since|in|of|from|until|till|before|after|by|during|circa|around|year)[ ]\Z", re.IGNORECASE
)
_AGE_BEHIND: Final = re.compile(r"/\d")
_SMALL: Final = re.compile(r"[a-z]{3}")
_AROUND: Final = 24
_NEAR: Final = 4  # characters
_NAMED: Final = 0.5
_SHORT_WORD: Final = 4


@dataclass(frozen=True)
class _Mention:
    """Tokens in a row, and how surely the surest of them is part of an identifier."""

    text: str
    start: int
    end: int
    surest: float
    before_name: bool = False  # probably, and right behind it

    @property
    def written(self) -> str:
        return self.text[self.start : self.end]

    @property
    def before(self) -> str:
        return self.text[max(0, self.start - _AROUND) : self.start]

    @property
    def behind(self) -> str:
        return self.text[self.end : self.end + _AROUND]


class Contextual:
    """Tokens in a row that the tagger holds for parts of an identifier of one kind are one mention."""

    def __init__(self, tagger: Tagger, least: float = LEAST) -> None:
        self._tagger, self._least = tagger, least

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        tagged = [
            token
            for token in by_density(text, self._tagger.read(text, lexicon))
            if token.probability >= self._least
        ]
        for category, mention in _beside([*_mentions(text, tagged)]):
            if _CHECKS.get(category, _is_number)(mention, lexicon):
                score = min(round(mention.surest, 2), _MOST)
                yield Span(mention.start, mention.end, category, score, "Contextual")


def _mentions(text: str, tagged: Iterable[Tagged]) -> Iterator[tuple[Category, _Mention]]:
    rows: list[list[Tagged]] = []
    for token in tagged:
        if rows and _goes_on(text, rows[-1][-1], token):
            rows[-1].append(token)
        else:
            rows.append([token])
    for row in rows:
        written = _WRITTEN.search(text, row[0].start, row[-1].end)
        if written is not None:
            surest = max(token.probability for token in row)
            yield row[0].category, _Mention(text, written.start(), _end(text, *written.span()), surest)


def _beside(mentions: Sequence[tuple[Category, _Mention]]) -> Iterator[tuple[Category, _Mention]]:
    """`mentions`, each with whether probably a name stands right behind it."""
    for (category, mention), (next_category, behind) in pairwise(mentions):
        named = next_category is Category.NAME and behind.surest >= _NAMED
        yield category, replace(mention, before_name=named and behind.start - mention.end <= _NEAR)
    yield from mentions[-1:]


def _end(text: str, start: int, end: int) -> int:
    """Without the sex behind a name, which an initial looks like ("OSGOOD RUTH F/58"), and without the words
    behind a day."""
    told = _TOLD.search(text, start, end)
    if told is not None:
        return told.start()
    return end - 2 if _SEX.search(text, start, end) and _AGE_BEHIND.match(text, end) else end


def _goes_on(text: str, last: Tagged, token: Tagged) -> bool:
    if token.category is not last.category or not _JOINED.fullmatch(text, last.end, token.start):
        return False
    ended = token.start > last.end and _SENTENCE_ENDS.search(text, max(0, last.end - 4), last.end)
    return token.category is not Category.NAME or not ended


def _is_name(mention: _Mention, lexicon: Lexicon) -> bool:
    written = mention.written
    if before_eponym(mention.text, mention.end) or _LETTERS.fullmatch(written):
        return False
    if written.rstrip(".") in ("M", "F") and _SEX_BEHIND.search(mention.before):
        return False
    if written.isdigit() and len(written) <= 2:
        return False  # "aunt 88"
    if written.casefold() in _SERVICES and len(written) > _SHORT_WORD:
        return False  # "Attending: Surgery"; shorter ones may be initials
    if mention.before[-1:].isdigit() or mention.behind[:1].isdigit():
        return False  # of a residue or a gene: "Val75"
    if _UNIT_BEFORE.search(mention.before) and _DENOMINATOR.fullmatch(written.rstrip(".)")):
        return False  # "1960 U/L."
    words = [word for word in WORD.findall(written) if len(word) > 1]
    unknown = [word for word in words if not lexicon.general.is_word(word)]
    listed = any(_listed(word, lexicon) for word in words)
    if len(words) == 1 and _BEGINNING.search(mention.before) and not (unknown and listed):
        return mention.surest >= _BEGINS_SENTENCE  # where every word has a capital
    if _INITIALS.fullmatch(written) or (all(map(_is_short, words)) and not listed):
        known = not words or any(word.casefold() in abbreviations() for word in words) or not unknown
        return mention.surest >= _ABBREVIATION or not (known or _amid_small_letters(mention))
    if any(word[0].isupper() and word.casefold() not in lexicon.own for word in unknown):
        return listed or mention.surest >= _NO_LISTED_NAME
    if unknown:  # written in small letters, here or elsewhere in the document
        return mention.surest >= _SMALL_LETTERS
    # Words of the vocabulary that are names, too: "Hand", "Rose".
    return written[0].isupper() and (listed or mention.surest >= _WORD_ALONE)


def _is_short(word: str) -> bool:
    return word.isupper() and len(word) <= _SHORT_WORD


def _amid_small_letters(mention: _Mention) -> bool:
    return bool(_SMALL.search(mention.before) or _SMALL.search(mention.behind))


def _listed(word: str, lexicon: Lexicon) -> bool:
    return word.casefold() in lexicon.surnames or word.casefold() in lexicon.forenames


def _is_place(mention: _Mention, lexicon: Lexicon) -> bool:
    capital = [word for word in WORD.findall(mention.written) if len(word) > 1 and word[0].isupper()]
    if any(not lexicon.is_word(word) for word in capital):
        return True
    return mention.surest >= (_PLACE_OF_WORDS if capital else _SURE)


def _is_day(mention: _Mention, lexicon: Lexicon) -> bool:
    if _MONTH_AND_DAY.fullmatch(mention.written):
        if is_measured(mention.text, mention.start):
            return mention.surest >= _MEASURED_DAY
        return mention.surest >= (_DAY_BEFORE_NAME if mention.before_name else _DAY_WITHOUT_YEAR)
    if _FRACTIONS.fullmatch(mention.written):
        counted = mention.written.isdigit() and mention.surest < _SHORT_NUMBER
        return _DAY.fullmatch(mention.written) is not None and not counted
    return _OF_A_DAY.search(mention.written) is not None


def _is_age(mention: _Mention, lexicon: Lexicon) -> bool:
    """Ages below 90 may stay; "101F" behind a word for fever is a temperature, "is 105" mostly a value."""
    figures = _FIGURES.search(mention.written)
    if figures is None:
        return _OF_HIGH_AGE.search(mention.written) is not None
    if HOT.search(mention.before):
        return False
    if _MONTHS.match(mention.behind):
        return True
    age = int(figures[0].replace(",", ""))
    return _HIGH_AGE <= age <= _OLDEST and (age < _OF_THREE_DIGITS or mention.surest >= _AGE_OF_THREE_DIGITS)


def _is_number(mention: _Mention, lexicon: Lexicon) -> bool:
    digits = len(_DIGITS.findall(mention.written))
    if _YEARS.fullmatch(mention.written) or not digits:
        return False
    if _AMID_SENTENCE.search(mention.before):
        return mention.surest >= _COMPOUND
    return digits > _FEW_DIGITS or mention.surest >= _SHORT_NUMBER


def _is_phone(mention: _Mention, lexicon: Lexicon) -> bool:
    if len(_DIGITS.findall(mention.written)) >= _PHONE_DIGITS:
        return True
    if _YEAR_ALONE.fullmatch(mention.written) and _IN_YEAR.search(mention.before):
        return False
    internal = _INTERNAL.fullmatch(mention.written) is not None
    return mention.surest >= (_INTERNAL_PHONE if internal else _SHORT_PHONE)


_CHECKS: Final[Mapping[Category, Callable[[_Mention, Lexicon], bool]]] = MappingProxyType(
    {
        Category.NAME: _is_name,
        Category.LOCATION: _is_place,
        Category.FACILITY: _is_place,
        Category.DATE: _is_day,
        Category.AGE: _is_age,
        Category.PHONE: _is_phone,
    }
)
