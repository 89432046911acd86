"""Places among a patient's reports: whatever the order in which they come, earlier is less."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside_deidentification.domain.order import place_between


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        (None, None, "0"),
        ("0", None, "1"),
        ("13/2", None, "7"),
        (None, "0", "-1"),
        (None, "-3/2", "-2"),
        ("0", "1", "1/2"),
        ("1/2", "1", "3/4"),
    ],
)
def test_a_place_is_the_next_whole_number_or_the_middle(
    before: str | None, after: str | None, place: str
) -> None:
    assert place_between(before, after) == place


@given(st.lists(st.integers(), unique=True, max_size=60))
def test_reports_that_come_in_any_order_are_placed_in_the_order_of_their_writing(times: list[int]) -> None:
    places: dict[int, str] = {}
    for time in times:
        before = max((one for one in places if one < time), default=None)
        after = min((one for one in places if one > time), default=None)
        places[time] = place_between(
            places[before] if before is not None else None, places[after] if after is not None else None
        )
    assert sorted(times) == sorted(times, key=lambda one: Fraction(places[one]))
    assert len(set(places.values())) == len(times)
