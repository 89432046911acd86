"""A consent's times, sealed: what opens, for which consent, and what its length tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.settings import Profile
from curbside.storage.keys import KeyRing, MissingKey
from curbside.storage.periods import PERIOD_BYTES, DamagedPeriod, open_period, seal_period

ZONES = st.builds(timezone, st.timedeltas(timedelta(hours=-14), timedelta(hours=14)))
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES)
NAMES = st.text(max_size=64)
PLACES = st.tuples(NAMES, NAMES)
BEGIN = datetime(2026, 3, 1, 13, 5, 17, 123456, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing(tmp_path_factory.mktemp("keys"), Profile.DEVELOPMENT)


@given(begin=MOMENTS, end=st.none() | MOMENTS, place=PLACES)
def test_what_was_sealed_opens_as_it_was_and_is_as_long_as_any_other(
    keys: KeyRing, begin: datetime, end: datetime | None, place: tuple[str, str]
) -> None:
    tenant, consent_id = place
    sealed = seal_period(begin, end, tenant=tenant, consent_id=consent_id, ring=keys)
    opened = open_period(sealed, tenant=tenant, consent_id=consent_id, ring=keys)
    assert opened == (begin, end)
    assert all(moment.tzinfo is UTC for moment in opened if moment is not None)
    assert len(sealed) == PERIOD_BYTES
    assert sealed != seal_period(begin, end, tenant=tenant, consent_id=consent_id, ring=keys)


@given(places=st.lists(PLACES, min_size=2, max_size=2, unique=True))
def test_it_opens_for_its_own_consent_alone(keys: KeyRing, places: list[tuple[str, str]]) -> None:
    (tenant, consent_id), (other_tenant, other_id) = places
    sealed = seal_period(BEGIN, None, tenant=tenant, consent_id=consent_id, ring=keys)
    with pytest.raises(DamagedPeriod):
        open_period(sealed, tenant=other_tenant, consent_id=other_id, ring=keys)


def test_tenant_and_consent_do_not_run_into_one_another(keys: KeyRing) -> None:
    sealed = seal_period(BEGIN, None, tenant="a", consent_id="b:c", ring=keys)
    with pytest.raises(DamagedPeriod):
        open_period(sealed, tenant="a:b", consent_id="c", ring=keys)


@given(at=st.integers(0, PERIOD_BYTES - 1), flipped=st.integers(1, 255))
def test_a_changed_byte_is_seen(keys: KeyRing, at: int, flipped: int) -> None:
    sealed = bytearray(seal_period(BEGIN, None, tenant="t", consent_id="c", ring=keys))
    sealed[at] ^= flipped
    with pytest.raises(DamagedPeriod) as raised:
        open_period(bytes(sealed), tenant="t", consent_id="c", ring=keys)
    assert "2026" not in raised.value.sentence


@pytest.mark.parametrize("size", [0, 5, PERIOD_BYTES - 1, PERIOD_BYTES + 1])
def test_another_length_is_damage(keys: KeyRing, size: int) -> None:
    with pytest.raises(DamagedPeriod, match="does not open"):
        open_period(bytes(size), tenant="t", consent_id="c", ring=keys)


def test_another_key_opens_nothing_and_a_missing_one_is_missed(keys: KeyRing, tmp_path: Path) -> None:
    sealed = seal_period(BEGIN, None, tenant="t", consent_id="c", ring=keys)
    with pytest.raises(DamagedPeriod):
        open_period(sealed, tenant="t", consent_id="c", ring=KeyRing(tmp_path, Profile.DEVELOPMENT))
    with pytest.raises(MissingKey, match=r"consents\.key"):
        open_period(sealed, tenant="t", consent_id="c", ring=KeyRing(tmp_path / "none", Profile.PRODUCTION))


def test_a_moment_needs_a_zone(keys: KeyRing) -> None:
    with pytest.raises(TypeError):
        seal_period(datetime(2026, 3, 1), None, tenant="t", consent_id="c", ring=keys)
