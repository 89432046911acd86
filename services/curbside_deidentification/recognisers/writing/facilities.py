"""What of a facility's mention is its own name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside_deidentification.domain.lexicon import GENERIC, Lexicon, longest_town, town_key, town_states
from curbside_deidentification.recognisers.writing.addresses import TOWN
from curbside_deidentification.recognisers.writing.facility_kinds import ACRONYMS, KINDS, MORE_KIND, NO_KIND
from curbside_deidentification.recognisers.writing.facility_words import (
    CONNECTORS,
    FUNCTION_WORDS,
    says_which,
    toponymic,
)
from curbside_deidentification.recognisers.writing.places import all_words, opens_line

_NAME_WORD: Final = re.compile(r"(?=[^\W\d_a-z])[^\W\d_][^\d_]*")
_ORDINAL: Final = re.compile(r"\d{1,3}(?:st|nd|rd|th|ST|ND|RD|TH)")
_FARTHEST: Final = 90  # characters before a kind: longer names are no names
_PIECES: Final = re.compile(r"[^\s]+")
_PLACED: Final = re.compile(
    r"\b(?i:at|from|to|in|by|near|outside|of|with|via|through)[ ](?:(?i:the|our)[ ])?$"
)
# "Institute for Sight", and not "to Quarry Hill for Rehab".
_FOR: Final = re.compile(r"(?i:center|centre|institute|home|foundation)[ ]$")
_OPENS: Final = re.compile(r"[:|^\t][ \t]{0,8}$|[,;][ ]$|[ ][-–|•][ ]$|[ ]{2}$")
_BEHIND: Final = re.compile(
    r"(?:[ ](?P<joined>(?i:of|at|in))(?:[ ](?i:the))?[ ]|[ ]?[-–,]?[ ]|[ ]?@[ ]?)(?P<town>(?:(?:St|Mt|Ft|"
    r"ST|MT|FT)\.[ ])?"
    r"[^\W\d_a-z][^\W\d_]{1,30}(?:[ '’-][^\W\d_a-z][^\W\d_]{1,30}){0,2})(?![\w:])"
)


_STOP: Final = re.compile(r"[ ]{0,3}(?:[.,;)\r\n]|$)")
_BESIDE: Final = re.compile(rf"(?:[ ]{{1,3}}[|•·–-][ ]{{1,3}}|,[ ])(?P<town>{TOWN})")
_TOWN_WORDS: Final = re.compile(r"[^\s'’-]+(?:['’-][^\s'’-]+)*")


def own_name(text: str, start: int, end: int, lexicon: Lexicon) -> int | None:
    """Where the facility's own name starts, or None where nothing before its kind is a name."""
    words = [(match.start(), match[0].strip(".,")) for match in re.finditer(r"\S+", text[start:end])]
    opening = None
    for offset, word in words:
        bare = word.casefold()
        if bare in GENERIC or not word[:1].isupper():
            continue
        if opening is None and opens_line(text, start):
            opening = start + offset
        if (
            bare in ("saint", "st", "mt", "mount")
            or not lexicon.is_word(word)
            or not _heading(text, start + offset)
        ):
            return start + offset if opening is None else opening
    whole_line = opens_line(text, start) and text[end : end + 1] in ("", "\n", "\r")
    return opening if whole_line else None


def _heading(text: str, at: int) -> bool:
    """Whether the word at `at` opens a line in capitals or a sentence, where a capital proves nothing."""
    before = text[:at].rstrip(" ")
    return not before or before[-1] in ".\n:;•*-"


def named_by_kind(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Where names of facilities begin and end: the words that go before a kind of place in the same line.

    Read backwards from the kind, so that in capitals, too, a name ends where a sentence's words begin.
    """
    for kind in KINDS.finditer(text):
        if not kind[0][0].isupper():
            continue
        capitals = kind[0].isupper() and kind[0].casefold() not in ACRONYMS
        words = _words_before(text, kind.start(), upper=capitals)
        opening = words[0][0] if words else kind.start()
        named = [word for _, word in words if says_which(word)]
        if named and not NO_KIND.match(text, kind.end()) and _proven(text, words, named, kind, lexicon):
            yield opening, _end_of(text, kind.end(), lexicon)
        elif kind["care"] or words:
            # "VA Medical Center Duluth", "Children's Hospital of Ashby": what is behind says which.
            end = _end_of(text, kind.end(), lexicon)
            if end > kind.end() and (_of_veterans(words) or _names_town(text[kind.end() : end], lexicon)):
                yield opening, end


def _words_before(text: str, end: int, *, upper: bool) -> list[tuple[int, str]]:
    """Up to six words of a name before `end`, in order: capitalised, or joining two that are."""
    farthest = max(0, end - _FARTHEST)
    begin = max(text.rfind(mark, farthest, end) + 1 for mark in "\n|^") or farthest
    found: list[tuple[int, str]] = []
    reached = end
    for piece in reversed(list(_PIECES.finditer(text, begin, end))):
        word = piece[0]
        if (
            len(found) == 6
            or (piece.start() == farthest and farthest > 0)
            or reached - piece.end() > 1
            or (not found and reached == piece.end())
        ):
            break
        bare = word.strip("'’\"“”(").rstrip(".")
        abbreviation = word.endswith(".") and bare.casefold() in ("st", "mt", "ft", "dr", "j", "a")
        if word[-1] in ".,;:!?)]*•" and not abbreviation:
            break
        if bare.casefold() == "our" and found and found[-1][1].casefold() == "lady":
            found.append((piece.start(), bare))
        elif bare.casefold() == "for" and not _FOR.search(text, begin, piece.start()):
            break
        elif bare.casefold() in CONNECTORS:
            found.append((piece.start(), bare.casefold()))
        elif (
            bare.casefold() in FUNCTION_WORDS
            or not (_ORDINAL.fullmatch(bare) or _NAME_WORD.fullmatch(bare))
            or (upper and not bare.isupper() and len(bare) > 3)
        ):
            break
        else:
            found.append((piece.end() - len(word.lstrip("'’\"“”(")), bare))
        reached = piece.start()
        if word[0] in '("“':
            break
    while found and found[-1][1] in CONNECTORS:
        found.pop()
    return found[::-1]


def _of_veterans(words: list[tuple[int, str]]) -> bool:
    return any(word.casefold() in ("va", "veterans", "veterans'") for _, word in words)


def _proven(
    text: str, words: list[tuple[int, str]], named: list[str], kind: re.Match[str], lexicon: Lexicon
) -> bool:
    """Whether `words` before `kind` are a name: by landscape, saints, partners, odd words or their place."""
    opening = words[0][0]
    placed = _PLACED.search(text, max(0, opening - 16), opening) is not None
    opens = opens_line(text, opening) or _OPENS.search(text, max(0, opening - 12), opening) is not None
    if any(toponymic(word) for word in named) and (kind["care"] or len(words) > 1 or placed or opens):
        return True
    unknown = [word for word in named if not lexicon.is_word(word) and len(word) > 2]
    if unknown and (kind["care"] or not all(word.isupper() for word in unknown) or placed or opens):
        return True
    if len(named) > 1 and any(word == "&" for _, word in words):
        return True
    if not kind["care"]:
        return False
    return placed or opens or (not kind[0].isupper() and not _heading(text, opening))


def _end_of(text: str, end: int, lexicon: Lexicon) -> int:
    """Where a name ends that goes on behind its kind: with another kind, or with the town it is named by."""
    more = MORE_KIND.match(text, end)
    if more:
        end = more.end()
    behind = _BEHIND.match(text, end)
    if behind is None or (not behind["joined"] and text[end : behind.start("town")].strip()):
        return end
    words = [word.span() for word in _TOWN_WORDS.finditer(text, *behind.span("town"))]
    joined = (behind["joined"] or "").casefold()
    # "Clinic in Mobile" is in a town, "STAYED IN HOSPITAL IN NORMAL HEALTH" is not.
    if joined and (listed := longest_town(behind["town"])):
        last = behind.start("town") + listed
        if joined == "of" or not behind["town"].isupper() or _STOP.match(text, last):
            return last
    reached = end
    for at, last in words:
        bare = text[at:last].strip(".")
        named = not lexicon.is_word(bare) or text[last - 1] == "." or (joined == "of" and reached == end)
        if bare.casefold() in GENERIC or not named:
            break
        reached = last
    return reached


def town_beside(text: str, end: int) -> tuple[int, int] | None:
    """Where the listed town stands that a bar, a dash or a comma parts from the name that ends at `end`."""
    beside = _BESIDE.match(text, end)
    listed = longest_town(beside["town"]) if beside else 0
    return (beside.start("town"), beside.start("town") + listed) if beside and listed else None


def _names_town(behind: str, lexicon: Lexicon) -> bool:
    """Whether `behind`, " of Ashby", has a town's name: one that is listed or no plain word."""
    joined, _, town = behind.strip().partition(" ")
    if joined.casefold() != "of":
        return False
    return town_key(town) in town_states() or not all_words(town, lexicon)
