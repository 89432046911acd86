"""What the tagger is told of each token: words, shapes and places, and what the document says elsewhere.

The words of the vocabulary are features as they are; of any other only whether a list of names holds it, how
it ends, and whether its document writes it in small letters, too (`document_lexicon`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from curbside_deidentification.domain.explained import explained
from curbside_deidentification.domain.lexicon import Lexicon, abbreviations

_TOKEN: Final = re.compile(r"\r?\n|['’]s\b|[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*|\d+|[^\w\s]|_")
# What stands between the parts of a name.
_IN_NAME: Final = re.compile(r",?[ ]{1,2}(?:[A-Z]\.?[ ])?")
_MANY: Final = 4
_LABEL_WORDS: Final = 2
_LABEL_REACHES: Final = 12  # tokens behind its colon
_LONG_NUMBER: Final = 5
_LONG_WORD: Final = 4
_EDGE: Final = 3  # tokens to either side that a token is seen with


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
    for i, of_document in _in_document(found, seen, lexicon):
        of_all[i] += of_document
    return of_all


def _seen(found: Sequence[re.Match[str]], lexicon: Lexicon, seen_as: Mapping[str, str]) -> list[_Seen]:
    known: dict[str, _Seen] = {}
    seen = []
    for match in found:
        token = match[0]
        one = known.get(token)
        if one is None:
            own = "o" if token.casefold() in lexicon.own else ""
            one = known[token] = _see(seen_as.get(token, token), lexicon.general, own)
        seen.append(one)
    return seen


def _see(token: str, lexicon: Lexicon, own: str) -> _Seen:
    shape = _shape(token)
    if not token[0].isalpha() or len(token) == 1:
        return _Seen(shape if token[0].isdigit() or token[-1] == "\n" else token, shape, "", "")
    low = token.casefold()
    given = "g" if low in lexicon.forenames or low in lexicon.given else ""
    surname = "s" if low in lexicon.surnames else ""
    lists = f"{given}{surname}{'a' if low in abbreviations() else ''}{'e' if low in lexicon.eponyms else ''}"
    if lexicon.is_word(token):
        return _Seen(low, shape, lists, "")
    return _Seen(f"<{given}{surname}{own}>", shape, lists + own, low[-3:])


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


def _in_document(
    found: Sequence[re.Match[str]], seen: Sequence[_Seen], lexicon: Lexicon
) -> Iterator[tuple[int, list[str]]]:
    """What the rest of the document says of a token. Of two or three letters: whether they begin a name, how
    many others are as unknown, and whether the text explains them. Of a capitalised word: whether it is
    written in small letters, too."""
    words = {token[0] for token in found}
    heads = _heads(found, seen)
    unknown = {
        token[0]
        for token, one in zip(found, seen, strict=True)
        if one.shape == "XX" and one.word.startswith("<") and "a" not in one.lists
    }
    many = min(len(unknown).bit_length(), _MANY)
    meant = explained(found[0].string) if unknown else frozenset()
    for i, (token, one) in enumerate(zip(found, seen, strict=True)):
        written = token[0]
        if one.shape == "XX":
            if written in meant:
                yield i, ["x=explained"]
                continue
            low = written.casefold()
            fits = low in heads or (len(low) == 3 and low[0] + low[-1] in heads)
            mark = f"{len(low)}{one.lists}{'w' if not one.word.startswith('<') else ''}"
            yield i, [f"x={mark}{fits}", f"x#={mark}{many}"]
        elif one.shape == "xx" and len(written) < _LONG_WORD and one.word.startswith("<"):
            yield i, [f"x={len(written)}{written in heads}"]
        elif one.shape in ("Xx", "XXXX") and not one.ending:
            yield i, [f"x={one.shape}{one.lists}{written.casefold() in words}"]


def _heads(found: Sequence[re.Match[str]], seen: Sequence[_Seen]) -> frozenset[str]:
    """The first letters of two capitalised words in a row, of which one at least is not of the vocabulary."""
    heads = set[str]()
    names = [
        (token, one) for token, one in zip(found, seen, strict=True) if one.shape in ("Xx", "xX", "XXXX")
    ]
    for (first, a), (second, b) in pairwise(names):
        between = first.string[first.end() : second.start()]
        if _IN_NAME.fullmatch(between) and (a.ending or b.ending or (a.lists and b.lists)):
            pair = first[0][0] + second[0][0]
            heads.add((pair[::-1] if "," in between else pair).casefold())
    return frozenset(heads)


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
