"""FHIR R4: what each resource becomes, and that nothing hostile does more than be refused."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from curbside.errors import BadInput
from curbside_ingestion.domain.report import read_submission
from curbside_ingestion.extraction.fhir import extract
from curbside_ingestion.extraction.found import DEFAULT_LIMITS, EmptyDocument, Extraction, Found, Limits

TEXT = "FINDINGS: The lungs are clear. IMPRESSION: No acute disease."
LOINC = "http://loinc.org"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def b64(data: bytes | str) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def coded(code: str, system: str = LOINC, **more: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, **more}]}


def report(**members: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "code": {"text": "Chest X-ray"},
        "subject": {"reference": "Patient/p1"},
        "presentedForm": [{"contentType": "text/plain", "data": b64(TEXT)}],
        **members,
    }


def document(**members: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "content": [{"attachment": {"data": b64(TEXT)}}],
        **members,
    }


def observation(name: str, value: str, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name.casefold(),
        "status": "final",
        "category": [coded("laboratory", "http://terminology.hl7.org/CodeSystem/observation-category")],
        "code": {"text": name},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-01T08:00:00+01:00",
        "valueQuantity": {"value": "@" + value, "unit": "mmol/L"},
        **members,
    }


PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"type": coded("SS", V2_0203), "value": "999-55-8197"},
        {"type": coded("MR", V2_0203), "value": "MRN0071"},
    ],
    "name": [
        {"use": "official", "family": "Okafor", "given": ["Ada", "Ngozi"]},
        {"use": "nickname", "given": ["Addie"]},
    ],
    "telecom": [
        {"system": "phone", "value": "555-715-9979"},
        {"system": "email", "value": "ada@example.org"},
    ],
    "birthDate": "1986-05-23",
    "address": [{"line": ["571 Kemmer Gardens"], "city": "Boston", "state": "MA", "postalCode": "02108"}],
    "contact": [{"name": {"family": "Okafor", "given": ["Ben"]}}],
    "generalPractitioner": [{"display": "Dr. Ines Moreau"}],
}


def bundle(*resources: Any, kind: str = "collection", **members: Any) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries, **members}


def read(value: Any, limits: Limits = DEFAULT_LIMITS) -> Extraction:
    # "@3.10" stands for a number with these digits, which Python's float would not keep.
    written = json.dumps(value)
    for part in set(written.split('"')):
        if part.startswith("@"):
            written = written.replace(f'"{part}"', part[1:])
    return extract(written.encode(), limits)


def only(value: Any) -> Found:
    found = read(value)
    assert not found.refused, found.refused
    (one,) = found.found
    if not one.row.get("retraction"):
        read_submission(one.row)
    return one


def refusal(value: Any) -> BadInput:
    (one,) = read(value).refused
    assert isinstance(one.problem, BadInput)
    return one.problem


def test_a_report_alone_is_its_form_under_its_own_id_and_its_patient() -> None:
    one = only(report())
    assert one.row["text"] == TEXT
    assert (one.row["external_id"], one.row["patient_id"], one.row["type"]) == (
        "DiagnosticReport/r1",
        "p1",
        "radiology",
    )
    assert one.original is None


def test_a_bundle_says_who_the_patient_is_and_what_is_known_of_them() -> None:
    one = only(bundle(PATIENT, report(performer=[{"display": "Dr. Uma Roy"}])))
    assert one.row["patient_id"] == "MRN0071"
    assert one.row["known"] == {
        "names": ["Ada Ngozi Okafor", "Ada Ngozi"],
        "nicknames": ["Addie"],
        "relatives": ["Ben Okafor"],
        "staff": ["Dr. Ines Moreau", "Dr. Uma Roy"],
        "mrns": ["MRN0071"],
        "numbers": ["999-55-8197"],
        "dates_of_birth": ["1986-05-23"],
        "addresses": ["571 Kemmer Gardens, Boston, MA 02108", "571 Kemmer Gardens"],
        "phones": ["555-715-9979"],
        "emails": ["ada@example.org"],
    }


def test_what_is_known_of_one_patient_is_not_said_of_another() -> None:
    other = {"resourceType": "Patient", "id": "p2", "name": [{"family": "Voss", "given": ["Tim"]}]}
    contained = [{"resourceType": "Patient", "id": "x", "name": [{"family": "Lund"}]}]
    found = read(
        bundle(
            PATIENT,
            other,
            report(id="r2", subject={"reference": "Patient/p2"}),
            *(
                report(id=f"c{n}", contained=contained if n % 2 else [], subject={"reference": "#x"})
                for n in range(4)
            ),
        )
    )
    known = [one.row.get("known") for one in found.found]
    assert known == [{"names": ["Tim Voss", "Tim"]}, None, {"names": ["Lund"]}, None, {"names": ["Lund"]}]
    assert not any("patient_id" in one.row for one in found.found[1:])


def test_an_original_holds_the_resource_and_what_it_needed_and_nothing_else() -> None:
    unrelated = document(id="other")
    results = [{"reference": "Observation/sodium"}]
    found = read(
        bundle(PATIENT, unrelated, report(presentedForm=[], result=results), observation("Sodium", "140"))
    )
    original = found.found[1].original
    assert original is not None
    kinds = [entry["resource"]["resourceType"] for entry in json.loads(original)["entry"]]
    assert sorted(kinds) == ["DiagnosticReport", "Observation", "Patient"]
    assert b'"value":140' in original


def test_results_are_lines_with_their_unit_range_and_flag_and_every_digit() -> None:
    potassium = observation(
        "Potassium",
        "3.10",
        referenceRange=[{"low": {"value": 3.5}, "high": {"value": 5.1}}],
        interpretation=[{"text": "Low"}],
        note=[{"text": "Repeat\ntomorrow"}],
    )
    pressure = observation("Pressure", "1", component=[{"code": {"text": "Systolic"}, "valueString": "120"}])
    del pressure["valueQuantity"]
    wrong = observation("Glucose", "99", status="entered-in-error")
    results = [
        {"reference": f"Observation/{name}"} for name in ("potassium", "pressure", "glucose", "absent")
    ]
    found = read(
        bundle(
            report(presentedForm=[], result=results, conclusion="Hypokalemia."), potassium, pressure, wrong
        )
    )
    assert found.found[0].row["text"] == (
        "Chest X-ray\n\nRESULTS:\nPotassium: 3.10 mmol/L (3.5 to 5.1) Low\n  Repeat tomorrow\n"
        "Pressure:\n  Systolic: 120\n\nCONCLUSION:\nHypokalemia."
    )
    assert len(found.found) == 1
    assert found.dropped["DiagnosticReport.result"] == 1


def test_a_report_is_refused_where_one_of_its_results_cannot_be_read() -> None:
    bad = {**observation("Sodium", "140"), "status": 7}
    problem = refusal(
        bundle(
            report(presentedForm=[], result=[{"reference": "Observation/sodium"}], conclusion="Fine."), bad
        )
    )
    assert "entry 2, Observation" in problem.message
    assert "status" in problem.message


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        ("registered", "preliminary"),
        ("partial", "preliminary"),
        ("final", "final"),
        ("amended", "amended"),
        ("corrected", "amended"),
        ("appended", "amended"),
        ("cancelled", "entered-in-error"),
        ("entered-in-error", "entered-in-error"),
        ("unknown", "preliminary"),
    ],
)
def test_statuses(status: str, ours: str) -> None:
    assert only(report(status=status)).row["status"] == ours


@pytest.mark.parametrize(
    ("members", "ours"),
    [
        ({}, "final"),
        ({"docStatus": "preliminary"}, "preliminary"),
        ({"docStatus": "amended"}, "amended"),
        ({"status": "superseded"}, "entered-in-error"),
        ({"docStatus": "entered-in-error"}, "entered-in-error"),
    ],
)
def test_a_document_is_what_the_graver_of_its_statuses_says(members: dict[str, str], ours: str) -> None:
    assert only(document(**members)).row["status"] == ours


def test_a_retraction_needs_no_text() -> None:
    row = only(report(status="entered-in-error", presentedForm=[])).row
    assert (row["text"], row["status"], row["retraction"]) == ("", "entered-in-error", True)


def test_a_deletion_is_a_retraction() -> None:
    gone = {"request": {"method": "DELETE", "url": "DiagnosticReport/r9"}}
    row = only({"resourceType": "Bundle", "type": "transaction", "entry": [gone]}).row
    assert (row["external_id"], row["retraction"]) == ("DiagnosticReport/r9", True)


def test_a_history_is_read_oldest_first() -> None:
    found = read(bundle(report(status="amended"), report(status="final"), kind="history"))
    assert [one.row["status"] for one in found.found] == ["final", "amended"]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"effectiveDateTime": "2026-03-01T08:00:00+01:00"}, "2026-03-01T08:00:00+01:00"),
        ({"effectiveDateTime": "2026-03-01"}, "2026-03-01"),
        ({"effectiveDateTime": "2026-03", "issued": "2026-03-02T08:00:00Z"}, "2026-03-02T08:00:00Z"),
        ({"effectivePeriod": {"start": "2026-02-01", "end": "2026-02-03"}}, "2026-02-01"),
        ({"effectiveDateTime": "2026"}, None),
    ],
)
def test_a_time_is_taken_with_its_offset_and_half_a_date_is_not(
    members: dict[str, Any], expected: str | None
) -> None:
    assert only(report(**members)).row.get("authored_at") == expected


def test_an_accession_number_is_preferred_and_an_order_number_is_no_id() -> None:
    order = {"type": coded("PLAC", V2_0203), "value": "ORDER1"}
    accession = {"type": coded("ACSN", V2_0203), "value": "ACC7001"}
    assert only(report(identifier=[order])).row["external_id"] == "DiagnosticReport/r1"
    row = only(report(identifier=[order, {"value": "A1"}, accession])).row
    assert row["external_id"] == "ACC7001"
    assert row["known"] == {"numbers": ["ORDER1", "A1", "ACC7001"]}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"code": coded("18748-4")}, "radiology"),
        ({"code": {"text": "unknown"}, "category": [coded("SP", "http://x/v2-0074")]}, "pathology"),
        ({"code": {"text": "Brain MRI"}}, "radiology"),
        ({"code": {"text": "Letter re Jane Doe"}}, "other"),
    ],
)
def test_types_by_code_before_name(members: dict[str, Any], expected: str) -> None:
    assert only(report(**members)).row["type"] == expected


@pytest.mark.parametrize(
    ("url", "full_url"),
    [
        ("urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000001"),
        ("Binary/b1", "https://ehr.example.org/fhir/Binary/b1"),
        ("https://ehr.example.org/fhir/Binary/b1/_history/3", "https://ehr.example.org/fhir/Binary/b1"),
    ],
)
def test_a_binary_in_the_bundle_is_read_where_a_document_points_to_it(url: str, full_url: str) -> None:
    sent = bundle(document(content=[{"attachment": {"url": url}}]))
    binary = {"resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": b64(TEXT)}
    sent["entry"].append({"fullUrl": full_url, "resource": binary})
    assert only(sent).row["text"] == TEXT


def test_a_binary_alone_is_a_report() -> None:
    row = only({"resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": b64(TEXT)}).row
    assert (row["text"], row["external_id"]) == (TEXT, "Binary/b1")


def test_replaces_names_the_replaced_report_as_it_was_named() -> None:
    earlier = document(id="d0", masterIdentifier={"value": "DOC-1"})
    later = document(relatesTo=[{"code": "replaces", "target": {"reference": "DocumentReference/d0"}}])
    assert only(later).row["replaces"] == "DocumentReference/d0"
    assert read(bundle(earlier, later)).found[1].row["replaces"] == "DOC-1"
    appended = document(relatesTo=[{"code": "appends", "target": {"reference": "DocumentReference/d0"}}])
    assert "replaces" not in only(appended).row


def composition(**members: Any) -> dict[str, Any]:
    def div(text: str) -> dict[str, str]:
        return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}

    inner = {"title": "Labs", "entry": [{"reference": "Observation/sodium"}]}
    return {
        "resourceType": "Composition",
        "id": "c1",
        "status": "final",
        "type": coded("18842-5"),
        "date": "2026-03-01",
        "author": [{"display": "Uma Roy"}],
        "title": "Discharge",
        "section": [{"title": "Hospital course", "text": div("<p>Improved.</p>"), "section": [inner]}],
        **members,
    }


def test_a_composition_is_its_sections_under_their_headings() -> None:
    one = only(bundle(composition(), observation("Sodium", "140"), kind="document"))
    assert one.row["text"] == ("Discharge\n\nHOSPITAL COURSE:\nImproved.\n\nLABS:\nSodium: 140 mmol/L")
    assert (one.row["type"], one.row["authored_at"]) == ("discharge", "2026-03-01")


def test_observations_that_no_report_tells_of_are_one_report_for_a_day() -> None:
    next_day = observation("Calcium", "2.4", effectiveDateTime="2026-03-02")
    survey = observation("Pain", "3", category=[coded("survey", "x")])
    values = [observation("Sodium", "140"), observation("Potassium", "4.0"), next_day, survey]
    found = read(bundle(*values))
    assert [one.row["text"] for one in found.found] == [
        "LABORATORY RESULTS\n\nRESULTS:\nSodium: 140 mmol/L\nPotassium: 4.0 mmol/L",
        "LABORATORY RESULTS: Calcium\n\nRESULTS:\nCalcium: 2.4 mmol/L",
    ]
    assert found.dropped["Observation"] == 1
    assert [one.row["external_id"] for one in found.found] == [
        one.row["external_id"] for one in read(bundle(*reversed(values))).found[::-1]
    ]


def test_other_resources_and_unknown_members_are_counted_and_never_quoted() -> None:
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/p1"}}
    found = read(bundle(condition, report(**{"Jane Doe, 7 Elm St": 1, "extra": 2, "media": []})))
    assert len(found.found) == 1
    assert found.dropped["Condition"] == 1
    assert found.dropped["DiagnosticReport.extra"] == 1
    assert found.dropped["DiagnosticReport.other"] == 1
    assert not any("Jane" in name for name in found.dropped)


def test_one_bad_entry_is_refused_with_its_place_and_path_and_the_others_go_on() -> None:
    bad = report(id="r2", effectiveDateTime="Jane Doe's birthday")
    found = read(bundle(report(), "no resource", bad))
    assert len(found.found) == 1
    assert [one.place for one in found.refused] == ["entry 2", "entry 3, DiagnosticReport"]
    problem = found.refused[1].problem
    assert "effectiveDateTime" in str(problem)
    assert "Jane" not in problem.sentence


@pytest.mark.parametrize(
    ("attachment", "code"),
    [
        (
            {"data": b64(TEXT), "hash": b64(hashlib.sha1(b"other", usedforsecurity=False).digest())},
            "report.digest-mismatch",
        ),
        ({"data": b64(TEXT), "size": 3}, "document.unreadable"),
        ({"data": b64("pdfInBase64Binary"), "contentType": "application/pdf"}, "document.content-missing"),
        ({"url": "https://ehr.example.org/Binary/1"}, "document.content-missing"),
        ({"url": "file:///etc/passwd"}, "document.content-missing"),
        ({"title": "nothing"}, "document.content-missing"),
        ({"data": "%%%%"}, "document.unreadable"),
        ({"data": 7}, "document.unreadable"),
        ({"data": b64(gzip.compress(TEXT.encode())[:-9])}, "document.unreadable"),
        ({"data": b64(b"PK\x03\x04 a zip")}, "document.unsupported"),
        ({"data": b64(" \n ")}, "document.empty"),
        ({"data": b64(json.dumps(PATIENT))}, "document.unreadable"),
        ("text", "document.unreadable"),
    ],
)
def test_attachments_that_lie_are_refused_by_name(attachment: Any, code: str) -> None:
    assert refusal(report(presentedForm=[attachment])).code == code


@pytest.mark.parametrize(
    "attachment",
    [
        {"data": b64(TEXT), "contentType": "application/pdf"},
        {"data": b64(gzip.compress(TEXT.encode())), "contentType": "text/plain"},
        {
            "data": b64(TEXT),
            "hash": b64(hashlib.sha1(TEXT.encode(), usedforsecurity=False).digest()),
            "size": len(TEXT),
        },
        {"data": b64(TEXT.encode("utf-16")), "contentType": "text/plain; charset=utf-16"},
    ],
)
def test_attachments_are_read_by_their_content(attachment: dict[str, Any]) -> None:
    assert only(report(presentedForm=[attachment])).row["text"] == TEXT


@pytest.mark.parametrize(
    "div",
    [
        "<!DOCTYPE div [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><div>&x;</div>",
        "<script>alert(1)</script>",
        "<div><script>alert(1)</script></div>",
        "<div>",
        "plain",
    ],
)
def test_a_narrative_with_entities_or_scripts_gives_none_of_them(div: str) -> None:
    value = report(presentedForm=[], text={"status": "additional", "div": div})
    found = read(value)
    assert len(found.refused) == 1
    assert not found.found


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"meta": {"security": [{"code": "ETH"}]}}, ["42cfr2"]),
        ({"meta": {"security": [{"code": "42CFRPart2"}, {"code": "R"}]}}, ["42cfr2", "restricted"]),
        ({"meta": {"security": [{"code": "PSYTHPN"}]}}, ["psychotherapy"]),
        ({"code": {"text": "Psychotherapy note"}}, ["psychotherapy"]),
        ({"meta": {"security": [{"code": "N"}]}}, None),
    ],
)
def test_labels_that_keep_a_report_from_training(members: Any, expected: list[str] | None) -> None:
    assert only(report(**members)).row.get("exclusions") == expected


def test_a_label_of_the_bundle_or_of_what_the_report_is_made_of_is_the_report_s_too() -> None:
    restricted = {"security": [{"code": "V"}]}
    assert only(bundle(report(), meta=restricted)).row["exclusions"] == ["restricted"]
    assert only(bundle({**PATIENT, "meta": restricted}, report())).row["exclusions"] == ["restricted"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "document.unreadable"),
        (b"[]", "document.unreadable"),
        (b"\xff\xfe{", "document.unreadable"),
        (b'{"resourceType":"Bundle","resourceType":"Bundle"}', "document.unreadable"),
        (b'{"resourceType":"Observation","valueInteger":NaN}', "document.unreadable"),
        (b'{"resourceType":"Observation","valueInteger":1e999999999}', "document.unreadable"),
        (b'{"resourceType":"Observation","valueInteger":' + b"9" * 5_000 + b"}", "document.unreadable"),
        (b'{"resourceType":"Bundle","type":"pile","entry":[]}', "document.unreadable"),
        (b'{"resourceType":"Bundle","type":"batch","entry":{}}', "document.unreadable"),
        (b'{"resourceType":"Bundle","type":["batch"],"entry":[]}', "document.unreadable"),
        (b'{"resourceType":"../x"}', "document.unreadable"),
        (b'{"resourceType":{"a":1}}', "document.unreadable"),
        (b'{"resourceType":"Bundle","type":"batch"}', "document.empty"),
        (json.dumps(PATIENT).encode(), "document.empty"),
        (b'{"resourceType":' + b"[" * 100_000, "document.unreadable"),
        (json.dumps(bundle(*[PATIENT] * 30_000)).encode(), "document.too-large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_documents_that_cannot_be_read_at_all(data: bytes, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        extract(data)
    assert caught.value.code == code


def nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = {"extension": [value], "url": "x"}
    return value


def test_depth_is_refused_with_the_entry_alone() -> None:
    found = read(bundle(report(), report(id="r2", extension=[nested(100, {"url": "x"})])))
    assert (len(found.found), len(found.refused)) == (1, 1)
    inner: Any = report()
    for _ in range(8):
        inner = bundle(inner)
    assert refusal(inner).code == "document.too-large"


def test_a_panel_that_holds_itself_ends() -> None:
    loop = observation("Sodium", "140", hasMember=[{"reference": "Observation/sodium"}])
    other = observation("Panel", "1", hasMember=[{"reference": "Observation/sodium"}])
    assert read(bundle(other, loop)).found


def test_many_reports_of_one_large_result_spend_the_document_s_budget() -> None:
    large = observation("Sodium", "140", note=[{"text": "x" * 100_000}])
    reports = [
        report(id=f"r{n}", presentedForm=[], result=[{"reference": "Observation/sodium"}]) for n in range(50)
    ]
    found = read(bundle(large, *reports), Limits(max_unpacked_bytes=1_000_000))
    assert found.found
    assert {one.problem.code for one in found.refused} == {"document.too-large"}


def test_half_of_a_surrogate_pair_goes_no_further_than_its_report() -> None:
    value = report(conclusion="\ud800 broken", presentedForm=[], id="r2")
    found = read(bundle(report(), value, report(subject={"reference": "Patient/\ud800"})))
    assert found.found[0].row["text"] == TEXT


def _mutated(value: Any, chance: random.Random) -> Any:
    """`value` with about one node in a hundred replaced by something of another shape."""
    if chance.random() < 0.01:
        return chance.choice(
            [
                None,
                7,
                -1,
                True,
                "",
                "x",
                "\ud800",
                [],
                {},
                [[]],
                [None],
                {"a": {}},
                "#x",
                0.5,
                ["y"],
                "é" * 300,
            ]
        )
    if isinstance(value, dict):
        return {
            (name if chance.random() > 0.005 else "mutant"): _mutated(item, chance)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_mutated(item, chance) for item in value]
    return value


@pytest.mark.parametrize("seed", range(12))
def test_mutants_of_real_resources_are_read_or_refused_and_nothing_else(shared: Path, seed: int) -> None:
    chance = random.Random(seed)
    files = sorted((shared / "data" / "fhir" / "r4_examples").glob("[bcdo]*.json"))
    for file in chance.sample(files, 20):
        value = _mutated(json.loads(file.read_bytes()), chance)
        try:
            found = extract(json.dumps(value).encode())
        except BadInput:
            continue
        assert all(isinstance(one.problem, BadInput) for one in found.refused)
        assert all(one.row["text"] or one.row["retraction"] for one in found.found)


def test_real_patients_give_every_report_they_hold(shared: Path) -> None:
    """13 files of Synthea: 11 patients, and two that list a hospital's houses and staff."""
    reports = 0
    for file in sorted((shared / "data" / "fhir" / "synthea").glob("*.json")):
        try:
            found = extract(file.read_bytes())
        except EmptyDocument:
            assert "Information" in file.name
            continue
        assert not found.refused
        reports += len(found.found)
        for one in found.found:
            submission = read_submission(one.row)
            assert submission.patient_id
            assert submission.known.names
    assert reports == 114
