"""Reports read from bytes: encodings, shapes, fields, and what is said of those that cannot be read."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.errors import CurbsideError
from curbside.phi import PhiText
from curbside_ingestion.domain.formats import Format
from curbside_ingestion.domain.problems import (
    BadField,
    BadShape,
    BinaryReport,
    EmptyReport,
    MissingColumns,
    OversizedReport,
    TruncatedReport,
    WrongEncoding,
)
from curbside_ingestion.domain.report import FIELD_NAMES, KNOWN_NAMES, Submission, read_submission
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.domain.rows import BadRow, GoodRow, read_object, read_rows
from curbside_ingestion.domain.types import load_types

NAME = "Wolfgang Katzenbach"
REPORT = f"FINDINGS: {NAME} has a 5 mm nodule.\nIMPRESSION: Benign."


def read(data: bytes | str, format: Format, **options: str) -> list[GoodRow | BadRow]:
    encoded = data.encode() if isinstance(data, str) else data
    return list(read_rows(encoded, format, read_submission, **options))  # type: ignore[arg-type]


def texts(rows: list[GoodRow | BadRow]) -> list[str]:
    return [row.submission.text.reveal() for row in rows if isinstance(row, GoodRow)]


def problems(rows: list[GoodRow | BadRow]) -> dict[int, CurbsideError]:
    return {row.row: row.problem for row in rows if isinstance(row, BadRow)}


def only(data: bytes | str, format: Format = Format.TEXT, **options: str) -> Submission:
    (row,) = read(data, format, **options)
    assert isinstance(row, GoodRow), row
    return row.submission


def refusal(data: bytes | str, format: Format = Format.TEXT, **options: str) -> CurbsideError:
    """The problem of an input that is refused, as a whole or in its only row."""
    try:
        (row,) = read(data, format, **options)
    except CurbsideError as problem:
        return problem
    assert isinstance(row, BadRow), row
    return row.problem


@pytest.mark.parametrize(
    "data",
    [
        REPORT.encode(),
        b"\xef\xbb\xbf" + REPORT.encode(),
        REPORT.encode("utf-16"),
        b"\xfe\xff" + REPORT.encode("utf-16-be"),
        REPORT.encode("utf-32"),
        REPORT.replace("\n", "\r\n").encode(),
        REPORT.replace("\n", "\r").encode(),
    ],
    ids=["utf-8", "utf-8 marked", "utf-16", "utf-16 big", "utf-32", "crlf", "cr"],
)
def test_a_text_is_the_same_in_every_unicode_encoding_and_line_ending(data: bytes) -> None:
    assert only(data).text.reveal() == REPORT


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "latin1"])
def test_a_declared_charset_is_read(charset: str) -> None:
    assert only("Müller – 37 °C".encode("cp1252"), charset=charset).text.reveal() == "Müller – 37 °C"


@pytest.mark.parametrize(
    ("data", "kind", "field"),
    [
        (b"", EmptyReport, "body"),
        (b" \r\n\t ", EmptyReport, "body"),
        (b"\xef\xbb\xbf \n", EmptyReport, "text"),
        ("\u2003\u00a0".encode(), EmptyReport, "text"),
        (b"%PDF-1.7 " + REPORT.encode(), BinaryReport, "body"),
        (b"PK\x03\x04aaaa", BinaryReport, "body"),
        (b"\x1f\x8b\x08\x00", BinaryReport, "body"),
        (b"\xff\xd8\xff\xe0JFIF", BinaryReport, "body"),
        (b"\x01" * 128 + b"DICM", BinaryReport, "body"),
        (b"MSH|^~\\&|A", BinaryReport, "body"),
        (b"report\x00text", BinaryReport, "body"),
        (b"\x01\x02\x03\x04 report", BinaryReport, "text"),
        (bytes(range(1, 256)) * 4, BinaryReport, "body"),
        ("Müller".encode("latin-1") + b" has no nodule", WrongEncoding, "text"),
        ("Müll\ufffdr has no nodule".encode(), WrongEncoding, "text"),
        ("no nodule, Mül\ufffd\n".encode(), TruncatedReport, "text"),
        ("no nodule, Mü".encode()[:-1], TruncatedReport, "body"),
    ],
    ids=range(17),
)
def test_a_body_that_is_no_text_is_refused(data: bytes, kind: type[CurbsideError], field: str) -> None:
    problem = refusal(data)
    assert type(problem) is kind
    assert problem.field == field
    assert problem.mend


def test_a_charset_that_is_not_read_and_one_that_lies_are_refused() -> None:
    assert refusal(REPORT, charset="ebcdic").field == "Content-Type"
    assert isinstance(refusal(b"M\xfc\x81ller", charset="windows-1252"), WrongEncoding)


def test_a_text_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert read_submission({"text": "x" * 100}, max_characters=100).text == PhiText("x" * 100)
    with pytest.raises(OversizedReport, match="more than 100") as refused:
        read_submission({"text": "x" * 101}, max_characters=100)
    assert refused.value.field == "text"


@pytest.mark.parametrize("alias", FIELD_NAMES["text"])
def test_a_text_goes_by_many_names(alias: str) -> None:
    assert only(json.dumps({alias: REPORT}), Format.JSON).text.reveal() == REPORT
    assert only(f'{alias}\n"{REPORT}"\n', Format.CSV).text.reveal() == REPORT


def test_every_field_of_a_row_is_read() -> None:
    row = {
        "text": REPORT,
        "id": 29,
        "mrn": " 0044-7 ",
        "report_type": "Chest X-Ray",
        "status": "Entered_In_Error",
        "authored_at": "2026-03-01T14:05:00+01:00",
        "source": "ris-north",
        "known": {"names": [NAME, "Wolf Katzenbach", NAME], "phones": ["555 0100"]},
        "dob": "1960-02-03; 1960-03-02",
        "specialties": ["Radiology"],
    }
    submission = read_submission(row)
    assert submission.external_id == PhiText("29")
    assert submission.patient_id == PhiText("0044-7")
    assert submission.type == "radiology"
    assert submission.status is ReportStatus.ENTERED_IN_ERROR
    assert submission.authored_at == PhiText("2026-03-01T14:05:00+01:00")
    assert submission.source == "ris-north"
    assert [name.reveal() for name in submission.known.names] == [NAME, "Wolf Katzenbach"]
    assert [birth.reveal() for birth in submission.known.dates_of_birth] == ["1960-02-03", "1960-03-02"]
    assert read_submission({"text": "x"}) == Submission(PhiText("x"))


def test_the_patients_id_and_an_accession_number_are_known_identifiers_unless_too_short() -> None:
    known = read_submission({"text": "x", "patient_id": "0044-7", "external_id": "ACC12345"}).known_with_ids()
    assert [value.reveal() for value in known.mrns] == ["0044-7"]
    assert [value.reveal() for value in known.numbers] == ["ACC12345"]
    known = read_submission({"text": "x", "patient_id": "29", "external_id": "pneumonia"}).known_with_ids()
    assert not known.mrns
    assert not known.numbers


def test_known_names_are_those_of_the_contract() -> None:
    assert set(KNOWN_NAMES) == {field.name for field in fields(read_submission({"text": "x"}).known)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 5),
        ("text", ["FINDINGS: none"]),
        ("external_id", 1.5),
        ("external_id", "x" * 201),
        ("external_id", "a\x00b"),
        ("patient_id", {"mrn": 5}),
        ("patient_id", True),
        ("type", 7),
        ("type", ["radiology"]),
        ("known.names", {"names": ["a\x9bb"]}),
        ("status", "done"),
        ("authored_at", "yesterday"),
        ("authored_at", "2026-03-01T14:05:00"),
        ("authored_at", "0001-01-01"),
        ("authored_at", 20260301),
        ("source", "../etc"),
        ("source", ""),
        ("known", [NAME]),
        ("known", {"pets": [NAME]}),
        ("known.names", {"names": NAME}),
        ("known.names", {"names": [None]}),
        ("known.names", {"names": ["x"] * 51}),
        ("known.names", {"names": ["x" * 201]}),
        ("known.names", {"names": ["a\nb"]}),
    ],
    ids=range(24),
)
def test_a_bad_value_is_refused_by_field_and_never_shown(field: str, value: object) -> None:
    row = {"text": REPORT, field.partition(".")[0]: value}
    if value == "":
        assert read_submission(row).source == "api"
        return
    with pytest.raises(BadField) as refused:
        read_submission(row)
    assert refused.value.field == field
    assert refused.value.mend
    assert "Katzenbach" not in json.dumps(refused.value.problem())


def test_a_date_alone_is_midnight_utc() -> None:
    authored_at = read_submission({"text": "x", "authored_at": "2026-03-01"}).authored_at
    assert authored_at == PhiText("2026-03-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("said", "type"),
    [
        (None, ""),
        ("Pathology", "pathology"),
        ("CT CHEST W/ CONTRAST", "radiology"),
        ("Discharge_Summary", "discharge"),
        ("SOAP / Chart / Progress Notes", "progress"),
        ("Consult - History and Phy.", "admission"),
        ("Letter re Wolfgang Katzenbach", "other"),
        ("Katzenbach 4456781", "other"),
        ("x" * 4000, "other"),
        ("!!", "other"),
        ("other", "other"),
    ],
    ids=range(11),
)
def test_a_type_is_one_of_a_list_and_any_other_is_other(said: str | None, type: str) -> None:
    assert read_submission({"text": "x", "type": said}).type == type


def test_every_type_fits_its_column_and_every_name_is_a_slug() -> None:
    for alias, name in load_types().items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", alias)
        assert len(name) <= 40


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_text_and_what_is_known_are_in_one_form_and_without_widthless_characters(form: str) -> None:
    spelt = unicodedata.normalize(form, "Zoë Nú\u00adñez\u200b")
    row = {"text": f"\ufeff{spelt} was seen.", "patient_id": spelt, "known": {"names": [spelt]}}
    (read_row,) = read(json.dumps(row), Format.JSON)
    assert isinstance(read_row, GoodRow)
    submission = read_row.submission
    assert submission.text.reveal() == "Zoë Núñez was seen."
    assert submission.patient_id == PhiText("Zoë Núñez")
    assert submission.known.names == (PhiText("Zoë Núñez"),)
    assert read_row.original == json.dumps(row).encode()


def test_a_text_of_widthless_characters_is_empty() -> None:
    assert isinstance(refusal("\u200b\u200d\u00ad"), EmptyReport)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_a_byte_order_mark_alone_is_an_empty_report(format: Format, mark: bytes) -> None:
    problem = refusal(mark, format)
    assert isinstance(problem, EmptyReport)
    assert problem.field == "body"


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "iso-8859-15"])
def test_utf8_that_says_it_is_a_single_byte_charset_is_refused(charset: str) -> None:
    problem = refusal("Müller has no nodule".encode(), charset=charset)
    assert isinstance(problem, WrongEncoding)
    assert problem.field == "Content-Type"
    assert only(b"no nodule", charset=charset).text.reveal() == "no nodule"


def test_binary_is_seen_through_a_charset_that_reads_every_byte() -> None:
    assert isinstance(refusal(bytes(range(0x80, 0x100)) * 8, charset="iso-8859-15"), BinaryReport)
    assert only("no\x85nodule").text.reveal() == "no\x85nodule"


def test_a_closed_object_has_no_unknown_member() -> None:
    assert read_submission({"text": "x", "patientid": "7"}).patient_id is None
    with pytest.raises(BadShape, match="no rule knows") as refused:
        read_submission({"text": "x", "patientid": "7"}, closed=True)
    assert "patient_id" in str(refused.value.mend)


@pytest.mark.parametrize("text", ["\ud800 nodule", "a\x00b", "%PDF-1.4 x", "\x01\x02\x03", "Mül\ufffd"])
def test_a_json_text_obeys_the_rules_of_bytes(text: str) -> None:
    problem = refusal(json.dumps([{"text": text}]), Format.JSON)
    assert problem.field == "text"


@pytest.mark.parametrize(
    "body",
    [{"text": "a"}, [{"text": "a"}], {"reports": [{"text": "a"}]}],
    ids=["object", "array", "reports"],
)
def test_three_shapes_of_json_are_read(body: object) -> None:
    assert only(json.dumps(body), Format.JSON).text.reveal() == "a"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('"FINDINGS: none"', BadShape),
        ("5", BadShape),
        ("null", BadShape),
        ("[]", EmptyReport),
        ('{"reports": {"text": "x"}}', BadShape),
        ('{"reports": []}', EmptyReport),
        ('{"text": "x",}', BadShape),
        ("[" * 100_000, BadShape),
        ('{"text": "x", "id": ' + "9" * 5000 + "}", BadShape),
        ('{"text": "FINDINGS: no', TruncatedReport),
        ('[{"text": "x"}, {"te', TruncatedReport),
        ('[{"text": "x"},', TruncatedReport),
        ('{"resourceType": "Patient"}', EmptyReport),
    ],
    ids=range(13),
)
def test_json_of_the_wrong_shape_or_cut_off_is_refused(body: str, kind: type[CurbsideError]) -> None:
    problem = refusal(body, Format.JSON)
    assert type(problem) is kind
    assert problem.field
    assert problem.mend


def test_an_array_gives_its_good_elements_and_lists_its_bad_ones() -> None:
    rows = read(json.dumps([{"text": "a"}, "b", {"text": ""}, {"text": "d"}]), Format.JSON)
    assert texts(rows) == ["a", "d"]
    assert {row: type(problem) for row, problem in problems(rows).items()} == {2: BadShape, 3: EmptyReport}


def test_ndjson_counts_lines_and_a_broken_byte_spoils_only_its_own() -> None:
    data = b'{"text": "a"}\n\n{"text": "M\xfcller"}\r\n{"text": "d"}\n[1]\n{"text": "cut'
    rows = read(data, Format.NDJSON)
    assert texts(rows) == ["a", "d"]
    assert {row: type(problem) for row, problem in problems(rows).items()} == {
        3: WrongEncoding,
        5: BadShape,
        6: TruncatedReport,
    }
    assert texts(read('{"text": "ä"}\n{"text": "b"}'.encode("utf-16"), Format.NDJSON)) == ["ä", "b"]


CSV = f'Report Text,MRN,id,Names\r\n"{REPORT}\r\nhe said ""none""\t",17,a1,{NAME};Wolf\r\nsecond,18,a2,\r\n'


def test_csv_reads_quotes_line_breaks_and_columns_by_their_other_names() -> None:
    first, second = read(CSV, Format.CSV)
    assert isinstance(first, GoodRow)
    assert isinstance(second, GoodRow)
    assert first.submission.text.reveal() == f'{REPORT}\nhe said "none"\t'
    assert [name.reveal() for name in first.submission.known.names] == [NAME, "Wolf"]
    assert second.submission.patient_id == PhiText("18")
    assert second.original == b"Report Text,MRN,id,Names\r\nsecond,18,a2,\r\n"
    assert texts(read(first.original, Format.CSV)) == [first.submission.text.reveal()]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_csv_may_be_separated_otherwise(delimiter: str) -> None:
    assert texts(read(f"id{delimiter}text\n1{delimiter}a, b\n", Format.CSV)) == ["a, b"]


def test_a_csv_field_may_be_longer_than_pythons_limit() -> None:
    assert texts(read("text\n" + "x" * 150_000, Format.CSV)) == ["x" * 150_000]


def test_a_csv_without_a_column_of_text_names_what_is_missing_and_what_is_accepted() -> None:
    problem = refusal(f"{NAME},nodule\nother,none\n", Format.CSV)
    assert isinstance(problem, MissingColumns)
    assert problem.extensions["missing"] == ["text"]
    assert "transcription" in problem.extensions["accepted"]["text"]
    assert "transcription" in str(problem.mend)
    assert NAME.casefold() not in json.dumps(problem.problem()).casefold()


def test_a_csv_that_was_cut_off_keeps_the_rows_before() -> None:
    rows = read('id,text\n1,a\n2,"b is cut\n3,c\n', Format.CSV)
    assert texts(rows) == ["a"]
    assert isinstance(problems(rows)[2], TruncatedReport)
    rows = read('id,text\n1,"a" b\n2,c\n', Format.CSV)
    assert not texts(rows)
    assert "Nothing after" in str(problems(rows)[1].mend)


def test_a_csv_row_with_other_columns_than_its_header_is_listed() -> None:
    rows = read("id,text\n1,a,surplus\n2\n\n3,c\n", Format.CSV)
    assert texts(rows) == ["c"]
    assert sorted(problems(rows)) == [1, 2]


@pytest.mark.parametrize("data", ["text\n", "text,text\na,b\n", 'id,"text\na,b\n'])
def test_a_csv_without_rows_or_with_a_broken_header_is_refused(data: str) -> None:
    assert isinstance(refusal(data, Format.CSV), EmptyReport | BadShape)


def all_problems(data: bytes, format: Format) -> list[CurbsideError]:
    try:
        return list(problems(read(data, format)).values())
    except CurbsideError as problem:
        return [problem]


@pytest.mark.parametrize("format", Format)
@given(data=st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_a_problem(format: Format, data: bytes) -> None:
    assert all(problem.field and problem.mend for problem in all_problems(data, format))


@given(text=st.text(max_size=80))
def test_a_problem_never_quotes_its_input(text: str) -> None:
    marked = f"zqxj{text}zqxj"
    for shape in (marked, f'{{"text": "{marked}', f'id,text\n1,"{marked}', f'{{"{marked}": 5}}'):
        for format in (Format.JSON, Format.CSV, Format.NDJSON):
            found = all_problems(shape.encode("utf-8", "replace"), format)
            assert not [problem for problem in found if "zqxj" in json.dumps(problem.problem())]


def test_one_object_is_read_from_a_body() -> None:
    submission = read_object(b'{"text": "a"}', read_submission)
    assert submission.text == PhiText("a")
    with pytest.raises(BadShape, match="no JSON object"):
        read_object(b'["a"]', read_submission)
