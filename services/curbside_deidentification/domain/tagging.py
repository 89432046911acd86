"""A conditional random field that tells identifiers by the words, shapes and places around them.

What a rule has no form for, a line of other people's habits, still looks like the lines it was fitted on. The
words of the vocabulary are features as they are; of a name only whether a list holds it and how it ends,
unless its document writes it in small letters, too (`document_lexicon`): then it is a word here as well.
`benchmarks/deid_tagger.py` fits `data/tagger.crfsuite`, on made-up names alone.

Lafferty, McCallum and Pereira 2001; CRFsuite (Okazaki 2007, BSD).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon, abbreviations
from curbside_deidentification.domain.searching import Searched

TAGGER_FILE: Final = Path(__file__).with_name("data") / "tagger.crfsuite"
OUTSIDE: Final = "O"
# Coarser than the categories: what stands around an account number stands around a policy number.
KINDS: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "N": Category.NAME,
        "L": Category.LOCATION,
        "F": Category.FACILITY,
        "D": Category.DATE,
        "A": Category.AGE,
        "T": Category.PHONE,
        "I": Category.OTHER_ID,
    }
)
_TOKEN: Final = re.compile(r"\r?\n|['’]s\b|[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*|\d+|[^\w\s]|_")
# A token that is less likely part of an identifier is taken for none.
FAINT: Final = 0.01
# Tokens that are weighed together; a longer text is read in as many pieces.
SEQUENCE: Final = 400
_LABEL_WORDS: Final = 2
_LABEL_REACHES: Final = 12  # tokens behind its colon
_LONG_NUMBER: Final = 5
_LONG_WORD: Final = 4
_EDGE: Final = 3  # tokens to either side that a token is seen with


@dataclass(frozen=True, slots=True)
class Tagged:
    """A token that may be part of an identifier: `text[start:end]`, and how probably."""

    start: int
    end: int
    category: Category
    probability: float


@dataclass(frozen=True, slots=True)
class _Seen:
    """What of a token is a feature, wherever it stands."""

    word: str  # of the vocabulary, in small letters; else which lists hold it: "<gs>"
    shape: str
    lists: str
    ending: str  # of what is no word


def tokens(text: str) -> list[re.Match[str]]:
    """Words, numbers, signs and line breaks."""
    return [*_TOKEN.finditer(text)]


def features(
    found: Sequence[re.Match[str]], lexicon: Lexicon, seen_as: Mapping[str, str] = MappingProxyType({})
) -> list[list[str]]:
    """Those of each token. A token in `seen_as` is seen as the one that it is mapped to."""
    seen = _seen(found, lexicon, seen_as)
    around = [_Seen("^", "^", "", "")] * _EDGE + seen + [_Seen("$", "$", "", "")] * _EDGE
    words = [one.word for one in around]
    shapes = [one.shape for one in around]
    marks = [one.lists + one.shape for one in around]
    gaps = [0, *(min(2, b.start() - a.end()) for a, b in pairwise(found)), 0]
    of_all = []
    for i, (one, label) in enumerate(zip(seen, _labels(seen), strict=True)):
        a, b = words[i + 2], words[i + 4]
        shape, mark = one.shape, one.lists + one.shape
        of_one = [
            f"w={one.word}",
            f"s={shape}",
            f"m={mark}",
            f"g={gaps[i]}{gaps[i + 1]}",
            f"-1={a}",
            f"+1={b}",
            f"-2={words[i + 1]}",
            f"+2={words[i + 5]}",
            f"-3={words[i]}",
            f"+3={words[i + 6]}",
            f"-1s={a}|{shape}",
            f"+1s={b}|{shape}",
            f"-1m={a}|{mark}",
            f"+1m={b}|{mark}",
            f"-2-1={words[i + 1]}|{a}",
            f"+1+2={b}|{words[i + 5]}",
            f"-1+1={a}|{b}",
            f"sss={shapes[i + 2]}|{shape}|{shapes[i + 4]}",
            f"sssss={shapes[i + 1]}{shapes[i + 2]}|{shape}|{shapes[i + 4]}{shapes[i + 5]}",
            f"mmm={marks[i + 2]}|{mark}|{marks[i + 4]}",
            f"l={label}",
            f"ls={label}|{shape}",
        ]
        if one.ending:
            of_one += (f"e3={one.ending}", f"e2={one.ending[-2:]}")
        of_all.append(of_one)
    return of_all


class Tagger:
    """The fitted model. Loaded when it is first asked, in each process for itself."""

    def __init__(self, path: Path = TAGGER_FILE) -> None:
        self._path = path

    def read(self, text: str, lexicon: Lexicon) -> Sequence[Tagged]:
        """The tokens of `text` that are part of an identifier with a probability of FAINT or more.

        A text that is `Searched` is read once, however many ask.
        """
        if isinstance(text, Searched):
            return text.once(self, lambda: [*self._read(text, lexicon)])
        return [*self._read(text, lexicon)]

    def _read(self, text: str, lexicon: Lexicon) -> Iterator[Tagged]:
        found = tokens(text)
        of_all = features(found, lexicon)
        for begin in range(0, len(found), SEQUENCE):
            self._model.set(of_all[begin : begin + SEQUENCE])
            for i, token in enumerate(found[begin : begin + SEQUENCE]):
                probability = 1 - self._model.marginal(OUTSIDE, i)
                if probability >= FAINT and not token[0].isspace():
                    yield Tagged(token.start(), token.end(), self._category(i), probability)

    def _category(self, i: int) -> Category:
        shares = dict.fromkeys(KINDS, 0.0)
        for label in self._labels:
            shares[label[-1]] += self._model.marginal(label, i)
        return KINDS[max(shares, key=shares.__getitem__)]

    @cached_property
    def _labels(self) -> Sequence[str]:
        return [label for label in self._model.labels() if label != OUTSIDE]

    @cached_property
    def _model(self) -> Any:
        from pycrfsuite import Tagger as Model  # only workers need it

        model = Model()
        model.open(str(self._path))
        return model


def _seen(found: Sequence[re.Match[str]], lexicon: Lexicon, seen_as: Mapping[str, str]) -> list[_Seen]:
    known: dict[str, _Seen] = {}
    seen = []
    for match in found:
        token = match[0]
        one = known.get(token)
        if one is None:
            one = known[token] = _see(seen_as.get(token, token), lexicon)
        seen.append(one)
    return seen


def _see(token: str, lexicon: Lexicon) -> _Seen:
    shape = _shape(token)
    if not token[0].isalpha() or len(token) == 1:
        return _Seen(shape if token[0].isdigit() or token[-1] == "\n" else token, shape, "", "")
    low = token.casefold()
    given = "g" if low in lexicon.forenames or low in lexicon.given else ""
    surname = "s" if low in lexicon.surnames else ""
    lists = f"{given}{surname}{'a' if low in abbreviations() else ''}{'e' if low in lexicon.eponyms else ''}"
    if lexicon.is_word(token):
        return _Seen(low, shape, lists, "")
    return _Seen(f"<{given}{surname}>", shape, lists, low[-3:])


def _shape(token: str) -> str:
    if token[-1] == "\n":
        return "\n"
    if token[0].isdigit():
        return f"d{min(len(token), _LONG_NUMBER)}"
    if not token[0].isalpha():
        return token
    if len(token) == 1:
        return "X" if token.isupper() else "x"
    if token.islower():
        return "xx"
    if token.isupper():
        return "XX" if len(token) < _LONG_WORD else "XXXX"
    return "Xx" if token[1:].islower() else "xX"


def _labels(seen: Sequence[_Seen]) -> Iterator[str]:
    """For each token the words before the colon that it stands behind in its line, if it stands near."""
    label, line, colon = "", 0, 0
    for i, one in enumerate(seen):
        if one.word == "\n":
            label, line = "", i + 1
        elif one.word == ":":
            label, colon = " ".join(_words_before(seen, line, i)), i
        yield label if i - colon < _LABEL_REACHES else ""


def _words_before(seen: Sequence[_Seen], line: int, colon: int) -> list[str]:
    words: list[str] = []
    for one in reversed(seen[max(line, colon - _LABEL_WORDS) : colon]):
        if not one.shape[0].isalpha() or one.shape[0] == "d":
            break
        words.insert(0, one.word)
    return words
