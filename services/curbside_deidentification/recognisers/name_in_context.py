"""Names that their own words and the words around them make likely. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.gate import before_eponym
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import BARE_EPONYMS, PEOPLES
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.deeds import is_deed
from curbside_deidentification.recognisers.writing.evidence import Candidate, NameReader
from curbside_deidentification.recognisers.writing.names import CREDENTIAL
from curbside_deidentification.recognisers.writing.surroundings import ANY_LABEL, before, behind, is_possessor

_BEGINNING: Final = re.compile(
    r"(?<![\w'’.@^])(?<!\w-)(?:[^\W\d_a-zß-öø-ÿ]|(?:van|von|de|del|da|di|al)[ ](?=[A-Z]))"
)
# From one name of a list to the next: "Ruth Vanterpool, MD; J. Lind", "Osgood and Lind".
_CHAIN: Final = re.compile(
    rf"(?:[ ]?,?[ ]{{0,2}}(?:{CREDENTIAL}|DO|MD)\.?){{0,3}}(?P<sign>[ ]?[;&/][ ]{{0,2}}|,?[ ](?:and|"
    rf"AND)[ ]|,[ ])(?:(?:Drs?|Mr|Mrs|Ms|DRS?|MRS?|MS)\.?[ ])?"
)
_AFTER_COMMA: Final = 1.5
_SLIGHT: Final = 0.5
# What weighs as much is a name for a list's sake, although nothing stands around it.
_CERTAIN: Final = 2.0
# "Osgood (RTO)": the initials of the name before them.
_INITIALS_IN_BRACKETS: Final = re.compile(r"[ ]?[(\[]([A-Z]{2,4})(?=[)\]])")
_SMALL: Final = re.compile(r"(?:(?<![\w.'’-])[a-z][a-z'’-]*|\bw/)[ ]\(?\Z")
_GOES_ON_IN_CAPITALS: Final = re.compile(
    r"[ ]?[-–][ ]?\w|[ ]?&[ ]?[A-Z]|[ ]\d|[ ](?:[A-Z]|of\b|[IVX]+\b)|['’]s[ ][A-Z]"
)
# Before an instrument or a place of the body that is named after somebody, and behind it.
_OF_A_THING: Final = re.compile(
    r"(?:\b(?:using|utilizing|via|through|French|Fr|size|modified|standard|mini|blade|mm|cm|gauge|"
    r"type|model|implants?:|"
    r"implant|scanner)|#[ ]?\d+|[-–])[ ]\Z",
    re.IGNORECASE,
)
_THING: Final = re.compile(
    r"[ ](?:signs|tests?|scales?|rats?|mice|mouse|strain|mesh|devices?|"
    r"blades?|scalpels?|punch|rods?|"
    r"plates?|screws?|nails?|bod(?:y|ies)|cells?|factor|facies|salt|cycle|mouth|collateral|"
    r"electro\w*|algorithm|drains?|"
    r"knif\w+|clips?|bags?|trocars?|ports?|balloons?|probes?|system|technique|guidelines|"
    r"inventory|questionnaire|solution|"
    r"et\s?al|pacemaker|S/N|serial|lot|said[ ]appeal)|['’]s[ ](?:angina|pouch|palsy|disease|"
    r"syndrome|sign|esophagus|contracture|cyst|law|"
    r"triangle|membrane|capsule|ligament|tumou?r|thyroiditis|edema|phenomenon|facies|solution|"
    r"sarcoma|lymphoma|triad|point|"
    r"maneuver|test|chorea|dementia|encephalopathy|anemia|gangrene|node|space|canal|line|ring|"
    r"nevus|duct|gland|"
    r"corpuscles?|granulomatosis|formula|criteria|classification|s\b)|,[ ](?:lot|S/N|ser\b)"
)
_NO_SURNAME: Final = re.compile(r"(?:[a-z]{3}s|ing|ly|tion|ment|ism|osis|itis|emia|oma|ine|[A-Z])$")
_AUXILIARY: Final = re.compile(
    r"[ ](?!(?:is|was|has|had|said|went|came|saw|left|took|gave|got)\b)[a-z]+(?<!s)(?<!ed)\b"
)
_IN_CAPITALS: Final = re.compile(r"[ ]?[-–—][ ]?\w|[ ][A-Z]")
_NOBODY: Final = PEOPLES | BARE_EPONYMS
_MONTHS: Final = frozenset(("april", "may", "june", "august"))
_PAIR: Final = 2.5  # a frequent given name and a frequent surname
_TWO_WORDS: Final = re.compile(r"[A-Z][a-z]+[ ][A-Z][a-z]+")
_ALONE: Final = re.compile(r"(?:[a-z]|[a-zI.!?;)],|[.!?;:)])[ ][\"“(]?\Z|[a-z][ ]?[(\[]\Z")
_LINE_ENDS: Final = re.compile(r"[ ]?:|[ ]?[\r\n]")
_GOES_ON: Final = re.compile(r"(?:and|or|is|was|has|who|w/|with)\b")
_INITIALS_BEHIND: Final = re.compile(r"/(?!RN\b|MD\b|NP\b|PA\b|DO\b|PT\b|OT\b)[A-Z]{2,3}(?![\w/])")
_LABEL: Final = 3.0
_STRONG: Final = 2.0
_DEGREE: Final = 2.5
_EPONYM: Final = 4.5
_ENOUGH: Final = 3.0
# Without a cue only a given name with a surname is enough: "Winifred Hand".
_ENOUGH_BY_ITSELF: Final = 3.5


class NameInContext:
    """A name adds up: what its words weigh, and what stands before and behind it.

    "Rose" weighs 1, behind "her wife" 2 more: a name. "Rose Banks, MD", "J.W. Brown is a 60-year-old".
    """

    def find(self, text: str, lexicon: Lexicon, known: Collection[str] = ()) -> Iterator[Span]:
        """`known` are parts, in small letters, of names found already: they weigh as much as a given name."""
        reader = NameReader(text, lexicon, known)
        reached = 0
        for match in _BEGINNING.finditer(text):
            if match.start() < reached:
                continue
            candidate = reader.read(match.start())
            if candidate is None:
                continue
            link = _CHAIN.fullmatch(text, reached, candidate.start) if reached else None
            if link is None and text[candidate.start - 1 : candidate.start] == "/" and candidate.start:
                continue
            end = self.end(text, candidate, lexicon, _link(link))
            if end is not None or (candidate.weight >= _CERTAIN and _anchors(text, candidate)):
                reached = end or candidate.end
            if end is not None:
                if initials := _INITIALS_BEHIND.match(text, end):
                    end = initials.end()
                elif (initials := _INITIALS_IN_BRACKETS.match(text, end)) and _of(initials[1], candidate):
                    end = initials.end(1)
                yield Span(candidate.start, end, Category.NAME, 0.8, "NameInContext")

    def end(self, text: str, candidate: Candidate, lexicon: Lexicon, link: float) -> int | None:
        """Where the name ends, None where it is none. `link`: how surely it goes on a list of names."""
        right = behind(text, candidate.end)
        left = link or before(text, candidate.start)
        if left == ANY_LABEL and text[candidate.start + 1 : candidate.start + 2] != ".":
            left = 0
        if (
            left == _SLIGHT
            and candidate.listed
            and not candidate.plain
            and (right or len(candidate.parts) > 1)
        ):
            left = 1
        if left == 1 and candidate.listed and not candidate.plain:
            left = _AFTER_COMMA
        inside = _inside(text, candidate, left)
        total = candidate.weight + left + right + inside
        if left >= 0 and _is_pair(text, candidate):
            total += 1
        if left >= 0 and _by_itself(text, candidate, lexicon):
            return candidate.end
        if total < (_ENOUGH if left or right or inside > 1 else _ENOUGH_BY_ITSELF):
            return None
        if (
            not candidate.listed
            and left < 1
            and (right < _STRONG or not candidate.parts or _NO_SURNAME.search(candidate.parts[-1]))
        ):
            return None
        if before_eponym(text, candidate.end) or (left < 1 and _THING.match(text, candidate.end)):
            return None
        if left < _STRONG and right < _DEGREE and _abbreviates(text, candidate):
            return None
        if len(candidate.parts) == 1:
            if _names_a_thing(text, candidate, lexicon, left, right):
                return None
            begins = left >= _LABEL or left == 0 or 0 < link < _STRONG
            if (
                begins
                and not (candidate.given and left >= _LABEL)
                and candidate.plain
                and candidate.weight < _CERTAIN
                and right < _STRONG
            ):
                # Behind a label a word goes on in small letters: "Patient: Well appearing".
                return None if _sentence(text, candidate.end) else candidate.end
        return candidate.end


def _mid_sentence(text: str, candidate: Candidate) -> bool:
    """Whether small letters stand before and none of a heading or another name behind: "by Hand at noon"."""
    if not all(part[1:].islower() and part.casefold() not in PEOPLES for part in candidate.parts):
        return False
    if len(candidate.parts) == 1 and candidate.parts[0].casefold() in _MONTHS:
        return False
    small = _SMALL.search(text, max(0, candidate.start - 20), candidate.start)
    return small is not None and _GOES_ON_IN_CAPITALS.match(text, candidate.end) is None


def _is_pair(text: str, candidate: Candidate) -> bool:
    """Whether a given name and a surname, both also words, stand alone among small letters: "Will Power"."""
    written = text[candidate.start : candidate.end]
    return (
        candidate.plain
        and candidate.given
        and candidate.weight >= _PAIR
        and _TWO_WORDS.fullmatch(written) is not None
        and _ALONE.search(text, max(0, candidate.start - 8), candidate.start) is not None
        and _GOES_ON_IN_CAPITALS.match(text, candidate.end) is None
        and _LINE_ENDS.match(text, candidate.end) is None
    )


def _by_itself(text: str, candidate: Candidate, lexicon: Lexicon) -> bool:
    """Whether all parts are frequent names that are no words, written as names are, and of no thing."""
    return (
        candidate.listed
        and not candidate.plain
        and len(candidate.parts) > 0
        and not any(
            len(part) < 4
            or (part.isupper() and (len(part) < 5 or _in_prose(text, candidate)))
            or part.casefold() in lexicon.eponyms
            or part.casefold() in _NOBODY
            for part in candidate.parts
        )
        and (candidate.given or not text.endswith("of ", 0, candidate.start))
        and _OF_A_THING.search(text, max(0, candidate.start - 14), candidate.start) is None
        and _THING.match(text, candidate.end) is None
        and _IN_CAPITALS.match(text, candidate.end) is None
        and not before_eponym(text, candidate.end)
    )


def _inside(text: str, candidate: Candidate, left: float) -> float:
    """What a capital inside a sentence, or initials inside a line, add."""
    written = text[candidate.start : candidate.end]
    if left >= 0 and candidate.plain and candidate.weight >= 1 and _mid_sentence(text, candidate):
        return 2
    capital = left >= 1 and candidate.plain and candidate.weight >= 1 and not written.isupper()
    return 0.5 if capital or (left and written[1:2] == ".") else 0


def _abbreviates(text: str, candidate: Candidate) -> bool:
    """Whether all parts are short, in capitals, and in prose: "MPS IVA"."""
    short = all(part.isupper() and len(part) < 5 for part in candidate.parts)
    return short and len(candidate.parts) > 1 and _in_prose(text, candidate)


def _names_a_thing(text: str, candidate: Candidate, lexicon: Lexicon, left: float, right: float) -> bool:
    """Whether the one part of `candidate` is as likely an element, a sign or an abbreviation."""
    part = candidate.parts[0]
    if candidate.end - candidate.start > len(part):
        return False  # with an initial
    if left < 1 and part.casefold() in ("will", "may") and _AUXILIARY.match(text, candidate.end):
        return True  # "Will return on Monday"
    if len(part) == 2 and left < _STRONG and right < _STRONG:
        return True  # "Na", "Li"
    if part.casefold() in lexicon.eponyms and right < _DEGREE and candidate.weight + left + right < _EPONYM:
        if right >= _STRONG and (is_deed(text, candidate.end) or is_possessor(text, candidate.end)):
            return False
        if left >= 1 and part.casefold() not in BARE_EPONYMS and (left >= _STRONG or not part.isupper()):
            return False
        goes_on = text[candidate.end : candidate.end + 1] == " "
        return left < _STRONG or goes_on
    # "AZT was stopped", "TED stockings".
    return (
        part.isupper() and left < _LABEL and (left < _STRONG or len(part) < 4) and _in_prose(text, candidate)
    )


def _of(initials: str, candidate: Candidate) -> bool:
    return bool(candidate.parts) and candidate.parts[-1][0].upper() in (initials[0], initials[-1])


def _anchors(text: str, candidate: Candidate) -> bool:
    """Whether a list of names may begin with it: not with "Na" or "TED"."""
    written = text[candidate.start : candidate.end]
    return len(written) > (4 if written.isupper() else 2)


def _in_prose(text: str, candidate: Candidate) -> bool:
    """Whether small letters stand around it."""
    around = text[max(0, candidate.start - 16) : candidate.start] + text[candidate.end : candidate.end + 16]
    return any(letter.islower() for letter in around)


def _sentence(text: str, end: int) -> bool:
    return (
        text[end : end + 1] == " " and text[end + 1 : end + 2].islower() and not _GOES_ON.match(text, end + 1)
    )


def _link(match: re.Match[str] | None) -> float:
    if match is None:
        return 0
    return _AFTER_COMMA if match["sign"].strip() == "," else _STRONG
