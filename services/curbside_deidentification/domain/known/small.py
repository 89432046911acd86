"""Whether a known name in small letters is the name where it stands: "spoke w/ olive and fern", "olive oil".

Who types without capitals types names so, too. Then no capital says anything, and what is left is how usual
the word is, what persons do, and whom one sees, calls and speaks with.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

from curbside_deidentification.domain.known.identifiers import KnownWords
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.words import Verdict, following, titled
from curbside_deidentification.domain.lexicon import Lexicon, abbreviations

_LISTS: Final = RULES.small
_ANIMATE: Final = _LISTS["animate"]
_BEFORE: Final = re.compile(r"(?P<word>[a-z/'-]+)(?P<mark>[.:,]?)[ \t]{1,3}(?:\r?\n[ \t]{0,8})?$")
_DEALT: Final = re.compile(
    r"(?P<verb>[a-z/]+)?(?:[ \t]{1,2}(?:again|briefly|today|back|over|in|out|up|home|and[ \t]agreed))?"
    r"[ \t]{0,2}(?<![a-z])(?P<link>w/|with|to|by|from|for|per)[ \t]{0,2}$"
)
_OPEN: Final = re.compile(r"(?:^|[.:;!?()\[\]\"*•\n\r>–—-])[ \t]{0,8}$")
_OWNER: Final = re.compile(r"'s(?![^\W_])[ \t]{0,2}(?:[a-z-]+[ \t]{1,2}){0,1}?(?P<owned>[a-z-]*)")
_ENDS: Final = re.compile(r"[ \t]{0,2}(?:[.,;:!?)(/&+\"\]\n\r]|$|[–—-][ \t]|re\b|w/|@|\d)")
_SHORTHAND: Final = re.compile(
    rf"[ \t]{{1,2}}(?:{'|'.join(sorted(map(re.escape, _LISTS['shorthand'])))})(?![^\W_])|"
    rf"[ \t]{{1,2}}\((?:{'|'.join(sorted(_LISTS['relations']))}|pt|patient|self)\b"
)
_FARTHEST: Final = 56


class Usual(IntEnum):
    """How usual a known name is as a word, the rarest first."""

    RARE = 1  # none that anybody writes: "inga"
    SELDOM = 2  # a given name above all: "olive"
    OFTEN = 3  # a given name, and a thing, month or verb: "mark", "will"
    MOSTLY = 4  # a word above all: "white", "long"


def usual(word: str, lexicon: Lexicon, *, given: bool) -> Usual:
    """`given`: whether the source says that it is a given name, by which people are called alone."""
    if len(word) < 3 or word in RULES.placeholders:
        return Usual.MOSTLY
    if word in _LISTS["things"]:
        return Usual.OFTEN
    if word in RULES.common:
        return Usual.SELDOM if word in lexicon.forenames else Usual.MOSTLY
    if given and word not in RULES.also_words and word not in abbreviations():
        return Usual.RARE
    return Usual.SELDOM


def small_verdict(text: str, start: int, end: int, word: str, usually: Usual, words: KnownWords) -> Verdict:
    """What `text[start:end]` is, a known name in small letters that the vocabulary has as `word`.

    LIKELY_WORD is one that nothing beside it decides, and the rest of the document may.
    """
    before = text[max(0, start - _FARTHEST) : start].lower()
    one, two = following(text, end)
    last = _BEFORE.search(before)
    said = last["word"] if last is not None and not last["mark"] else ""
    introduced = last["word"] if last is not None and last["mark"] in ("", ":") else ""
    often = usually >= Usual.OFTEN
    if said in _LISTS["determiners"]:
        return Verdict.WORD
    if usually > Usual.RARE and "-" in (text[start - 1 : start], text[end : end + 1]):
        return Verdict.WORD  # half of a compound: "right-angle"
    phrases = _phrases(word, words)
    if titled(before) and not (often and one in phrases):
        return Verdict.NAME
    if len(word) < 3:
        return Verdict.NAME if one in words.speech else Verdict.WORD
    if two in phrases and two != one:
        return Verdict.WORD
    ends = _ENDS.match(text, end) is not None or one in _LISTS["clause"]
    if ends and _dealt_with(before, said, word, usually):
        return Verdict.NAME
    if one in RULES.eponym_followers or one in phrases:
        return Verdict.WORD
    if _owner(text, end, word, often=often) or _SHORTHAND.match(text, end):
        return Verdict.NAME
    if _related(introduced, one, often=often, ends=ends, words=words):
        return Verdict.NAME
    if _acts(before, said, (one, two), word, usually, words):
        return Verdict.NAME
    if usually is Usual.RARE or _above_all_a_name(said, word, usually):
        return Verdict.NAME
    return Verdict.WORD if often else Verdict.LIKELY_WORD


def person_beside(text: str, start: int, end: int, words: KnownWords) -> bool:
    """Whether what stands beside `start` to `end` is what stands beside a person, for a word that is none."""
    before = text[max(0, start - _FARTHEST) : start].lower()
    last = _BEFORE.search(before)
    said = last["word"] if last is not None and not last["mark"] else ""
    if said in _LISTS["determiners"]:
        return False
    one = following(text, end)[0]
    ends = _ENDS.match(text, end) is not None or one in _LISTS["clause"]
    return (
        titled(before)
        or said in _LISTS["relations"]
        or (ends and _dealt_with(before, said, "", Usual.RARE))
        or _owner(text, end, "", often=False)
        or (one in _ANIMATE - _LISTS["weak"] or (one in words.acts and _subject(before, said)))
    )


def may_be_listed(text: str, start: int, end: int, word: str, lexicon: Lexicon, words: KnownWords) -> bool:
    """Whether a word beside a known name in a list is one itself: "spoke w/ olive and mark re the drain"."""
    one, two = following(text, end)
    if word not in lexicon.forenames or not {one, two}.isdisjoint(_phrases(word, words)):
        return False
    if word in _LISTS["modals"] and one not in _ANIMATE and _ENDS.match(text, end) is None:
        return False
    return _ENDS.match(text, end) is not None or one in _LISTS["clause"] or one in _ANIMATE


def _phrases(word: str, words: KnownWords) -> frozenset[str]:
    none: frozenset[str] = frozenset()
    return words.phrases.get(word, none) | RULES.phrases.get(word, none) | RULES.small_phrases.get(word, none)


def _subject(before: str, said: str) -> bool:
    """Whether a sentence's subject may stand behind `before`."""
    return (
        said in _LISTS["before_subject"]
        or _OPEN.search(before) is not None
        or before.rstrip(" \t").endswith(",")
    )


def _dealt_with(before: str, said: str, word: str, usually: Usual) -> bool:
    """Whether one is seen, called or spoken with: "saw olive", "spoke w/ olive", "here with olive"."""
    if said in _LISTS["contact"] and usually < Usual.MOSTLY:
        return True  # "see back in clinic", "call long before"
    found = _DEALT.search(before)
    if found is None:
        return False
    if found["verb"] in _LISTS["dealings"]:
        return True
    return (
        usually < Usual.OFTEN and found["link"] in ("w/", "with", "per") and word not in _LISTS["ingredients"]
    )


def _owner(text: str, end: int, word: str, *, often: bool) -> bool:
    found = _OWNER.match(text, end)
    if found is None or word in _LISTS["never_owner"]:
        return False
    return not often or following(text, end + 2)[0] in _LISTS["owned"]


def _related(said: str, one: str, *, often: bool, ends: bool, words: KnownWords) -> bool:
    """Whether a relation or "named" stands before: "wife rose", "told mark"."""
    if said not in _LISTS["relations"]:
        return False
    return not often or ends or one in words.acts or one in _ANIMATE


def _above_all_a_name(said: str, word: str, usually: Usual) -> bool:
    """Whether the word is a given name where nothing before it speaks of a thing: "gave fern her tray"."""
    if usually is not Usual.SELDOM or word not in RULES.also_words or said in _LISTS["attributive"]:
        return False
    return word not in _LISTS["ingredients"] or said not in ("with", "w/", "and", "or")


def _acts(
    before: str, said: str, behind: tuple[str, str], word: str, usually: Usual, words: KnownWords
) -> bool:
    """Whether the verb behind is what a person does, the surer the more usual the word is."""
    one, two = behind
    if one in words.speech:
        return said not in ("that", "this")
    if word in words.headings:
        return False
    subject = _subject(before, said)
    if word in _LISTS["modals"]:
        # "will has pain": behind a modal verb a verb has no such form.
        return subject and (one in _ANIMATE or one in ("is", "was"))
    if usually >= Usual.OFTEN:
        return (subject and two.replace(" ", "-") in _LISTS["states"]) or (
            subject and one in _ANIMATE - _LISTS["weak"]
        )
    return (subject and (one in words.acts or one in _ANIMATE)) or one in _ANIMATE - _LISTS["weak"]
