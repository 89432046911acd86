"""What was de-identified once stays as it is when it comes again: no span lies in what a policy wrote."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.phi import PLACEHOLDER, PLACEHOLDER_WORDS, Category, PhiText
from curbside.testing.notes import generate, load_families
from curbside_deidentification.domain.lexicon import Lexicon, load_lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.replacement import (
    SubjectMapping,
    SubjectSecrets,
    replace,
    shipped_policy,
)
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.domain.written import outside
from curbside_deidentification.pipeline import Result, deidentify
from curbside_deidentification.recognisers.completing import completed, find_by_rule

LEXICON: Final = load_lexicon()
POLICY: Final = load_policy()
SECRETS: Final = SubjectSecrets(b"k" * 32, timedelta(days=-100))
WRITTEN: Final = st.one_of(
    st.sampled_from(sorted(PLACEHOLDER_WORDS)).map(lambda word: f"[{word}]"),
    st.sampled_from(["[NAME_2]", "[DATE_12]", "[PHOTO_BCDFGHJK]", "90 or older", "[LOCATION], WA 982"]),
)


class Rules:
    """The detector without its models."""

    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        return list(find_by_rule(text, lexicon))


def found(text: str, *known: str) -> Result:
    names = KnownIdentifiers(names=tuple(map(PhiText, known)))
    return deidentify(PhiDocument(PhiText(text), names), Rules(), POLICY)


def said(spans: list[Span], text: str) -> list[str]:
    return [text[span.start : span.end] for span in spans]


@given(
    st.lists(
        st.one_of(WRITTEN, st.sampled_from(["Dr.", "Smith", ",", "lives at", "MRN:", "12"])), max_size=9
    ),
    st.data(),
)
def test_no_span_begins_ends_or_lies_in_what_a_policy_wrote(pieces: list[str], data: st.DataObject) -> None:
    text = "[NAME] " + " ".join(pieces)
    bounds = st.integers(0, len(text))
    spans = [
        Span(min(pair), max(pair), data.draw(st.sampled_from(list(Category))), 0.9, "test")
        for pair in data.draw(st.lists(st.tuples(bounds, bounds), max_size=4))
        if len(set(pair)) == 2
    ]
    places = [match.span() for match in PLACEHOLDER.finditer(text)]
    for span in outside(spans, text):
        assert not any(span.start < end and start < span.end for start, end in places)
    assert not any(
        span.start < end and start < span.end
        for span in completed(text, spans, LEXICON, [])
        for start, end in places
    )


@pytest.mark.parametrize(
    ("text", "span", "left"),
    [
        ("Homepage: [URL]", (11, 14), []),
        ("lives at [LOCATION], WA 982 now", (9, 27), []),
        ("Mr. [NAME] Holmquist", (4, 20), [" Holmquist"]),
        ("at 90 or older", (3, 5), []),
        ("seen [DATE] by [NAME] (2016)", (23, 27), []),
        ("seen by [SMITH]", (8, 15), ["[SMITH]"]),
    ],
)
def test_what_stands_beside_it_stays_a_mention(text: str, span: tuple[int, int], left: list[str]) -> None:
    assert said(outside([Span(*span, Category.NAME, 0.9, "Contextual")], text), text) == left


@pytest.mark.parametrize(
    "text",
    [
        "MRN [MRN], DOB 1951. Seen 2023. Her mother is 90 or older.",
        "He lives at [LOCATION], WA 982 with his wife, who is 90 or older.",
        "Family history: his mother died at 90 or older. Age: 90 or older. AT 90 OR OLDER HE WALKS.",
        "MSH|^~\\&|LAB|[FACILITY]|EHR|[FACILITY]|2023||ORU^R01|[ID]|P|2.3\rPID|1||[MRN]||[NAME]||1951|F",
        "Born in [LOCATION], Missouri, and moved to [LOCATION], AZ in 1999.",
    ],
)
def test_what_a_policy_wrote_is_read_as_nothing_else(text: str) -> None:
    result = found(text)
    assert result.replaced.reveal() == text


def test_a_name_that_looks_like_a_tag_goes() -> None:
    assert found("Seen by Dr. [JONES] on call; Dr. Jones agreed.").replaced.reveal().count("NAME") == 2
    # Their name is also a word that stands in brackets.
    known = found("Seen by [PHONE]; [NAME] Phone came.", "Ann Phone")
    assert known.replaced.reveal().startswith("Seen by [PHONE]; [NAME]")


@pytest.mark.parametrize("name", ["placeholders", "safe_harbor", "tags"])
def test_rules_find_next_to_nothing_in_notes_that_were_deidentified(name: str) -> None:
    changed = 0
    for note in generate(load_families("development"), 60, 7):
        texts = [note.text]
        mapping = SubjectMapping()
        for _ in range(2):
            result = found(texts[-1])
            if name == "placeholders":
                texts.append(result.replaced.reveal())
            else:
                policy = shipped_policy(name)
                done = replace(texts[-1], result.spans, policy, SECRETS, mapping, reference_year=2024)
                mapping = done.mapping
                texts.append(done.text)
        changed += texts[1] != texts[2]
    assert changed <= 3  # of 60: what a first reading missed, and a second finds
