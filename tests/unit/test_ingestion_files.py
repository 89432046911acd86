"""Files and folders as rows: the same rows every time, with the bad ones listed."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pytest

from curbside_ingestion.domain.columns import read_pairs
from curbside_ingestion.domain.report import read_submission
from curbside_ingestion.domain.rows import Tables
from curbside_ingestion.files import BadRow, Document, LargeArchive, Row, read_paths, read_rows


def told(paths: list[Path], limit: int | None = None) -> list[tuple[str, str]]:
    """Place, and text or problem code, of every row."""
    return [
        (row.place, row.submission.text.reveal() if isinstance(row, Row) else row.problem.code)
        for row in read_rows(paths, limit)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "reports"
    (root / "b").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (root / ".hidden" / "x.txt").write_text("hidden")
    (root / "a.txt").write_text("first")
    (root / "b" / "a.txt").write_text("second")
    (root / "c.csv").write_text("id,text\n1,third\n2,\n")
    (root / "d.json").write_text('[{"text": "fourth"}]')
    (root / "e.ndjson.gz").write_bytes(gzip.compress(b'{"text": "fifth"}\nnonsense\n'))
    (root / "f.jsonl.xz").write_bytes(lzma.compress(b'{"text": "sixth"}\n'))
    (root / "g.pdf").write_bytes(b"%PDF-1.7")
    (root / "g.jsonl").write_text("\n \n")
    (root / "h.txt").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


def test_a_folder_gives_every_row_in_order_and_lists_what_it_cannot_read(folder: Path) -> None:
    expected = [
        ("a.txt", "first"),
        ("b/a.txt", "second"),
        ("c.csv row 1", "third"),
        ("c.csv row 2", "report.empty"),
        ("d.json row 1", "fourth"),
        ("e.ndjson.gz row 1", "fifth"),
        ("e.ndjson.gz row 2", "report.shape"),
        ("f.jsonl.xz row 1", "sixth"),
        ("g.jsonl", "report.empty"),
        ("g.pdf", "report.unsupported-type"),
        ("h.txt", "report.binary"),
    ]
    assert told([folder]) == expected
    assert told([folder]) == expected


def test_the_limit_counts_good_rows(folder: Path) -> None:
    assert len(told([folder], 4)) == 5
    assert told([folder], 1) == [("a.txt", "first")]


def test_a_text_goes_by_its_file_name(folder: Path) -> None:
    bodies = [row.to_body(source="my reports.d") for row in read_rows([folder], 2) if isinstance(row, Row)]
    assert [body["external_id"] for body in bodies] == ["a.txt", "b/a.txt"]
    assert {body["source"] for body in bodies} == {"my-reports.d"}
    (single,) = read_rows([folder / "b" / "a.txt"])
    assert isinstance(single, Row)
    assert single.to_body(source="x")["external_id"] == "a.txt"


def test_a_body_reads_back_as_the_row_that_it_was_made_of(tmp_path: Path) -> None:
    row = {
        "text": "x",
        "id": "a1",
        "mrn": "0044-7",
        "type": "clinic",
        "status": "preliminary",
        "authored_at": "2026-03-01T14:05:00+01:00",
        "source": "own",
        "known": {"names": ["Jane Doe"]},
    }
    (tmp_path / "one.jsonl").write_text(json.dumps(row))
    (read,) = read_rows([tmp_path / "one.jsonl"])
    assert isinstance(read, Row)
    assert read_submission(read.to_body(source="files"), closed=True) == read.submission


def test_what_is_missing_damaged_or_cut_off_is_listed(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"text": "a"}\n' * 1000, compresslevel=0)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "no.csv.gz").write_bytes(b"not gzip")
    (tmp_path / "no.json.xz").write_bytes(b"not xz")
    rows = list(read_rows([tmp_path, tmp_path / "absent.txt"]))
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert [row.place for row in bad][-3:] == ["no.csv.gz", "no.json.xz", "absent.txt"]
    assert bad[0].place.startswith("cut.jsonl.gz")
    assert all("cannot be read" in row.problem.message for row in bad[-3:])
    assert len(rows) > len(bad)


def test_real_reports_are_read(shared: Path) -> None:
    rows = list(read_rows([shared / "data" / "mtsamples" / "mtsamples_dev.jsonl.xz"], 300))
    assert [type(row) for row in rows] == [Row] * 300
    first = rows[0]
    assert isinstance(first, Row)
    assert first.to_body(source="mtsamples")["external_id"] == "29"
    notes = list(read_rows([shared / "data" / "aci_bench" / "valid.csv"]))
    assert notes
    assert all(isinstance(row, Row) for row in notes)


TABLE = "id;text\n1;first\n2;M\u00fcller\n"
LINES = '{"text": "a"}\n{"text": "b"}\n'


def sent(paths: list[Path], tables: Tables | None = None) -> list[tuple[str, str]]:
    """Place, and text, problem code or `sent as it is`, of what would be posted."""
    return [
        (
            one.place,
            "sent as it is"
            if isinstance(one, Document | LargeArchive)
            else one.submission.text.reveal()
            if isinstance(one, Row)
            else one.problem.code,
        )
        for one in read_paths(paths, large=10**6, tables=tables)
    ]


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tsv", "a.txt", "a.json", "a.dat", "a", "a.jsonl", "a.pdf", "a.csv.gz"]
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_table_is_one_under_any_name_and_in_any_charset(name: str, codec: str, tmp_path: Path) -> None:
    data = TABLE.encode(codec)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    tables = Tables()
    read = sent([tmp_path / name], tables)
    assert read == [(f"{name} row 1", "first"), (f"{name} row 2", "M\u00fcller")]
    ((place, table),) = tables.found
    assert place == name
    assert table.told(quoting=True)["columns"] == {"text": ["text"], "external_id": ["id"]}
    assert sent([tmp_path / name]) == read


def test_what_a_file_holds_counts_more_than_its_name(tmp_path: Path) -> None:
    files = {
        "a.csv": b"%PDF-1.7",
        "b.jsonl": b"%PDF-1.7",
        "c.json": b'{"resourceType": "Bundle", "entry": []}',
        "d.txt": LINES.encode(),
        "e.csv": b'[{"text": "c"}]',
        "f.dat": b"A text, and no table.",
        "g.csv": b"A text, and no table.",
        "h.txt": b"MSH|^~\\&|A|B",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert sent([tmp_path]) == [
        ("a.csv", "sent as it is"),
        ("b.jsonl", "sent as it is"),
        ("c.json", "sent as it is"),
        ("d.txt row 1", "a"),
        ("d.txt row 2", "b"),
        ("e.csv row 1", "c"),
        ("f.dat", "sent as it is"),
        ("g.csv", "report.missing-columns"),
        ("h.txt", "sent as it is"),
    ]


def test_columns_are_given_for_the_tables_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("Nr\tBefund\n1\tclear\n")
    (tmp_path / "b.x").write_text("Befund,Nr\nnodule,2\n")
    tables = Tables(read_pairs(["text=Befund", "external_id=Nr"]))
    assert sent([tmp_path], tables) == [("a.tsv row 1", "clear"), ("b.x row 1", "nodule")]
    assert [place for place, _ in tables.found] == ["a.tsv", "b.x"]
