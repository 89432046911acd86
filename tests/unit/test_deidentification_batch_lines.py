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
        (b'{"id": 1, "text": "\\ud800"}', "half a surrogate pair"),
        (b'{"id": 1, "text": "x", "known": {"names": "y"}}', "known is not an object of lists of strings"),
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


def test_where_all_is_well_nothing_is_left_apart(tmp_path: Path) -> None:
    source, apart = tmp_path / "in.jsonl", tmp_path / "bad"
    source.write_text(GOOD)
    assert examine(source, apart, hashlib.sha256()).bad == 0
    assert not apart.exists()
