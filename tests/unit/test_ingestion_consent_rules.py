"""What is heard of a consent, what holds of several, and that doubt never permits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curbside.errors import BadInput
from curbside_ingestion.domain.consents import (
    Decision,
    Recorded,
    VoidConsent,
    is_barred,
    parse_consent,
    read_consent,
    repeated,
    voided,
)
from curbside_ingestion.extraction.fhir import extract
from curbside_ingestion.extraction.found import EmptyDocument, Extraction

NOW = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)
DENY, PERMIT, VOID = Decision.DENY, Decision.PERMIT, Decision.VOID
V3 = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "MRN0071"}],
}


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"code": code}]}


def consent(provision: Any = None, **members: Any) -> dict[str, Any]:
    written = {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "scope": coded("patient-privacy"),
        "category": [coded("59284-0")],
        "patient": {"reference": "Patient/p1"},
        "dateTime": "2026-03-01T14:05:00+01:00",
        "policyRule": coded("OPTIN"),
        **({"provision": provision} if provision else {}),
        **members,
    }
    return {name: value for name, value in written.items() if value is not None}


def heard(*resources: dict[str, Any]) -> Extraction:
    entries = [{"resource": one} for one in (PATIENT, *resources)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    report = {"resourceType": "Binary", "contentType": "text/plain", "data": "Tm8gbm9kdWxlLg=="}
    entries.append({"resource": report})
    return extract(json.dumps(bundle).encode())


RESEARCH = {"scope": coded("research")}
OPTOUT = {"policyRule": coded("OPTOUT")}
UNKNOWN = {"policyRule": {"text": "No research please"}}
HRESCH = [{"system": V3, "code": "HRESCH"}]
TREAT = [{"system": V3, "code": "TREAT"}]
ODD = [{"code": "MODEL-TRAINING"}]
LABS = [{"code": "laboratory"}]


def by(reference: str) -> list[dict[str, Any]]:
    return [{"role": coded("PRCP"), "reference": {"reference": reference}}]


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        (consent({"type": "deny"}), "deny"),
        (consent({"type": "deny", "purpose": HRESCH}), "deny"),
        (consent({"type": "deny", "purpose": TREAT}), None),
        (consent({"type": "deny", "purpose": [*TREAT, *HRESCH]}), "deny"),
        (consent({"type": "deny", "purpose": ODD}), "deny"),
        (consent({"type": "deny", "purpose": HRESCH, "actor": by("Organization/o1")}), "deny"),
        (consent({"type": "deny", "actor": by("Practitioner/d1")}), None),
        (consent({"type": "deny", "actor": by("Organization/o1")}), "unclear"),
        (consent({"type": "permit", "provision": [{"type": "deny", "purpose": HRESCH}]}), "deny"),
        (consent({"type": "permit", "provision": [{"type": "deny"}]}, **RESEARCH), "deny"),
        (
            consent({"type": "permit", "provision": [{"type": "deny", "purpose": TREAT}]}, **RESEARCH),
            "permit",
        ),
        (consent({"type": "permit", "provision": [{"purpose": HRESCH}]}), "unclear"),
        (consent({"provision": [{"type": "deny", "class": [{"code": "x"}]}]}), "deny"),
        (consent({"class": LABS}), "unclear"),
        (consent({"type": "permit", "purpose": HRESCH}), "permit"),
        (consent({"type": "permit", "purpose": HRESCH, "action": [coded("disclose")]}), "unclear"),
        (consent({"type": "permit", "purpose": HRESCH, "action": [coded("use")]}), "permit"),
        (consent({"type": "permit", "purpose": HRESCH, "class": LABS}), "unclear"),
        (consent({"type": "permit", "purpose": HRESCH, "modifierExtension": [{"url": "urn:x"}]}), "unclear"),
        (consent({"type": "permit"}), None),
        (consent({"typ": "deny"}, **RESEARCH), "unclear"),
        (consent({"type": "deny"}, colour="red"), "deny"),
        (consent({"type": "permit"}, **RESEARCH), "permit"),
        (consent(**RESEARCH), "permit"),
        (consent(policyRule=coded("cric")), "unclear"),
        (consent(policyRule=coded("va-10-10116")), "deny"),
        (consent(**UNKNOWN), "unclear"),
        (consent(category=[coded("npp")], policyRule=None), None),
        (consent(**OPTOUT), "deny"),
        (consent({"provision": [{"type": "permit", "purpose": HRESCH}]}, **OPTOUT), "permit"),
        (consent({"class": LABS, "provision": [{"type": "permit", "purpose": HRESCH}]}, **OPTOUT), "deny"),
        (
            consent(
                {"provision": [{"type": "permit", "class": LABS, "provision": [{"type": "permit"}]}]},
                **OPTOUT,
            ),
            "deny",
        ),
        (
            consent(
                {
                    "purpose": TREAT,
                    "provision": [
                        {
                            "type": "permit",
                            "class": LABS,
                            "provision": [{"type": "permit", "purpose": HRESCH}],
                        }
                    ],
                },
                **OPTOUT,
            ),
            "unclear",
        ),
        (consent({"type": "deny"}, scope=coded("adr")), None),
        (consent({"type": "deny", "purpose": [{"code": "HSYSADMIN"}]}, scope=coded("treatment")), "deny"),
        (consent(**RESEARCH, status="rejected"), "deny"),
        (consent(**RESEARCH, policyRule=None, status="rejected"), "deny"),
        (consent({"type": "permit", "purpose": HRESCH, "class": LABS}, status="inactive"), "deny"),
        (consent({"type": "deny"}, status="rejected"), "unclear"),
        (consent({"type": "deny"}, status="inactive"), "unclear"),
        (consent({"type": "deny"}, status="proposed"), "unclear"),
        (consent({"type": "permit"}, status="inactive"), None),
    ],
    ids=lambda value: json.dumps(value)[60:110] if isinstance(value, dict) else str(value),
)
def test_what_a_consent_says_of_training(value: dict[str, Any], decision: str | None) -> None:
    found = heard(value)
    said = [one.row["decision"] for one in found.consents]
    refused = [one.problem.code for one in found.refused]
    if decision == "unclear":
        assert (said, refused) == ([], ["consent.unclear"])
        assert found.refused[0].problem.mend
        assert found.refused[0].place == "entry 2, Consent"
    else:
        assert (said, refused) == ([decision] if decision else [], [])
        assert found.dropped.get("Consent", 0) == (decision is None)
    assert all(one.row["patient_id"] == "MRN0071" for one in found.consents)


def test_a_permission_never_comes_of_a_narrower_word() -> None:
    """Whatever narrows, changes or leaves open a permission, none comes of it."""
    narrowing = {
        "actor": by("Organization/o1"),
        "class": LABS,
        "code": [coded("x")],
        "data": [{"meaning": "instance", "reference": {"reference": "DiagnosticReport/r1"}}],
        "dataPeriod": {"start": "2026-01-01"},
        "securityLabel": [{"code": "R"}],
        "modifierExtension": [{"url": "urn:x"}],
        "action": [coded("access")],
    }
    for name, value in narrowing.items():
        for permission in (
            consent({"type": "permit", "purpose": HRESCH, name: value}),
            consent({"provision": [{"type": "permit", "purpose": HRESCH, name: value}]}, **OPTOUT),
            consent({"type": "permit", name: value}, **RESEARCH),
        ):
            assert not [one for one in heard(permission).consents if one.row["decision"] == "permit"], name


@pytest.mark.parametrize(
    ("members", "period", "times"),
    [
        ({}, None, ("2026-03-01T14:05:00+01:00", "")),
        ({}, {"start": "2027-01-01T00:00:00Z"}, ("2027-01-01T00:00:00Z", "")),
        ({}, {"start": "2020-01-01", "end": "2027-01-01"}, ("2026-03-01T14:05:00+01:00", "2027-01-01")),
        ({"dateTime": "2026-03"}, None, ("", "")),
        ({"dateTime": None}, {"start": "2026-02-01"}, ("2026-02-01", "")),
        ({}, {"end": "2027"}, ("2026-03-01T14:05:00+01:00", "")),
    ],
)
def test_when_a_denial_holds(members: dict[str, Any], period: Any, times: tuple[str, str]) -> None:
    provision = {"type": "deny"} | ({"period": period} if period else {})
    (found,) = heard(consent(provision, **members)).consents
    assert (found.row.get("effective_at", ""), found.row.get("ends_at", "")) == times


def test_what_was_over_before_it_was_said_says_nothing() -> None:
    over = consent({"type": "deny", "period": {"start": "2015-01-01", "end": "2015-02-01"}})
    assert heard(over).consents == ()
    assert heard(over).refused == ()


@pytest.mark.parametrize("period", [{"start": "2026"}, {"end": "2027"}])
def test_a_permission_of_a_time_that_nobody_can_tell_is_refused(period: dict[str, str]) -> None:
    found = heard(consent({"type": "permit", "period": period}, **RESEARCH))
    assert [one.problem.code for one in found.refused] == ["consent.unclear"]


def test_an_entry_in_error_is_heard_whatever_it_says() -> None:
    (found,) = heard(consent({"type": "deny"}, status="entered-in-error")).consents
    assert found.row == {"status": "entered-in-error", "patient_id": "MRN0071", "reference": "Consent/c1"}
    assert read_consent(found.row, now=NOW).decision is VOID


def test_a_consent_without_a_patient_and_one_that_is_deleted_are_refused() -> None:
    (nobody,) = heard(consent({"type": "deny"}, patient=None)).refused
    assert (nobody.problem.code, nobody.problem.field) == ("document.content-missing", "patient")
    request = {"method": "DELETE", "url": "Consent/c1"}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request}]}
    (deleted,) = extract(json.dumps(bundle).encode()).refused
    assert deleted.problem.code == "consent.unclear"
    with pytest.raises(EmptyDocument, match="something else than research"):
        extract(json.dumps(consent({"type": "permit"})).encode())


def said(**members: Any) -> dict[str, Any]:
    return {"patient_id": "MRN0071", "decision": "deny", **members}


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ({"decision": "deny"}, "consent.bad-field", "patient_id"),
        (said(patient_id=" "), "consent.bad-field", "patient_id"),
        (said(patient_id=["a"]), "report.bad-field", "patient_id"),
        (said(decision=None), "consent.bad-field", "decision"),
        (said(decision="no"), "consent.bad-field", "decision"),
        (said(decision="void"), "consent.bad-field", "decision"),
        (said(decision=["deny"]), "consent.bad-field", "decision"),
        (said(scope="marketing"), "consent.bad-field", "scope"),
        (said(effective_at="yesterday"), "consent.bad-field", "effective_at"),
        (said(effective_at="2026-03-01T14:05:00"), "consent.bad-field", "effective_at"),
        (said(effective_at="0001-01-01T00:00:00Z"), "consent.bad-field", "effective_at"),
        (said(effective_at=20260301), "consent.bad-field", "effective_at"),
        (said(effective_at="2026-12-02"), "consent.undated", "effective_at"),
        (said(effective_at="2026-03-01", ends_at="2026-02-01"), "consent.bad-field", "ends_at"),
        (said(decision="permit"), "consent.undated", "effective_at"),
        (said(status="entered-in-error"), "consent.bad-field", "reference"),
        (said(status=[]), "consent.bad-field", "status"),
        (said(scope=False), "consent.bad-field", "scope"),
        (said(status="draft"), "consent.bad-field", "status"),
        (said(source="a b"), "report.bad-field", "source"),
        (said(name="x"), "consent.bad-field", "body"),
    ],
)
def test_what_is_no_consent_is_refused_by_its_field(row: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_consent(row, now=NOW)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.mend
    assert "MRN0071" not in caught.value.sentence


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"decision": "deny", "decision": "permit"}', b"[" * 9_000]
)
def test_a_body_that_is_no_object_or_says_two_things_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        parse_consent(body, now=NOW)
    assert caught.value.field == "body"


def placed(decision: str, effective_at: str, ends_at: str = "") -> tuple[datetime, datetime | None]:
    row = {"decision": decision, "effective_at": effective_at, "ends_at": ends_at}
    return read_consent(said(**row), now=NOW).placed(NOW)


def test_a_day_is_late_for_a_denial_and_early_for_a_permission() -> None:
    assert placed("deny", "2026-03-01", "2027-03-01") == (
        datetime(2026, 3, 2, 12, tzinfo=UTC),
        datetime(2027, 3, 2, 12, tzinfo=UTC),
    )
    assert placed("permit", "2026-03-01", "2027-03-01") == (
        datetime(2026, 2, 28, 10, tzinfo=UTC),
        datetime(2027, 3, 1, 10, tzinfo=UTC),
    )
    assert placed("deny", "2026-11-29")[0] == NOW, "it begins now, however late in the day it was said"
    assert placed("deny", "")[0] == NOW
    assert placed("permit", "2026-03-01T14:05:00+01:00")[0] == datetime(2026, 3, 1, 13, 5, tzinfo=UTC)


def recorded(decision: Decision, day: int, *, end: int | None = None, sequence: int = 1) -> Recorded:
    at = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days) for days in (day, end or 0)]
    return Recorded(f"c{sequence}", sequence, decision, at[0], at[1] if end else None, None, f"f{sequence}")


@pytest.mark.parametrize(
    ("consents", "barred"),
    [
        ([], False),
        ([recorded(DENY, 1)], True),
        ([recorded(DENY, 1), recorded(PERMIT, 2)], False),
        ([recorded(PERMIT, 2), recorded(DENY, 1)], False),
        ([recorded(PERMIT, 1), recorded(DENY, 2)], True),
        ([recorded(PERMIT, 1), recorded(DENY, 1)], True),
        ([recorded(DENY, 1, end=50)], False),
        ([recorded(DENY, 1), recorded(PERMIT, 2, end=50)], True),
        ([recorded(PERMIT, 1), recorded(DENY, 2, end=150)], True),
        ([recorded(DENY, 150)], False),
        ([recorded(DENY, 1), recorded(PERMIT, 150)], True),
        ([recorded(VOID, 2), recorded(PERMIT, 1)], False),
        ([recorded(DENY, 1), recorded(VOID, 2)], True),
    ],
)
def test_the_latest_in_force_counts_and_of_two_as_late_the_denial(
    consents: list[Recorded], barred: bool
) -> None:
    assert is_barred(consents, datetime(2026, 4, 11, tzinfo=UTC)) is barred


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([DENY, PERMIT, VOID]), st.integers(0, 9), st.none() | st.integers(1, 12)),
        max_size=6,
    ).flatmap(lambda said: st.tuples(st.just(said), st.permutations(said)))
)
def test_the_order_in_which_they_come_makes_no_difference(
    orders: tuple[list[tuple[Decision, int, int | None]], list[tuple[Decision, int, int | None]]],
) -> None:
    at = datetime(2026, 1, 8, tzinfo=UTC)
    one, other = ([recorded(what, day, end=end) for what, day, end in order] for order in orders)
    assert is_barred(one, at) is is_barred(other, at)


def test_the_same_said_again_is_the_same_but_for_a_denial_after_a_permission() -> None:
    first = recorded(DENY, 1)
    again = replace(recorded(DENY, 5), fingerprint=first.fingerprint)
    now = datetime(2026, 1, 7, tzinfo=UTC)
    assert repeated([first], again, exact=False, now=now) is first
    overruled = [first, recorded(PERMIT, 3, sequence=2)]
    assert repeated(overruled, again, exact=False, now=now) is None
    assert repeated(overruled, again, exact=True, now=now) is first
    later = [*overruled, replace(again, consent_id="c3", sequence=3)]
    assert repeated(later, again, exact=False, now=now) is later[-1]
    assert repeated([first], replace(again, fingerprint="other"), exact=False, now=now) is None


def test_an_entry_in_error_takes_back_what_came_under_its_reference_and_what_will() -> None:
    first = replace(recorded(DENY, 1), identity="i")
    error = replace(recorded(VOID, 1, sequence=2), identity="i")
    assert voided([first, recorded(DENY, 2, sequence=3)], error) == [first]
    with pytest.raises(VoidConsent):
        voided([error], first)
    assert voided([error], replace(first, identity=None)) == []
