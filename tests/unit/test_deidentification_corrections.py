"""What a reviewer says of spans, and what a detector is held against."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.phi import Category
from curbside_deidentification.domain.corrections import (
    MENTION,
    BadSpan,
    Review,
    SpanOverlaps,
    Status,
    UnknownSpan,
)
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.regression import Held, hold_against
from curbside_deidentification.domain.spans import Span

LEXICON = load_policy().lexicon
TEXT = "Seen by Quatremer in May. QUATREMER may return; Zephyrine  Quatremer agrees."
FOUND = Span(8, 17, Category.NAME, 0.6, "Statistical")
REVIEW = Review.of([FOUND])


def said(review: Review) -> list[tuple[str, Status]]:
    return [(TEXT[one.span.start : one.span.end], one.status) for one in review.spans]


def test_what_nobody_decided_on_keeps_its_score_and_what_a_person_did_is_sure() -> None:
    assert REVIEW.active == (FOUND,)
    [accepted] = REVIEW.accept("8-17-NAME").active
    assert (accepted.score, accepted.recogniser) == (1.0, "Statistical")


def test_a_removed_span_stands_again_when_accepted() -> None:
    removed = REVIEW.remove("8-17-NAME", "reviewer.drug")
    assert removed.active == ()
    assert removed.spans[0].reason == "reviewer.drug"
    assert removed.remove("8-17-NAME") == removed
    assert removed.accept("8-17-NAME").active == REVIEW.accept("8-17-NAME").active
    with pytest.raises(UnknownSpan):
        REVIEW.remove("8-17-DATE")


def test_who_removed_a_span_first_is_kept_until_it_stands_again() -> None:
    removed = REVIEW.remove("8-17-NAME", by="token:a").remove("8-17-NAME", by="token:b")
    assert Review.from_bytes(removed.to_bytes()) == removed
    assert removed.unhidden([(10, 12), (17, 18)]) == [{"token:a"}, set()]
    again = removed.accept("8-17-NAME")
    assert again.unhidden([(10, 12)]) == []
    assert again.remove("8-17-NAME", by="token:b").unhidden([(10, 12)]) == [{"token:b"}]
    earlier = b'[[8, 17, "NAME", 0.6, "Statistical", "removed", "reviewer.drug"]]'
    assert Review.from_bytes(earlier).unhidden([(10, 12)]) == [{""}]


def test_an_added_span_loses_the_space_at_its_ends_and_is_added_once() -> None:
    added = REVIEW.add(TEXT, 20, 25, Category.DATE)
    assert said(added)[1] == ("May.", Status.ADDED)
    assert added.add(TEXT, 21, 25, Category.DATE) == added


@pytest.mark.parametrize(("start", "end"), [(0, 0), (5, 4), (-1, 4), (0, len(TEXT) + 1), (57, 58)])
def test_a_span_outside_the_text_or_of_nothing_is_refused(start: int, end: int) -> None:
    with pytest.raises(BadSpan) as refused:
        REVIEW.add(TEXT, start, end, Category.NAME)
    assert refused.value.field in ("start", "end")
    assert refused.value.mend


def test_a_span_stands_across_another_only_instead_of_it() -> None:
    with pytest.raises(SpanOverlaps) as refused:
        REVIEW.add(TEXT, 5, 12, Category.NAME)
    assert refused.value.extensions == {"spans": ["8-17-NAME"]}
    instead = REVIEW.add(TEXT, 5, 17, Category.NAME, instead=True)
    assert said(instead) == [("by Quatremer", Status.ADDED), ("Quatremer", Status.REPLACED)]
    assert instead.remove("8-17-NAME") == instead
    with pytest.raises(SpanOverlaps):
        instead.accept("8-17-NAME")
    assert Review.from_bytes(instead.to_bytes()) == instead


def test_other_mentions_of_an_added_name_are_covered_too() -> None:
    review = Review.of([]).add(TEXT, 8, 17, Category.NAME)
    covered = review.with_mentions(TEXT, review.spans[0].span, LEXICON)
    assert [TEXT[span.start : span.end] for span in covered.active] == ["Quatremer", "QUATREMER", "Quatremer"]
    assert {one.span.recogniser for one in covered.spans[1:]} == {MENTION}


def test_a_mention_that_a_reviewer_removed_is_not_covered_again() -> None:
    text = "Holter for Holter"
    removed = Review.of([Span(0, 6, Category.NAME, 0.6, "Statistical")]).remove("0-6-NAME")
    added = removed.add(text, 11, 17, Category.NAME)
    assert added.with_mentions(text, added.active[0], LEXICON) == added


@pytest.mark.parametrize(
    ("text", "mention", "category", "others"),
    [
        (
            "In May she may go; May.",
            "May",
            Category.NAME,
            ["May"],
        ),  # a word in the vocabulary: as it is written
        ("92 years, BP 92/60", "92", Category.AGE, []),
        ("id 77120 and 77120.", "77120", Category.MRN, ["77120"]),
        ("Jo Ann Quat, jo ann\nquat", "Jo Ann Quat", Category.NAME, ["jo ann\nquat"]),
    ],
)
def test_what_counts_as_the_same_words(
    text: str, mention: str, category: Category, others: list[str]
) -> None:
    start = text.index(mention)
    added = Review.of([]).add(text, start, start + len(mention), category)
    found = added.with_mentions(text, added.active[0], LEXICON)
    assert [text[span.start : span.end] for span in found.active[1:]] == others


@given(st.lists(st.tuples(st.integers(0, 74), st.integers(1, 20), st.sampled_from(Category)), max_size=8))
def test_whatever_is_added_active_spans_are_disjoint_and_inside(
    additions: list[tuple[int, int, Category]],
) -> None:
    review = REVIEW
    for start, length, category in additions:
        end = min(start + length, len(TEXT))
        if TEXT[start:end].strip():
            review = review.add(TEXT, start, end, category, instead=True)
            review = review.with_mentions(TEXT, review.active[0], LEXICON)
    reached = 0
    for span in review.active:
        assert reached <= span.start < span.end <= len(TEXT)
        reached = span.end
    assert Review.from_bytes(review.to_bytes()) == review


def test_half_a_name_is_missed_and_a_span_on_no_mention_is_needless() -> None:
    text = "Zephyrine Quatremer, Lasix"
    gold = [Span(0, 19, Category.NAME, 1.0, "Reviewer")]
    half = hold_against(
        gold, [Span(0, 9, Category.NAME, 0.9, "X"), Span(21, 26, Category.NAME, 0.6, "Y")], text
    )
    assert (half.found, half.missed, half.right, half.needless) == ({}, {Category.NAME: 1}, 1, 1)
    whole = hold_against(
        gold, [Span(0, 9, Category.NAME, 0.9, "X"), Span(10, 19, Category.NAME, 0.9, "X")], text
    )
    assert (whole.found, whole.needless) == ({Category.NAME: 1}, 0)
    assert half.worse_than(whole)
    assert not whole.worse_than(half)
    assert not Held().worse_than(Held())
