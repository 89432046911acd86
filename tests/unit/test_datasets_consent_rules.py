"""Who is barred, of everything that patients said, in whatever order it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside_datasets.domain.consents import TRAINING, Decision, Standing

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Said(NamedTuple):
    subject: str
    scope: str
    decision: Decision
    begin: datetime
    end: datetime | None

    def holds(self) -> bool:
        return self.begin <= NOW and (self.end is None or self.end > NOW)


# Few moments, of which one is now, so that many fall together.
MOMENTS = st.integers(-2, 1).map(lambda days: NOW + timedelta(days=days))
SAID = st.builds(
    Said,
    st.sampled_from(["s1", "s2"]),
    st.sampled_from([TRAINING, "marketing"]),
    st.sampled_from(Decision),
    MOMENTS,
    st.none() | MOMENTS,
)


def barred(said: list[Said]) -> frozenset[str]:
    standing = Standing(NOW)
    for one in said:
        standing.tell(*one)
    return standing.barred()


@given(st.lists(SAID, max_size=8))
def test_a_denial_in_force_bars_unless_a_later_permission_to_train_is_in_force(said: list[Said]) -> None:
    expected = {
        denial.subject
        for denial in said
        if denial.decision is Decision.DENY
        and denial.holds()
        and not any(
            one.subject == denial.subject
            and one.decision is Decision.PERMIT
            and one.scope == TRAINING
            and one.holds()
            and one.begin > denial.begin
            for one in said
        )
    }
    assert barred(said) == expected


@given(st.lists(SAID, max_size=8), st.randoms(use_true_random=False))
def test_order_means_nothing(said: list[Said], random: object) -> None:
    shuffled = [*said]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert barred(shuffled) == barred(said)


@pytest.mark.parametrize("decision", Decision)
def test_doubt_bars_whatever_else_was_said(decision: Decision) -> None:
    standing = Standing(NOW)
    standing.doubt("s1")
    standing.tell("s1", TRAINING, decision, NOW, None)
    assert standing.barred() == {"s1"}
