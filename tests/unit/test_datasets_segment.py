"""`curbside segment`: a file of JSON lines in, its sections out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curbside.segmentation import segment
from curbside_datasets.batch import BadLine, segment_file

TEXT = "Name: [NAME]\r\nFINDINGS:  5 µm 🫁 nodule.\r\n\r\nImpression: Benign.\r\n"


def written(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_line_comes_back_with_sections_whose_offsets_are_the_inputs(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    records = [{"id": "a", "text": TEXT}, {"id": 7, "text": ""}]
    source.write_text("\n".join(json.dumps(record) for record in records) + "\n\n", encoding="utf-8")
    assert segment_file(source, target) == 2
    first, second = written(target)
    assert (first["id"], first["text"], second) == ("a", TEXT, {"id": 7, "text": "", "sections": []})
    assert [(s["name"], s["heading"], s["text"]) for s in first["sections"]] == [
        ("administration", "Name", "[NAME]"),
        ("findings", "FINDINGS", "5 µm 🫁 nodule."),
        ("impression", "Impression", "Benign."),
    ]
    for section in first["sections"]:
        assert TEXT[section["start"] :].startswith(section["heading"])
        assert section["text"] in TEXT[section["start"] : section["end"]]


@pytest.mark.parametrize(
    ("line", "message", "field"),
    [
        ("not json", "line 2 is not JSON", "IN"),
        ('["a"]', "line 2 has no 'id'", "id"),
        ('{"id": "b"}', "line 2 has no 'text'", "text"),
        ('{"id": "b", "text": 5}', "line 2 has no 'text'", "text"),
    ],
)
def test_a_wrong_line_is_named_never_quoted_and_leaves_the_old_result(
    tmp_path: Path, line: str, message: str, field: str
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(f'{{"id": "a", "text": "x"}}\n{line}\n')
    target.write_text("old")
    with pytest.raises(BadLine, match=message) as refused:
        segment_file(source, target)
    assert refused.value.field == field
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_a_file_that_is_absent_or_not_utf8_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadLine, match=r"absent\.jsonl"):
        segment_file(tmp_path / "absent.jsonl", tmp_path / "out.jsonl")
    (tmp_path / "latin.jsonl").write_bytes('{"id": "a", "text": "é"}'.encode("latin-1"))
    with pytest.raises(BadLine, match="not UTF-8"):
        segment_file(tmp_path / "latin.jsonl", tmp_path / "out.jsonl")
    with pytest.raises(BadLine, match="cannot be written"):
        segment_file(tmp_path / "latin.jsonl", tmp_path / "nowhere" / "out.jsonl")


def test_an_answer_behind_a_sentence_on_its_line_is_a_section_of_its_own() -> None:
    found = segment("FINDINGS: Clear lungs. HEART RATE: 80. IMPRESSION: Normal.")
    assert [(one.name, one.text) for one in found] == [
        ("findings", "Clear lungs. HEART RATE: 80."),
        ("impression", "Normal."),
    ]
