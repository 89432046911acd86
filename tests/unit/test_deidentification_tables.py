"""A patient's mappings, one for each policy, and the one that earlier releases kept for all of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.phi import PLACEHOLDER, PLACEHOLDER_WORDS, Category
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.replacement import (
    SHIPPED,
    Made,
    ReplacementPolicy,
    SubjectMapping,
    SubjectSecrets,
    SubjectTables,
    replace,
    shipped_policy,
)
from curbside_deidentification.domain.spans import Span

SECRETS: Final = SubjectSecrets(b"k" * 32, timedelta(days=-100))
EXPERT, HARBOR, TAGS = map(shipped_policy, ("expert_determination", "safe_harbor", "tags"))
TEXT: Final = "Mary Poole, MRN 4471902, born 03/14/1951, seen on 3/4/2023 by Dr. Holmquist; face_77.jpg"
FOUND: Final = {
    "Mary Poole": Category.NAME,
    "4471902": Category.MRN,
    "03/14/1951": Category.DATE,
    "3/4/2023": Category.DATE,
    "Holmquist": Category.NAME,
    "face_77.jpg": Category.PHOTO,
}
TAGGED: Final = "[NAME], MRN [MRN], born [DATE], seen on [DATE_2] by Dr. [NAME_2]; [PHOTO]"
THEN: Final = datetime(2026, 1, 1, tzinfo=UTC)
LATER: Final = THEN + timedelta(days=1)


def spans_of(text: str) -> list[Span]:
    return sorted(
        Span(match.start(), match.end(), category, 1.0, "test")
        for said, category in FOUND.items()
        for match in re.finditer(re.escape(said), text)
    )


def done(tables: SubjectTables, policy: ReplacementPolicy, text: str = TEXT) -> tuple[str, SubjectTables]:
    """`text` by `policy`, and the tables after it, as the service keeps them."""
    replaced = replace(
        text,
        spans_of(text),
        policy,
        SECRETS,
        tables.of(policy),
        reference_year=2023,
        avoid=tables.originals_besides(policy),
    )
    kept = tables.keep(policy, replaced.mapping, at=LATER)
    return replaced.text, SubjectTables.from_json(kept.to_json())


def made(policy: ReplacementPolicy, at: datetime = LATER) -> Made:
    return Made(f"found:0+{policy.label}", at)


def shared_by(*policies: ReplacementPolicy) -> tuple[list[str], SubjectTables]:
    """Texts of `policies`, and the one mapping that earlier releases kept of them, as it lies sealed."""
    texts: list[str] = []
    mentions: dict[Category, dict[str, tuple[str, ...]]] = {}
    parts: dict[Category, dict[str, tuple[str, ...]]] = {}
    for policy in policies:
        replaced = replace(TEXT, spans_of(TEXT), policy, SECRETS, SubjectMapping(), reference_year=2023)
        texts.append(replaced.text)
        for category, original, surrogate in replaced.mapping.pairs():
            known = mentions.setdefault(category, {})
            known[original] = (*known.get(original, ()), surrogate)
        for category, of in replaced.mapping.parts.items():
            parts.setdefault(category, {}).update(of)
    return texts, SubjectTables.from_json(SubjectMapping(mentions, parts).to_json())


@given(st.lists(st.sampled_from([EXPERT, HARBOR, TAGS]), max_size=6))
def test_what_one_policy_wrote_no_other_writes(order: list[ReplacementPolicy]) -> None:
    tables = SubjectTables()
    first: dict[str, str] = {}
    for policy in order:
        text, tables = done(tables, policy)
        assert first.setdefault(policy.name, text) == text  # a patient stays who they were
        if policy is TAGS:
            assert text == TAGGED
        if policy is HARBOR:
            assert text == "[NAME], MRN [MRN], born 1951, seen on 2023 by Dr. [NAME]; [PHOTO]"
        if policy is EXPERT:
            assert [found[0][:7] for found in PLACEHOLDER.finditer(text)] == ["[PHOTO_"]
        for other in (EXPERT, TAGS):
            if policy is not HARBOR:  # of whose [NAME] nobody can tell that it is not of `tags`
                assert tables.restored_by(text, other) == (TEXT if other is policy else text)


@given(st.lists(st.sampled_from([EXPERT, TAGS]), min_size=1, max_size=4))
def test_each_text_is_turned_back_by_its_own_policy_alone(order: list[ReplacementPolicy]) -> None:
    tables = SubjectTables()
    for policy in order:
        text, tables = done(tables, policy)
    for policy in order:
        text, tables = done(tables, policy)
        assert tables.restored(text, [made(policy)]) == TEXT
        other = TAGS if policy is EXPERT else EXPERT
        assert tables.restored(text, [made(other)]) == text


def test_tags_of_placeholders_are_nobodys() -> None:
    _, tables = done(SubjectTables(), TAGS)
    answer = "Seen by Dr. [NAME] on [DATE]"
    assert tables.restored(answer, [made(HARBOR)]) == answer
    assert tables.restored(answer, [Made("found:0", LATER)]) == answer
    assert tables.restored(answer, [made(TAGS), Made("found:0", LATER)]) == answer  # it may speak of either
    assert tables.restored(answer, [made(TAGS), made(TAGS)]) == "Seen by Dr. Mary Poole on 03/14/1951"


def test_surrogates_of_an_answer_about_texts_of_several_policies_are_turned_back() -> None:
    text, tables = done(SubjectTables(), EXPERT)
    _, tables = done(tables, TAGS)
    told = [made(EXPERT), made(TAGS), made(HARBOR)]
    assert tables.restored(f"{text.partition(',')[0]}: [NAME]", told) == "Mary Poole: [NAME]"


@pytest.mark.parametrize("order", [(EXPERT, TAGS), (TAGS, EXPERT), (EXPERT,), (TAGS,)])
def test_a_mapping_of_no_policy_goes_out_under_none_that_did_not_write_it(
    order: tuple[ReplacementPolicy, ...],
) -> None:
    texts, tables = shared_by(*order)
    assert tables.is_shared
    for policy, text in zip(order, texts, strict=True):
        assert tables.restored(text, [made(policy, THEN)]) == TEXT
    for policy in (TAGS, EXPERT, HARBOR):
        text, tables = done(tables, policy)
        assert not tables.is_shared
        if policy is TAGS:
            assert text == TAGGED
        if policy is EXPERT:
            assert [found[0][:7] for found in PLACEHOLDER.finditer(text)] == ["[PHOTO_"]
            assert text in texts or EXPERT not in order  # who was one person stays one
        assert tables.restored(text, [made(policy)]) == (TEXT if policy is not HARBOR else text)
    for policy, text in zip(order, texts, strict=True):
        assert tables.restored(text, [made(policy, THEN)]) == TEXT


def test_a_mapping_of_no_policy_turns_nothing_back_that_was_made_since() -> None:
    _, tables = shared_by(EXPERT, TAGS)
    _, tables = done(tables, EXPERT)
    answer = "The source itself wrote [NAME] there."
    assert tables.restored(answer, [made(EXPERT)]) == answer
    assert tables.restored(answer, [made(EXPERT, THEN)]) != answer


def test_every_tag_and_placeholder_has_the_one_shape() -> None:
    rules = [rule for name in SHIPPED for rule in shipped_policy(name).rules.values()]
    assert {rule.tag for rule in rules} <= PLACEHOLDER_WORDS
    written = {*load_policy().placeholders.values(), *(f"[{rule.tag}_12]" for rule in rules)}
    assert all(PLACEHOLDER.fullmatch(one) for one in (*written, "[PHOTO_BCDFGHJK]"))
    assert not any(
        PLACEHOLDER.fullmatch(one) for one in ("[SMITH]", "[NAME", "[NAME_]", "[SIC]", "[ID_SMITHSON]")
    )
