"""A batch's file is read line by line, and what is no document is known by its number alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from curbside_deidentification import batch_lines
from curbside_deidentification.batch_lines import documents_of, examine

GOOD = '{"id": 1, "text": "x"}'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{not json", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[]", "no text"),
        (b'{"id": 1}', "no text"),
        (b'{"text": "x"}', "no id"),
        (b'{"id": true, "text": "x"}', "an id that is neither text nor a whole number"),
        (b'{"id": null, "text": "x"}', "an id that is neither text nor a whole number"),
        (b'{"id": 1, "text": "\\ud800"}', "half a surrogate pair"),
        (b'{"id": 1, "text": "x", "known": {"names": "y"}}', "known is not an object of lists of strings"),
        (
            b'{"id": 1, "text": "x", "known": {"name": ["y"]}}',
            "known has no list 'name': do you mean 'names'?",
        ),
        (b'{"id": 1, "text": "x", "known": {"ward": ["y"]}}', "known has no list 'ward'"),
        (b'{"id": 1, "text": "x", "known": {"J. Doe": 1}}', "known has no list of that name"),
        (b'{"id": 1, "text": "%s"}' % (b"x" * 200), "too long"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, problem: str
) -> None:
    monkeypatch.setattr(batch_lines, "_LONGEST_LINE", 80)
    source, apart = tmp_path / "in.jsonl", tmp_path / "out" / "bad"
    source.write_bytes(GOOD.encode() + b"\n\n" + line + b"\n" + GOOD.encode())
    digest = hashlib.sha256()
    examined = examine(source, apart, digest)
    assert (examined.documents, examined.bad, examined.shown) == (2, 1, {3: problem})
    assert json.loads(apart.read_text()) == {"line": 3, "problem": problem}
    assert digest.hexdigest() == hashlib.sha256(source.read_bytes()).hexdigest()
    assert [each.strip() for each in documents_of(source)] == [GOOD, GOOD]


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ('"Known": {"names": ["y"]}', "'Known'"),
        ('"knwon": {"names": ["y"]}', "'knwon'"),
        ('"known_identifiers": {}', "'known_identifiers'"),
        ('"names": ["y"]', "'names'"),
        ('"name": "y"', "'name'"),
        ('"patient_name": "y"', "'patient_name'"),
        ('"mrn": 4456781', "'mrn'"),
        ('"about": {"phones": ["y"]}', "'about'"),
        ('"J. Doe": {"phones": ["y"]}', "a key"),
    ],
)
def test_identifiers_that_nobody_would_read_are_a_bad_line(tmp_path: Path, beside: str, said: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": 1, "text": "x", ' + beside + "}\n")
    [problem] = examine(source, tmp_path / "bad", hashlib.sha256()).shown.values()
    assert problem == f"{said} stands beside the text, where it is not read: it belongs into known"


def test_what_a_corpus_says_of_its_documents_is_passed_over(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rest = {
        "spans": [[0, 1, "NAME"]],
        "specialties": ["x"],
        "sample_name": "x",
        "keywords": "x",
        "notes": "x",
    }
    source.write_text(json.dumps({"id": 1, "text": "x", "known": None} | rest))
    assert examine(source, tmp_path / "bad", hashlib.sha256()).bad == 0


def test_a_mark_of_the_byte_order_is_no_text(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"\xef\xbb\xbf" + GOOD.encode() + b"\n" + GOOD.encode())
    digest = hashlib.sha256()
    assert examine(source, tmp_path / "bad", digest).documents == 2
    assert digest.hexdigest() == hashlib.sha256(source.read_bytes()).hexdigest()
    assert [each.strip() for each in documents_of(source)] == [GOOD, GOOD]
    source.write_bytes(b"\xef\xbb\xbf\n" + GOOD.encode())
    assert len(list(documents_of(source))) == 1


def test_where_all_is_well_nothing_is_left_apart(tmp_path: Path) -> None:
    source, apart = tmp_path / "in.jsonl", tmp_path / "bad"
    source.write_text(GOOD)
    assert examine(source, apart, hashlib.sha256()).bad == 0
    assert not apart.exists()
