"""What a pattern needs, and that searching by it finds exactly what `finditer` finds."""

from __future__ import annotations

import re
import string
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curbside.testing.notes import generate, load_families
from curbside_deidentification.domain.needs import fold, needs_of
from curbside_deidentification.domain.patterns import PatternRecogniser, WordRecogniser
from curbside_deidentification.domain.searching import Searched, matches
from curbside_deidentification.recognisers import RULES


@pytest.mark.parametrize(
    ("pattern", "first", "clauses"),
    [
        (r"(?i:\b(?:MRN|Chart))\s?#", {"mrn", "chart"}, [{"#"}]),
        (r"(?<!\w)\d{3}-\d{2}", {"000-00"}, []),
        (r"[1-9]\d?/(?:19|20)\d\d", {"0/0000", "00/0000"}, []),
        (r"a?b?c?", None, []),
        (r"a?bc", {"abc", "bc"}, []),
        (r"(?:of\s+)?Ward", {"of", "ward"}, [{"ward"}]),
        (r"(?:re)+x", {"re"}, [{"x"}]),
        (r"x{0,9}y", {"x", "y"}, [{"y"}]),
        (r"[A-Z]\w+\s(?:Street|Road)", None, [{"street", "road"}]),
        (r"[A-Z]+(?=,\sMD)", None, [{"md"}, {","}]),
        (r"\w+(?!\d)@", None, [{"@"}]),
        (r"(?:a|[^b])c", None, [{"c"}]),
        (r"(a)\1b", {"a"}, [{"b"}]),
        (r"é1", None, [{"0"}]),
        (r"(?i)Straße", {"stra"}, [{"e"}]),
        (r"(?>ab)c", {"abc"}, []),
    ],
)
def test_what_a_pattern_needs_is_read_from_it(
    pattern: str, first: set[str] | None, clauses: list[set[str]]
) -> None:
    needs = needs_of(re.compile(pattern))
    assert needs.first == first
    assert [set(clause) for clause in needs.clauses] == clauses


def test_folding_knows_every_character_that_a_pattern_takes_for_an_ascii_one() -> None:
    every = "".join(chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    for character in string.printable:
        found = set(re.findall(re.escape(character), every, re.IGNORECASE))
        assert {fold(one) for one in found} == {fold(character)}
    assert set(fold("".join(re.findall(r"\d", every)))) == {"0"}
    assert len(fold(every)) == len(every)


TRICKY = (
    r"(?i)ki",
    r"(?i:\bis)\s?\d",
    r"\d{1,2}[./-]\d{1,2}",
    r"(?<=k)i?s1",
    r"(?:i|is|sk)+",
    r"s(?=k)|k\d",
    r"(?m)^s\d*$",
    r"(k)?(?(1)i|s)",
    r"\s*é|ſ",
    r"(?:k{2,3}|i{1,9})s",
)


@settings(deadline=None)  # the first index imports numpy
@given(st.sampled_from(TRICKY), st.text("kisKIS13٣ \n./-éſıİK\u0307", max_size=60), st.integers(0, 300))
def test_a_search_by_needs_finds_what_finditer_finds(pattern: str, text: str, padding: int) -> None:
    compiled = re.compile(pattern)
    text += "." * padding  # long enough for places to be few
    assert [match.span() for match in matches(compiled, Searched(text))] == [
        match.span() for match in compiled.finditer(text)
    ]


def test_every_recogniser_finds_in_an_indexed_text_what_it_finds_in_a_plain_one() -> None:
    texts = [note.text for note in generate(load_families("development"), 40, seed=3)]
    for recogniser in RULES:
        if not isinstance(recogniser, PatternRecogniser | WordRecogniser):
            continue
        pattern = recogniser.pattern
        for text in texts:
            assert [match.span() for match in matches(pattern, Searched(text))] == [
                match.span() for match in pattern.finditer(text)
            ], type(recogniser).__name__


@pytest.mark.parametrize("text", ["", "0", "\0", "日本"])
def test_the_shortest_texts_are_searched(text: str) -> None:
    for pattern in (re.compile(r"\d"), re.compile("日"), re.compile("\0")):
        assert [match.span() for match in matches(pattern, Searched(text))] == [
            match.span() for match in pattern.finditer(text)
        ]


def test_an_indexed_text_is_that_text() -> None:
    text = Searched("Ärztin 1")
    assert (text, hash(text), text[:1], len(text)) == ("Ärztin 1", hash("Ärztin 1"), "Ä", 8)
    assert type(text[1:]) is str
