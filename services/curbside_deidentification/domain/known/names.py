"""Every mention of a known person: whole, in parts, misspelled, misread, split, by initials or pet name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.eponyms import Eponym, eponyms
from curbside_deidentification.domain.known.confusions import MisreadWords
from curbside_deidentification.domain.known.edits import NearWords
from curbside_deidentification.domain.known.identifiers import KnownWords
from curbside_deidentification.domain.known.initials import initials
from curbside_deidentification.domain.known.judging import Entry, How, judged, judged_misread
from curbside_deidentification.domain.known.people import Person, people_of
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.small import (
    may_be_listed,
)
from curbside_deidentification.domain.known.spelling import TOKEN, Reading
from curbside_deidentification.domain.known.words import (
    Verdict,
    by_document,
)
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

# Between two parts of one name: spaces, a comma, the caret of HL7, an initial, a particle.
_BETWEEN: Final = re.compile(
    r"[\s,.'^-]{1,3}(?:[^\W\d_]\.?[\s,^]{1,2}){0,2}(?:(?:"
    + "|".join(sorted(RULES.particles, key=len, reverse=True))
    + r")[\s-]){0,3}",
    re.IGNORECASE,
)
_PLAIN_GAP: Final = re.compile(r"[ ](?:[a-z]\.?[ ])?")
_FARTHEST: Final = 16
_LISTED: Final = re.compile(r"[ \t]?(?:,[ \t]?(?:and[ \t])?|[&/+][ \t]?|[ \t](?:and|or)[ \t])")
_INITIALS_BEFORE: Final = re.compile(r"(?<![\w.])(?:[^\W\d_]\.?[ \t]?){0,2}[^\W\d_](?:\.[ \t]{0,2}|[ \t])$")
_INITIALS_BEHIND: Final = re.compile(r"(?:,[ \t]?|[ \t])(?:[^\W\d_]\.?[ \t]?){0,2}[^\W\d_](?:\.|(?![\w'.]))")
_MIDDLE_INITIAL: Final = re.compile(r"[ ^]([A-Z])(?:\.|(?![\w'.:/-]))")
_PARTICLES_BEFORE: Final = re.compile(
    rf"(?<!\w)(?:(?:{'|'.join(sorted(RULES.particles, key=len, reverse=True))})[ \t]){{1,3}}$", re.IGNORECASE
)
_PARTICLES_BEHIND: Final = re.compile(
    rf"(?:[ \t](?:{'|'.join(sorted(RULES.particles, key=len, reverse=True))})(?!\w)){{1,3}}", re.IGNORECASE
)


_RECOGNISERS: Final[Mapping[How, tuple[str, float]]] = {
    How.EXACT: ("KnownNamePart", 1.0),
    How.SPLIT: ("KnownNameSplit", 0.97),
    How.MISREAD: ("KnownNameMisread", 0.96),
    How.MISSPELLED: ("KnownNameMisspelled", 0.93),
    How.FARTHER: ("KnownNameMisspelled", 0.88),
    How.NICKNAME: ("KnownNickname", 0.9),
    How.MISSPELLED_NICKNAME: ("KnownNickname", 0.85),
}


_OPEN: Final = (Verdict.UNDECIDED, Verdict.LIKELY_WORD)


@dataclass(frozen=True, slots=True)
class Mention:
    """One place where a part of a known name may stand, and of whose."""

    start: int
    end: int
    part: str
    how: How
    people: frozenset[int]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Names:
    """Spans of what is a name, and the places where one may stand or a word."""

    spans: tuple[Span, ...]
    undecided: tuple[tuple[int, int], ...]


def find_names(reading: Reading, names: Iterable[str], lexicon: Lexicon, words: KnownWords) -> Names:
    people = people_of(names)
    if not people:
        return Names((), ())
    mentions = sorted(
        (*_by_word(reading, people, lexicon, words), *_misread(reading, people, lexicon, words)),
        key=lambda mention: (mention.start, mention.how),
    )
    mentions = _decided_together(reading, people, mentions)
    mentions = _decided_in_lists(reading, mentions, lexicon, words)
    mentions = _with_initials(reading, people, mentions)
    mentions = _decided_by_document(reading, mentions)
    spans = (*_joined(reading, people, mentions), *initials(reading, people, lexicon))
    open_ = tuple((one.start, one.end) for one in mentions if one.verdict is Verdict.UNDECIDED)
    return Names(spans, open_)


def _index(people: Sequence[Person]) -> dict[str, Entry]:
    """What each word in the text stands for, before any is misspelled."""
    entries: dict[str, Entry] = {}
    for number, person in enumerate(people):
        for how, parts in ((How.EXACT, person.parts | person.joined), (How.NICKNAME, person.nicknames)):
            for part in parts:
                entry = entries.get(part)
                given = how is How.NICKNAME or part in person.given
                if entry is None or how < entry.how:
                    entries[part] = Entry(part, how, frozenset((number,)), given)
                elif entry.how is how:
                    entries[part] = replace(entry, people=entry.people | {number}, given=given or entry.given)
    return entries


def _by_word(
    reading: Reading, people: Sequence[Person], lexicon: Lexicon, words: KnownWords
) -> Iterator[Mention]:
    """Mentions that are one word of the text: exact, misspelled, or a nickname."""
    index = _index(people)
    near = NearWords(part for part, entry in index.items() if entry.how is How.EXACT)
    near_nicknames = NearWords(
        part for part, entry in index.items() if entry.how is How.NICKNAME and len(part) > 4
    )
    of_word: dict[str, Entry | None] = {}
    things = [one for one in eponyms(reading.text, lexicon) if one.sure]
    for match in TOKEN.finditer(reading.small):
        word = match[0]
        try:
            entry = of_word[word]
        except KeyError:
            entry = of_word[word] = _entry(word.replace("'", ""), index, near, near_nicknames)
        if entry is not None:
            found_to_be = Verdict.WORD
            if not _in_eponym(match, things):
                found_to_be = judged(reading.text, *match.span(), entry, lexicon, words)
            yield Mention(*match.span(), entry.part, entry.how, entry.people, found_to_be)


def _in_eponym(match: re.Match[str], things: Sequence[Eponym]) -> bool:
    """Whether the word is the name in "Bell's palsy", which is no patient's."""
    return any(one.start <= match.start() and match.end() <= one.end for one in things)


def _entry(word: str, index: Mapping[str, Entry], near: NearWords, near_nicknames: NearWords) -> Entry | None:
    entry = index.get(word)
    if entry is not None:
        return entry
    if (nearest := near.nearest(word)) is not None:
        how = How.MISSPELLED if nearest[1] == 1 else How.FARTHER
        return replace(index[nearest[0]], how=how)
    if (nearest := near_nicknames.nearest(word)) is not None and nearest[1] == 1:
        return replace(index[nearest[0]], how=How.MISSPELLED_NICKNAME)
    return None


def _misread(
    reading: Reading, people: Sequence[Person], lexicon: Lexicon, words: KnownWords
) -> Iterator[Mention]:
    """Mentions that a scanner misread or a line break split."""
    owners: dict[str, set[int]] = {}
    for number, person in enumerate(people):
        for part in person.parts:
            owners.setdefault(part, set()).add(number)
    for found in MisreadWords(owners).find(reading.small):
        if found.exact and not found.split:
            continue  # a mention by word
        how = How.SPLIT if found.exact else How.MISREAD
        given = any(found.word in people[number].given for number in owners[found.word])
        found_to_be = judged_misread(reading.text, found, lexicon, words, given=given)
        yield Mention(found.start, found.end, found.word, how, frozenset(owners[found.word]), found_to_be)


def _decided_together(
    reading: Reading, people: Sequence[Person], mentions: Sequence[Mention]
) -> list[Mention]:
    """Two parts of one name beside each other vouch for each other."""
    decided = list(mentions)
    # Forward, then backward: each part that is decided may decide the one on its other side.
    for i in (*range(len(decided) - 1), *reversed(range(len(decided) - 1))):
        for j in range(i + 1, min(i + 3, len(decided))):
            one, other = decided[i], decided[j]
            if not _beside(reading.text, one, other) or one.part == other.part:
                continue
            certain = Verdict.NAME in (one.verdict, other.verdict)
            if (certain and How.EXACT in (one.how, other.how)) or _whole(reading, people, one, other):
                decided[i] = replace(one, verdict=Verdict.NAME)
                decided[j] = replace(other, verdict=Verdict.NAME)
    return decided


def _decided_in_lists(
    reading: Reading, mentions: Sequence[Mention], lexicon: Lexicon, words: KnownWords
) -> list[Mention]:
    """What stands in a list with somebody is somebody, too: "olive and fern called", "inga, mark"."""
    decided = list(mentions)
    for i in (*range(len(decided) - 1), *reversed(range(len(decided) - 1))):
        for one, at, other in ((decided[i], i + 1, decided[i + 1]), (decided[i + 1], i, decided[i])):
            if one.verdict is not Verdict.NAME or other.verdict is Verdict.NAME or other.how is not How.EXACT:
                continue
            first, second = sorted((one, other), key=lambda mention: mention.start)
            if _LISTED.fullmatch(reading.small, first.end, second.start) is None:
                continue
            if other.verdict is not Verdict.WORD or may_be_listed(
                reading.text, other.start, other.end, other.part, lexicon, words
            ):
                decided[at] = replace(other, verdict=Verdict.NAME)
    return decided


def _whole(reading: Reading, people: Sequence[Person], one: Mention, other: Mention) -> bool:
    """Whether two parts that are words, too, are a whole name for all that: "Rose May", "rose peters"."""
    if not one.how is other.how is How.EXACT or {one.part, other.part} <= RULES.placeholders:
        return False
    if reading.text[one.start].isupper() and reading.text[other.start].isupper():
        return True
    plain = {one.part, other.part} <= RULES.phrases.keys() | RULES.placeholders  # "rose may", "will cook"
    placed = any(people[number].placed(one.part, other.part) for number in one.people & other.people)
    return placed and not plain and _PLAIN_GAP.fullmatch(reading.text, one.end, other.start) is not None


def _beside(text: str, one: Mention, other: Mention) -> bool:
    return (
        one.end < other.start <= one.end + _FARTHEST
        and not one.people.isdisjoint(other.people)
        and _BETWEEN.fullmatch(text, one.end, other.start) is not None
    )


def _with_initials(reading: Reading, people: Sequence[Person], mentions: Sequence[Mention]) -> list[Mention]:
    """Family names with the initials of their given names beside them: "J. Q. Public", "Public, J."."""
    widened = []
    for one in mentions:
        start, end = one.start, one.end
        if reading.text[start].isupper():
            for number in one.people:
                person = people[number]
                if one.part in person.family and person.initials:
                    start = min(start, _initials_before(reading, one.start, person.initials))
                    end = max(end, _initials_behind(reading, one.end, person.initials))
        if (start, end) != (one.start, one.end):
            one = replace(one, start=start, end=end, verdict=Verdict.NAME)
        widened.append(one)
    return widened


def _initials_before(reading: Reading, at: int, wanted: str) -> int:
    found = _INITIALS_BEFORE.search(reading.text, max(0, at - 12), at)
    if found is None or not _initials_of(found[0], wanted):
        return at
    return found.start()


def _initials_behind(reading: Reading, at: int, wanted: str) -> int:
    found = _INITIALS_BEHIND.match(reading.text, at, at + 12)
    if found is None or not _initials_of(found[0], wanted):
        return at
    return found.end()


def _initials_of(written: str, wanted: str) -> bool:
    """Whether the capitals of `written` begin with the first given name's initial."""
    read = [character for character in written if character.isalpha()]
    return all(map(str.isupper, read)) and "".join(read).lower()[:1] == wanted[:1]


def _decided_by_document(reading: Reading, mentions: Sequence[Mention]) -> list[Mention]:
    open_ = {one.part for one in mentions if one.verdict in _OPEN}
    if not open_:
        return list(mentions)
    by_part: dict[str, list[Verdict]] = {part: [] for part in open_}
    named = {
        (one.part, reading.small[one.start : one.end]) for one in mentions if one.verdict is Verdict.NAME
    }
    for one in mentions:
        if one.part in by_part and one.how is How.EXACT:
            by_part[one.part].append(one.verdict)
    final = {part: by_document(reading.text, part, found) for part, found in by_part.items()}
    return [
        replace(one, verdict=_finally(one, reading.small[one.start : one.end], final[one.part], named))
        if one.verdict in _OPEN
        else one
        for one in mentions
    ]


def _finally(one: Mention, written: str, of_document: Verdict, named: Set[tuple[str, str]]) -> Verdict:
    """What is written like one that is a name elsewhere, in whichever case, is one, too."""
    if one.verdict is Verdict.LIKELY_WORD:
        return Verdict.NAME if (one.part, written) in named else Verdict.WORD
    return of_document


def _joined(reading: Reading, people: Sequence[Person], mentions: Sequence[Mention]) -> Iterator[Span]:
    """Names from their first part to their last, with the particles before a family name."""
    group: list[Mention] = []
    for one in mentions:
        if one.verdict is not Verdict.NAME:
            continue
        if group and not (one.start < group[-1].end or _beside(reading.text, group[-1], one)):
            yield _span(reading, people, group)
            group = []
        group.append(one)
    if group:
        yield _span(reading, people, group)


def _span(reading: Reading, people: Sequence[Person], group: Sequence[Mention]) -> Span:
    start, end = group[0].start, max(one.end for one in group)
    if any(people[number].particles for number in group[0].people):
        particles = _PARTICLES_BEFORE.search(reading.text, max(0, start - 20), start)
        start = particles.start() if particles else start
        if "," in reading.text[start : group[-1].start]:
            particles = _PARTICLES_BEHIND.match(reading.text, group[-1].end)
            end = max(end, particles.end()) if particles else end  # "Berg, Anna van den"
    name, score = _RECOGNISERS[min(one.how for one in group)]
    whole = len({one.part for one in group}) > 1 and name == "KnownNamePart"
    middle = _MIDDLE_INITIAL.match(reading.text, end)
    last = group[-1]
    if middle is not None and any(
        last.part in people[number].given and middle[1].lower() in people[number].initials[1:]
        for number in last.people
    ):
        end = middle.end()  # "Public, John Q."
    return Span(start, end, Category.NAME, score, "KnownName" if whole else name)
