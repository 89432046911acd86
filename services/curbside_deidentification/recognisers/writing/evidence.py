"""How much the words of a candidate say that it is a name of a person, beside what stands around it.

"Rose", "Hand" and "Banks" are words and names. Frequent given names and surnames that are words weigh a
little, names that are no words more, and what no vocabulary knows in between; a recogniser adds what the
words before and behind say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME, words

# Names although they are function words or months, where they are not in capitals; the second ones there,
# too.
_NAMES_TOO: Final = frozenset(("will", "may", "do", "august", "april", "june"))
_IN_CAPITALS_TOO: Final = frozenset(("april", "june"))
_STEP: Final = re.compile(
    r"(?P<initials>[A-Z]\.(?:[ -]?[A-Z]\.){0,2}(?!\w{1,2}\.)|[A-Z](?![\w'’./&-]))"
    r"|(?P<particle>(?:(?:[Vv]an|[Vv]on|[Dd]e|[Dd]el|[Dd]ella|[Dd]er|[Dd]en|[Ll]a|[Dd]i|[Dd]a|[Dd]os|"
    r"[Bb]in|[Aa]l|[Ee]l|[Ss]t\.|"
    r"VAN|VON|DE|DEL|DER|DEN|LA|DI|DA|DOS|AL|EL)[ ]){1,2}(?=[A-Z]))"
    r"|(?P<part>[^\W\d_a-zß-öø-ÿ](?:[^\W\d_]|['’-](?=[^\W\d_])){1,40})(?![\w@])"
)
_NICKNAME: Final = re.compile(r"[ ][\"“'‘(][^\W\d_a-zß-öø-ÿ][^\W\d_]{1,14}[\"”'’)](?=[ ][A-Z])")
# "I've", "don't": no O'Brien.
_CONTRACTED: Final = re.compile(
    r"(?:i|we|he|she|it|you|they|that|there|what|who|let|\w{2,6}n)['’](?:m|ve|s|d|ll|re|t)$"
)
# Surnames by their form, in no list: O'Rourke, D'Amico, MacLaren, Al-Masri, Papadopoulos.
_FORMED: Final = re.compile(
    r"(?:[OD]['’]|Ma?c|Fitz|[AE]l-|Ben-|Abu-)[A-Z]\w{2,20}"
    r"|[A-Z]\w{2,16}(?:sson|sdottir|wicz|czyk|opoulos|enko|ovic|ovich|idis|kowski|ström)"
)
_MARKS: Final = re.compile(r"[\u0300-\u036f]")
_DAY_BEHIND: Final = re.compile(r":[ ]?\d{1,2}[-/]\d")
_SUFFIX: Final = re.compile(r",?[ ](?:Jr|Sr|JR|SR|II|III|IV)\b\.?")
_NO_INITIALS: Final = words("no_initials")
_LIST_GOES_ON: Final = re.compile(r",?[ ](?:and|or|&)[ ]|,[ ][a-z]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """`text[start:end]` with the weight of its words; `parts` as they are written.

    `plain` where all of them are words, `listed` where one is a frequent name.
    """

    start: int
    end: int
    weight: float
    parts: tuple[str, ...]
    plain: bool
    listed: bool
    given: bool = False


@dataclass(frozen=True, slots=True)
class _Word:
    """`plain` is a word of the vocabulary, `listed` a frequent name."""

    first: float
    last: float
    plain: bool
    listed: bool = True
    given: bool = False


# A word in no list: a rare name, a brand, a typing error.
_UNKNOWN: Final = _Word(1.4, 1.4, plain=False, listed=False)


class NameReader:
    """Reads candidates for names in one text. `known` are parts of names that the text has elsewhere."""

    def __init__(self, text: str, lexicon: Lexicon, known: Collection[str] = ()) -> None:
        self._text = text
        self._lexicon = lexicon
        self._known = known
        self._words: dict[str, _Word | None] = {}

    def word(self, token: str) -> _Word | None:
        """What `token` weighs as a first and as a last part; None where it is never a part."""
        if token not in self._words:
            self._words[token] = self._weigh(token)
        return self._words[token]

    def read(self, start: int) -> Candidate | None:
        """The candidate that begins at `start`, first name first or surname first."""
        text, at, pieces, initials = self._text, start, 0, 0
        parts: list[tuple[str, _Word]] = []
        end, comma = start, False
        while pieces < 6:
            step = _STEP.match(text, at)
            if step is None:
                break
            if step["particle"]:
                at = step.end()
                pieces += 1
                continue
            if step["initials"]:
                letters = step[0].replace(".", "").replace(" ", "").casefold()
                if (step[0] in ("I", "A") and (not parts or step[0] == "I")) or (
                    letters in _NO_INITIALS and (parts or not self._opens(start))
                ):
                    break
                initials += len(letters)
                pieces += 1
            else:
                token = step["part"].removesuffix("'s").removesuffix("’s").removesuffix("'S")
                word = self.word(token)
                if word is None or not self._continues(parts, initials, token, word, step.end(), comma):
                    break
                if comma and max(word.first, 0) < 1:
                    break
                parts.append((token, word))
                pieces += 1
                if len(token) < len(step["part"]):
                    end = step.start() + len(token)
                    break
            end = at = step.end()
            if suffix := _SUFFIX.match(text, at):
                end = at = suffix.end()
            if nickname := _NICKNAME.match(text, at):
                at = nickname.end()
            if text[at : at + 1] == " " and text[at + 1 : at + 2] != " ":
                at += 1
            elif (
                text[at : at + 1] == ","
                and not comma
                and parts
                and not initials
                and self._given_behind(at + 1)
            ):
                comma = True
                at += 1 + (text[at + 1 : at + 2] == " ")
            elif text[at - 1] != ".":
                break
        return self._candidate(start, end, parts, initials, comma)

    def _opens(self, start: int) -> bool:
        """Whether a line, a sentence or a value begins at `start`: "M.D. Vanterpool" and no degree."""
        return self._text[max(0, start - 8) : start].rstrip(" ")[-1:] in ("", "\n", "\r", ":", ".", "(")

    def _given_behind(self, at: int) -> bool:
        """Whether a given name, and not the next of a list, stands at `at`."""
        at += self._text[at : at + 1] == " "
        step = _STEP.match(self._text, at)
        if step is None or step["particle"]:
            return False
        if step["initials"]:
            return len(step[0]) <= 2
        word = self.word(step["part"])
        return word is not None and word.first >= 1 and not _LIST_GOES_ON.match(self._text, step.end())

    def _continues(
        self, parts: list[tuple[str, _Word]], initials: int, token: str, word: _Word, end: int, comma: bool
    ) -> bool:
        """Whether `token` may be the next part behind `parts`."""
        if self._text[end : end + 1] in (":", "=") and not (
            (token.casefold() in self._known and _DAY_BEHIND.match(self._text, end))
            or (parts and parts[0][1].given and word.last >= 1)
            or (word.listed and not word.plain and not token.isupper() and len(token) > 3)
        ):
            return False  # the next label of a line
        if not parts:
            return word.first > 0 or word.last > 0 or (initials > 0 and not token.isupper())
        before = parts[-1][0]
        if token.isupper() != before.isupper() and len(token) > 1:
            # "Peter CHEST": a new heading. "Peter HOLLOWAY": some write surnames so.
            return token.isupper() and not word.plain and word.last >= 1.5
        first = parts[-1][1]
        if (
            word.plain
            and token.isupper()
            and not (comma or first.given or (not first.listed and "-" not in before))
        ):
            return False  # "PETROV AWARE"
        if word.last > 0 or word.first > 0:
            return True
        # A surname that is a word and no frequent name, behind a given name.
        if parts[-1][1].first < 1 or len(parts) > 1 or initials:
            return False
        if token.isupper():
            return (
                self._text[end : end + 1] in (",", ";", ".", "\n", "\r", ")", "")
                or self._text[end : end + 2] == "  "
            )
        return len(token) > 2

    def _candidate(
        self, start: int, end: int, parts: list[tuple[str, _Word]], initials: int, comma: bool
    ) -> Candidate | None:
        if not parts:
            weight = 1.0 if initials >= 2 and "." in self._text[start:end] else 0.0
            return Candidate(start, end, weight, (), plain=True, listed=False) if weight else None
        if comma or len(parts) == 1:
            weighed = [max(word.first, word.last) for _, word in parts]
        else:
            weighed = [
                parts[0][1].first or parts[0][1].last,
                *(max(word.last, word.first) for _, word in parts[1:]),
            ]
        weighed.sort(reverse=True)
        weight = sum(weighed[:2]) + (1 if initials else 0)
        if len(weighed) > 1 and weighed[1] >= 1:
            weight += 0.5
        if not weight:
            return None
        return Candidate(
            start,
            end,
            weight,
            tuple(token for token, _ in parts),
            plain=all(word.plain for _, word in parts),
            given=parts[0][1].given,
            listed=any(word.listed and max(word.first, word.last) for _, word in parts),
        )

    def _weigh(self, token: str) -> _Word | None:
        lexicon = self._lexicon
        bare = token.casefold()
        if _CONTRACTED.match(bare):
            return None
        if bare in NEVER_NAME and bare not in (_IN_CAPITALS_TOO if token.isupper() else _NAMES_TOO):
            return None
        if bare in self._known:
            # A surname that is a word ("Hand") stands for the thing as often.
            weight = 2.0 if bare in lexicon.forenames or not lexicon.is_word(token) else 1.5
            return _Word(weight, weight, lexicon.is_word(token), given=bare in lexicon.forenames)
        if lexicon.is_given(token):
            return _Word(2.5, 2.5, plain=False, given=True)
        if not bare.isascii():
            bare = _MARKS.sub("", unicodedata.normalize("NFD", bare))
        fore, sur = bare in lexicon.forenames, bare in lexicon.surnames or bare in lexicon.eponyms
        if not fore and not sur and "-" in bare:
            listed = [part in lexicon.surnames or part in lexicon.forenames for part in bare.split("-")]
            fore = all(listed)
            # "Garcia-Okafor": of rare ones one is enough where none is a word.
            sur = fore or (any(listed) and not any(lexicon.is_word(part) for part in bare.split("-")))
        if lexicon.is_word(token):
            return _Word(
                1.0 if fore else 0.5 if sur else 0.0,
                1.0 if sur else 0.5 if fore else 0.0,
                plain=True,
                given=fore,
            )
        if fore:
            return _Word(2.0, 1.5, plain=False, given=True)
        if sur or (not token.isupper() and _FORMED.fullmatch(token)):
            return _Word(1.5, 1.5, False)
        if token.isupper():
            weight = 1.0 if len(token) > 4 else 0.5
            return _Word(weight, weight, False, listed=False)
        return _UNKNOWN
