"""Tables: what is one and what must stay a text, which columns are which fields, and rows as written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.errors import CurbsideError
from curbside_ingestion.domain.columns import Columns, read_columns, read_pairs
from curbside_ingestion.domain.formats import Format, format_of
from curbside_ingestion.domain.problems import BadColumns, BadShape, EmptyReport, MissingColumns
from curbside_ingestion.domain.report import Submission, read_submission
from curbside_ingestion.domain.rows import BadRow, GoodRow, Tables, read_rows
from curbside_ingestion.domain.tables import MAX_COLUMNS

NAME = "Katzenbach"
FINDING = "There is a 5 mm nodule in the left lower lobe that was not seen before, and no effusion."


def read(text: str, columns: str | None = None, format: Format = Format.CSV) -> tuple[list[Any], Tables]:
    tables = Tables(read_columns(columns) if columns is not None else None)
    return [*read_rows(text.encode(), format, read_submission, tables=tables)], tables


def submissions(text: str, columns: str | None = None) -> list[Submission]:
    rows, _ = read(text, columns)
    assert all(isinstance(row, GoodRow) for row in rows), rows
    return [row.submission for row in rows]


def told(text: str, columns: str | None = None, *, quoting: bool = True) -> dict[str, Any]:
    _, tables = read(text, columns)
    ((place, table),) = tables.found
    assert place == "body"
    return table.told(quoting=quoting)


def known(submission: Submission) -> dict[str, list[str]]:
    row = submission.to_row().get("known", {})
    assert isinstance(row, dict)
    return row


MANY = "\n".join(f"{n},{NAME},{FINDING.replace(',', ' ')}" for n in range(3))


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("id,text\n1,No nodule.\n2,\n", Format.CSV),
        ("id,text\r\n1,No nodule.\r\n", Format.CSV),
        ("\ufeffid;text\n1;No nodule.\n", Format.CSV),
        ("MRN\tReport Text\n1\tNo, nodule.\n", Format.CSV),
        ("PAT_ID|NOTE_TEXT\n1|No nodule.\n", Format.CSV),
        ('id,text\n1,"No\nnodule, at all."\n2,"said ""none"""\n', Format.CSV),
        ("sep=;\nid;text\n1;a\n", Format.CSV),
        ('"ROW_ID","SUBJECT_ID","HADM_ID","CATEGORY","TEXT"\n1,2,3,"Nursing","Pt stable."\n', Format.CSV),
        ("Patient Name,DOB,Note Text\nDoe Jane,1960-01-02,No nodule.\n", Format.CSV),
        (f"uid,image,findings,impression\n1,x,{FINDING.replace(',', '')},None\n" * 1, Format.TEXT),
        ("id,text\n1,a,b\n2,b\n3,c\n", Format.CSV),  # a bad row among good ones
        ("id,text\n1,No nodule, no effusion.\n2,None, at all.\n", Format.CSV),  # whose commas are not quoted
        ('id,text\n1,"cut off\nwithin its quote', Format.CSV),
        ("id,text\n", Format.CSV),  # headers alone are no report
        (f"MRN,Sex,Befund\n{MANY}\n", Format.CSV),  # its text is found by content
        ("", Format.TEXT),
        ("Note, text", Format.TEXT),
        ("Note, text\nThe patient was seen, and is well.\n", Format.TEXT),
        ("Report, id\n", Format.TEXT),
        ("FINDINGS: lungs, heart, bones.\nIMPRESSION: normal, no change.\n", Format.TEXT),
        ("Dear Dr. Doe,\nthank you for the referral, and the text.\n", Format.TEXT),
        ("Findings, impression\nLungs are clear, no pneumonia.\nHeart is normal, no change.\n", Format.TEXT),
        ("Test\tResult\tNote\nHb\t13.2\tnormal\nWBC\t7.1\tnormal\nPlt\t250\tlow\n", Format.TEXT),
        ("Test | Result | Report\nHb | 13.2 | normal\nWBC | 7.1 | high\n", Format.TEXT),
        ("Accession | Test | Note\nA1 | Hb | low\nA2 | WBC | high\n", Format.TEXT),
        ("Accession\tTest\tResult\nA1\tHb\t13\nA2\tWBC\t7\n", Format.TEXT),
        ("Hb,13.2,g/dl\nWBC,7.1,/nl\n", Format.TEXT),
        (f"1,{NAME},{FINDING.replace(',', '')}\n2,{NAME},{FINDING.replace(',', '')}\n", Format.TEXT),
        ('{"text": "a"}', Format.JSON),
        ('[\n{"text": "a"}\n]', Format.JSON),
        ('[{"text": "a"}, {"text": "b"}]', Format.JSON),
        ('{\n  "reports": [\n    {"text": "a"}\n  ]\n}', Format.JSON),
        ('{"text": "cut off', Format.JSON),
        ('{"text": "a"}\n{"text": "b"}\n', Format.NDJSON),
        ('\n{"text": "a"}\r\n\r\nnonsense', Format.NDJSON),
        ('{"text": "cut\n{"text": "b"}\n', Format.NDJSON),
        ("[1] See below.", Format.TEXT),
        ("[ ] smoker", Format.TEXT),
        ("{patient} was seen.", Format.TEXT),
        ('"quoted" text', Format.TEXT),
    ],
)
def test_a_text_is_told_by_its_content(text: str, format: Format) -> None:
    assert format_of(text) is format


@pytest.mark.parametrize("table", [f"Nr;Befund\n1;{NAME}\n2;clear\n", f"1,{NAME},a\n2,Roe,b\n3,Poe,c\n"])
def test_a_file_that_is_named_as_a_table_is_no_text_of_many_patients(table: str) -> None:
    assert format_of(table) is Format.TEXT
    assert format_of(table, name="x/Export.CSV") is Format.CSV
    with pytest.raises(MissingColumns):
        read(table)
    assert (
        format_of("Note, text\nof a letter, which is no table, at all.\nYours, A, B\n", name="a.csv")
        is Format.TEXT
    )


def test_every_real_report_stays_a_text(shared: Path) -> None:
    import lzma

    with lzma.open(shared / "data" / "mtsamples" / "mtsamples_dev.jsonl.xz", "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    with (shared / "data" / "aci_bench" / "train.csv").open(newline="") as file:
        texts += [text for row in csv.DictReader(file) for text in (row["note"], row["dialogue"])]
    texts += [path.read_text() for path in (shared / "data" / "docx_ocr").rglob("*.txt")]
    assert len(texts) > 1_700
    assert [text[:80] for text in texts if format_of(text) is not Format.TEXT] == []


def test_every_real_table_is_told_under_any_name(shared: Path) -> None:
    for name, count in (("train.csv", 67), ("valid.csv", 20)):
        data = (shared / "data" / "aci_bench" / name).read_bytes()
        tables = Tables()
        rows = [*read_rows(data, Format.TEXT, read_submission, tables=tables)]
        assert [type(row) for row in rows] == [GoodRow] * count
        ((_, table),) = tables.found
        said = table.told(quoting=True)
        assert said["columns"] == {"text": ["note"], "known.numbers": ["encounter_id"]}
        assert said["ignored"] == ["dataset", "dialogue"]


def test_mtsamples_as_it_is_shared_as_csv(shared: Path) -> None:
    """The columns of Kaggle's mtsamples.csv, of which the first has no header."""
    import lzma

    with lzma.open(shared / "data" / "mtsamples" / "mtsamples_dev.jsonl.xz", "rt") as lines:
        reports = [json.loads(line)["text"] for _, line in zip(range(200), lines, strict=False)]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["", "description", "medical_specialty", "sample_name", "transcription", "keywords"])
    writer.writerows(
        [n, "A consult.", " Surgery", "Hernia - 1 ", text, "a, b, c"] for n, text in enumerate(reports)
    )
    assert format_of(out.getvalue()) is Format.CSV
    rows, tables = read(out.getvalue())
    assert [row.submission.text.reveal() for row in rows] == reports
    assert {row.submission.type for row in rows} == {"operative"}
    assert tables.found[0][1].told(quoting=True)["ignored"] == [1, "description", "sample_name", "keywords"]


EXPORT = (
    "ACCESSION_NO,PatientID,PAT_ENC_CSN_ID,Last Name,First Name,Middle Name,Birth Date,Ordering Provider,"
    "Home-Phone,Address,SSN,Note Type,NOTE_TEXT,Sex\n"
    'ACC-1,MRN-1,CSN-17,Doe,Jane,Q,2/3/1960,"Roe, Max; Poe, Ann",555 0100,"12 Elm St\nBoston",000-11-2222,'
    "CT CHEST,No nodule.,F\n"
)


def test_what_an_export_says_of_a_patient_becomes_known_identifiers() -> None:
    (read_row,) = submissions(EXPORT)
    assert read_row.external_id is not None
    assert read_row.patient_id is not None
    assert (read_row.external_id.reveal(), read_row.patient_id.reveal()) == ("ACC-1", "MRN-1")
    assert read_row.type == "radiology"
    assert known(read_row) == {
        "names": ["Jane Q Doe", "Doe", "Jane", "Q"],
        "staff": ["Roe, Max", "Poe, Ann"],
        "numbers": ["CSN-17", "000-11-2222"],
        "dates_of_birth": ["2/3/1960"],
        "addresses": ["12 Elm St, Boston"],
        "phones": ["555 0100"],
    }
    said = told(EXPORT)
    assert said["columns"]["known.names"] == ["Last Name", "First Name", "Middle Name"]
    assert set(said["by"].values()) == {"name"}
    assert said["ignored"] == ["Sex"]


def test_of_several_ids_the_preferred_counts_and_the_others_are_searched_for() -> None:
    (first, second) = submissions("report_id,accession,PAT_ID,MRN,text\nR-1,A-1,P-1,M-1,a\n,A-2,P-2,NULL,b\n")
    assert first.external_id is not None
    assert second.external_id is not None
    assert (first.external_id.reveal(), second.external_id.reveal()) == ("R-1", "A-2")
    assert first.patient_id is not None
    assert second.patient_id is not None
    assert (first.patient_id.reveal(), second.patient_id.reveal()) == ("M-1", "P-2"), "NULL is no patient"
    assert known(first) == {"mrns": ["P-1"], "numbers": ["A-1"]}


def test_sections_in_columns_of_their_own_are_one_report_in_the_order_of_the_table() -> None:
    rows = "1,Cough.,Clear lungs.,IMPRESSION: normal\n2,NULL,None seen.,\n"
    table = f"MRN,Indication?,Findings?,Impression?\n{rows}"
    first, second = submissions(table)
    assert first.text.reveal() == "INDICATION: Cough.\n\nFINDINGS: Clear lungs.\n\nIMPRESSION: normal"
    assert second.text.reveal() == "FINDINGS: None seen."
    assert told(table)["columns"]["text"] == ["Indication?", "Findings?", "Impression?"]
    (soap,) = submissions("pid,subjective,objective,assessment,plan\n1,a,b,c,d\n")
    assert soap.text.reveal() == "SUBJECTIVE: a\n\nOBJECTIVE: b\n\nASSESSMENT: c\n\nPLAN: d"


def test_a_text_that_no_header_names_is_found_where_one_column_is_clearly_prose() -> None:
    table = f"MRN,Sex,Befund\n{MANY}\n"
    assert told(table)["by"] == {"text": "content", "patient_id": "name"}
    assert told(table)["columns"]["text"] == ["Befund"]
    assert [one.text.reveal() for one in submissions(table)] == [FINDING.replace(",", " ")] * 3


@pytest.mark.parametrize(
    "table",
    [
        f"MRN,A,B\n1,{'word ' * 20},{'word ' * 20}\n",  # two are prose
        f"MRN,A,B\n1,x,{'word ' * 11}\n",  # one is nearly
        f"A,B,C\n1,x,{'word ' * 20}\n",  # no name is known: it may have no headers
        f"{NAME},mrn,{'word ' * 20}\n{NAME},1,{'word ' * 20}\n",  # the first is a patient
        f"MRN,1960-02-03,B\n1,x,{'word ' * 20}\n",
    ],
)
def test_in_doubt_no_column_is_the_text(table: str) -> None:
    with pytest.raises(MissingColumns) as missing:
        read(table)
    assert NAME not in json.dumps(missing.value.problem())
    assert format_of(table) is Format.TEXT


def test_columns_are_given_by_header_or_by_number_and_the_others_are_found() -> None:
    table = "Befund;Nr;Vorname;Nachname;mrn;X\nclear;7;Jane;Doe;M-1;y\n"
    (one,) = submissions(
        table, '{"text": "BEFUND", "external_id": 2, "known.names": ["Nachname", "Vorname"]}'
    )
    assert one.text.reveal() == "clear"
    assert one.external_id is not None
    assert one.external_id.reveal() == "7"
    assert known(one)["names"] == ["Doe", "Jane"]
    assert one.patient_id is not None
    said = told(table, "text=Befund; external_id=2; known.names=Nachname,Vorname")
    assert said == {
        "columns": {
            "text": ["Befund"],
            "external_id": ["Nr"],
            "patient_id": ["mrn"],
            "known.names": ["Nachname", "Vorname"],
        },
        "by": {"text": "given", "external_id": "given", "patient_id": "name", "known.names": "given"},
        "ignored": ["X"],
    }


def test_a_field_that_is_given_no_column_takes_none() -> None:
    table = "id,type,text\n1,Letter,a\n"
    assert told(table, '{"text": "text", "type": []}')["ignored"] == ["type"]
    (one,) = submissions(table, "text=text;type=")
    assert one.type == ""


def test_of_a_file_without_headers_every_line_is_a_report() -> None:
    table = f'17;{NAME};"No nodule; no\neffusion."\n18;{NAME};Clear.\n'
    rows, tables = read(table, "text=3;patient_id=1;known.names=2")
    assert [row.submission.text.reveal() for row in rows] == ["No nodule; no\neffusion.", "Clear."]
    assert [known(row.submission)["names"] for row in rows] == [[NAME], [NAME]]
    assert [row.original.decode() for row in rows] == [table[: table.index("18")], table[table.index("18") :]]
    said = tables.found[0][1].told(quoting=True)
    assert said["columns"] == {"text": [3], "patient_id": [1], "known.names": [2]}
    with pytest.raises(BadColumns, match="by number"):
        read("id,text\n1,a\n", "text=2")


def test_several_columns_that_are_given_for_the_text_are_its_sections() -> None:
    (one,) = submissions("Befund,Beurteilung\nclear,normal\n", "text=Beurteilung,Befund")
    assert one.text.reveal() == "BEURTEILUNG: normal\n\nBEFUND: clear"


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ("{", "columns"),
        ('{"text": "a"', "columns"),
        ("{}", "columns"),
        ("", "columns"),
        ("text", "columns"),
        ('{"befund": "a"}', "columns"),
        ('{"known": "a"}', "columns"),
        ('{"text": "a", "text": "b"}', "columns"),
        ("text=a;text=b", "columns"),
        ("text=a;" * 3_000, "columns"),
        ('{"text": null}', "columns.text"),
        ('{"text": {"a": 1}}', "columns.text"),
        ('{"text": 0}', "columns.text"),
        ('{"text": -1}', "columns.text"),
        ('{"text": true}', "columns.text"),
        ('{"text": 1.5}', "columns.text"),
        ('{"text": "!?"}', "columns.text"),
        (f'{{"text": {"9" * 5_000}}}', "columns"),
        (f'{{"text": "{"9" * 7}"}}', None),
        ('{"patient_id": ["a", "b"]}', "columns.patient_id"),
        ('{"text": "a", "patient_id": "A"}', "columns.text"),
        ('{"text": []}', "columns"),
        ("text=befund", "columns.text"),
        ("text=text;patient_id=9", "columns.patient_id"),
        ("text=text;external_id=2", "columns.text"),
        ("text=3;external_id=3", "columns.text"),
        ("patient_id=twice;text=text", "columns.patient_id"),
    ],
)
def test_a_mapping_that_is_none_or_of_another_table_is_refused_by_field_with_its_mend(
    columns: str, field: str | None
) -> None:
    with pytest.raises(BadColumns) as refused:
        read(f"{NAME},text,twice,twice\n{NAME},{NAME},a,b\n", columns)
    assert refused.value.field == field or (field is None and refused.value.field == "columns.text")
    assert refused.value.mend
    assert NAME not in json.dumps(refused.value.problem())
    assert "befund" not in json.dumps(refused.value.problem()).casefold()


def test_columns_of_the_command_line_may_have_any_header() -> None:
    columns = read_pairs(["text=Note; final", "known.names=Surname, Forename"])
    assert columns.given == {"text": ("note_final",), "known.names": ("surname", "forename")}
    assert read_columns(columns.as_json()) == columns


def test_a_refusal_tells_no_header_that_may_be_a_patients() -> None:
    table = f"text,{NAME},id\na,b\n"
    assert told(table)["ignored"] == [NAME]
    assert told(table, quoting=False) == {
        "columns": {"text": ["text"], "external_id": ["id"]},
        "by": {"text": "name", "external_id": "name"},
        "ignored": [2],
    }


def test_a_header_that_stands_twice_is_refused_where_a_field_takes_it() -> None:
    for table in ("id,text,Text\n1,a,b\n", "id,ID,text\n1,2,a\n"):
        with pytest.raises(BadShape, match="same name"):
            read(table)
    assert told("id,text,comment,comment\n1,a,b,c\n")["ignored"] == ["comment", "comment"]
    (one,) = submissions("text,phone,Phone\na,555 0100,555 0199\n")
    assert known(one)["phones"] == ["555 0100", "555 0199"]


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (",".join(f"c{n}" for n in range(100_000)) + "\n1\n", BadShape),
        (",".join(["text", *(f"c{n}" for n in range(MAX_COLUMNS))]), BadShape),
        ("x" * 5_000_000, BadShape),
        ("text," + "x" * 5_000_000 + "\na,b\n", BadShape),
        ('"text' + "x\n" * 2_000_000, BadShape),
        ("," * 5_000_000, BadShape),
        ("id,text\n\n\n", EmptyReport),
        ("\n\r\n  ,\n", MissingColumns),
        ("\r" * 100_000 + "a", MissingColumns),
    ],
    ids=range(9),
)
def test_a_table_that_is_made_to_hurt_is_refused_by_name(table: str, kind: type[CurbsideError]) -> None:
    with pytest.raises(kind) as refused:
        read(table)
    assert refused.value.field
    assert refused.value.mend


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5_000_000,
        "id,text\n" + "x" * 5_000_000,
        '"' * 1_000_000,
        " " * 3_000_000 + "a",
        "\n \n" * 1_000_000 + "a",
        "{" * 1_000_000,
        '{"a": ' * 100_000,
        "a,b;c|d\te\n" * 300_000,
        "id,text\n" + '1,"' * 300_000,
        "id" + "," * 30_000 + "\n" + "," * 30_000,
    ],
    ids=range(10),
)
def test_telling_what_a_text_is_ends(text: str) -> None:
    assert format_of(text) in Format
    assert format_of(text, read_columns("text=1;external_id=2")) in Format


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn")), max_size=30)


@given(
    texts=st.lists(
        st.from_regex(r"[a-z]{3,9}[ ,;|\t\"\r\n]{0,3}[a-z.]{3,20}", fullmatch=True), min_size=1, max_size=6
    ),
    names=st.lists(st.from_regex(r"[A-Z][a-zäöü]{1,8}", fullmatch=True), min_size=6, max_size=6),
    ignored=st.lists(CELLS, min_size=6, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    order=st.permutations(range(4)),
    declared=st.sampled_from([Format.CSV, Format.TEXT]),
)
def test_a_table_in_any_form_gives_back_its_rows(
    texts: list[str],
    names: list[str],
    ignored: list[str],
    delimiter: str,
    line_end: str,
    codec: str,
    order: list[int],
    declared: Format,
) -> None:
    header = ["Befund", "Patient's No.", "Wer", "Rest"]
    rows = [[text, f"P-{n}", names[n], ignored[n]] for n, text in enumerate(texts)]
    out = io.StringIO(newline="")
    # Python's writer quotes only the line breaks that it ends lines with.
    quoting: Any = csv.QUOTE_MINIMAL if line_end == "\r\n" else csv.QUOTE_ALL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([row[place] for place in order] for row in [header, *rows])
    tables = Tables(Columns({"text": ("befund",), "patient_id": ("patients_no",), "known.names": ("wer",)}))
    found = [*read_rows(out.getvalue().encode(codec), declared, read_submission, tables=tables)]
    assert not [row for row in found if isinstance(row, BadRow)]
    good = [row.submission for row in found if isinstance(row, GoodRow)]
    assert [one.text.reveal() for one in good] == [
        text.replace("\r\n", "\n").replace("\r", "\n") for text in texts
    ]
    assert [one.patient_id.reveal() for one in good if one.patient_id] == [
        f"P-{n}" for n in range(len(texts))
    ]
    assert [known(one)["names"] for one in good] == [[name] for name in names[: len(texts)]]
    assert tables.found[0][1].told(quoting=True)["ignored"] == ["Rest"]


@given(text=st.text(max_size=300), columns=st.sampled_from([None, "text=1;external_id=2", "text=a"]))
def test_no_text_whatever_stops_telling_what_it_is(text: str, columns: str | None) -> None:
    assert format_of(text, read_columns(columns) if columns else None) in Format
