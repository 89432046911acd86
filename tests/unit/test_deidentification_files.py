"""What the commands of a file refuse and say before they begin: nothing takes the place of an input."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from curbside.runtime.command import app
from curbside_deidentification.batch import UnreadableFile
from curbside_deidentification.overwriting import OutputIsDirectory, WritesOverInput, require_apart

ORIGINAL = '{"id": 1, "text": "x", "spans": []}\n'


def same(source: Path, other: Path) -> Path:
    return source


def roundabout(source: Path, other: Path) -> Path:
    return source.parent / "." / ".." / source.parent.name / source.name


def symbolic(source: Path, other: Path) -> Path:
    other.symlink_to(source)
    return other


def hard(source: Path, other: Path) -> Path:
    os.link(source, other)
    return other


@pytest.mark.parametrize("name", [same, roundabout, symbolic, hard])
@pytest.mark.parametrize("command", [["deidentify"], ["deid", "sample"]])
def test_an_input_is_not_written_over(
    tmp_path: Path, command: list[str], name: Callable[[Path, Path], Path]
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(ORIGINAL)
    output = name(source, tmp_path / "other.jsonl")
    with pytest.raises(WritesOverInput, match="one file") as raised:
        app([*command, str(source), "-o", str(output)], standalone_mode=False)
    assert (raised.value.field, "another file" in str(raised.value.mend)) == ("--output", True)
    assert source.read_text() == ORIGINAL


@pytest.mark.parametrize("command", [["deidentify"], ["deid", "sample"]])
def test_a_directory_is_no_output(tmp_path: Path, command: list[str]) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "outputs"
    source.write_text(ORIGINAL)
    output.mkdir()
    with pytest.raises(OutputIsDirectory):
        app([*command, str(source), "-o", str(output)], standalone_mode=False)
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "outputs"}


def test_an_input_that_is_not_there_leaves_nothing_beside_the_output(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        app(
            ["deidentify", str(tmp_path / "absent.jsonl"), "-o", str(tmp_path / "out.jsonl")],
            standalone_mode=False,
        )
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("ending", [".part", ".bad", ".part.state"])
def test_nor_by_what_is_kept_beside_the_output(tmp_path: Path, ending: str) -> None:
    source = tmp_path / f"out.jsonl{ending}"
    source.write_text(ORIGINAL)
    with pytest.raises(WritesOverInput):
        app(["deidentify", str(source), "-o", str(tmp_path / "out.jsonl")], standalone_mode=False)
    assert source.read_text() == ORIGINAL


def test_the_originals_of_a_sample_are_kept(tmp_path: Path) -> None:
    deidentified, originals = tmp_path / "out.jsonl", tmp_path / "in.jsonl"
    for path in (deidentified, originals):
        path.write_text(ORIGINAL)
    with pytest.raises(WritesOverInput):
        app(
            ["deid", "sample", str(deidentified), "-o", str(originals), "--originals", str(originals)],
            standalone_mode=False,
        )
    assert originals.read_text() == ORIGINAL


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("REPLACEMENT", "safe_harbor", "(safe_harbor)"),
        ("REPLACEMENT_BY_TENANT", '{"north": "tags"}', "(tags)"),
        ("REPLACEMENT", "placeholders", ""),
    ],
)
def test_whoever_set_a_policy_is_told_that_a_file_gets_placeholders(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    setting: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.setenv(f"CURBSIDE_DEIDENTIFICATION__{setting}", value)
    source = tmp_path / "in.jsonl"
    source.touch()
    with pytest.raises(WritesOverInput):  # before any model is loaded
        app(["deidentify", str(source), "-o", str(source)], standalone_mode=False)
    said = capsys.readouterr().err
    assert ("placeholders ([NAME], [DATE])" in said, told in said) == (bool(told), True)


def test_other_files_may_be_written_over(tmp_path: Path) -> None:
    source, there = tmp_path / "in", tmp_path / "out"
    source.touch()
    there.touch()
    require_apart([source], [there, tmp_path / "absent"])
    require_apart([tmp_path / "absent"], [tmp_path / "absent"])
