"""The sample for an expert, and the recall that the marked sample shows."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.phi import Category
from curbside.runtime.command import app
from curbside_deidentification.domain.binomial import exact_interval
from curbside_deidentification.sampling import (
    NotReviewed,
    ReviewedSample,
    UnreadableSample,
    draw_sample,
    measure_recall,
)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def output(path: Path, count: int = 50, quarantined: int = 5) -> Path:
    span = {"start": 0, "end": 4, "category": "NAME", "score": 1.0, "recogniser": "x"}
    return write(
        path,
        [
            {
                "id": number,
                "text": f"[NAME] has document {number} of Ms. Doe",
                "spans": [span],
                "risk": 0.1,
                "quarantined": number < quarantined,
            }
            for number in range(count)
        ],
    )


def original(number: int) -> str:
    return f"Jane has document {number} of Ms. Doe"


# R 4.3, binom.test(hits, trials)$conf.int; the last by the rule that 0 of n gives 1 - (alpha / 2) ** (1 / n).
@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (8, 10, 0.443905, 0.974789),
        (95, 100, 0.887165, 0.983568),
        (1, 20, 0.001265, 0.248733),
        (0, 50, 0.0, 1 - 0.025 ** (1 / 50)),
        (50, 50, 0.025 ** (1 / 50), 1.0),
    ],
)
def test_intervals_are_those_of_the_tables(hits: int, trials: int, low: float, high: float) -> None:
    assert exact_interval(hits, trials) == pytest.approx((low, high), abs=1e-6)


@given(trials=st.integers(1, 400), part=st.floats(0, 1), confidence=st.sampled_from((0.9, 0.95, 0.99)))
def test_a_bound_is_where_the_tail_holds_half_of_what_is_left(
    trials: int, part: float, confidence: float
) -> None:
    hits = round(part * trials)
    low, high = exact_interval(hits, trials, confidence)
    assert low <= hits / trials <= high
    tail = (1 - confidence) / 2

    def at_most(count: int, share: float) -> float:
        return math.fsum(
            math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(count + 1)
        )

    if hits:
        assert 1 - at_most(hits - 1, low) == pytest.approx(tail, abs=1e-6)
    if hits < trials:
        assert at_most(hits, high) == pytest.approx(tail, abs=1e-6)


@pytest.mark.parametrize(("hits", "trials"), [(-1, 3), (4, 3)])
def test_an_impossible_count_has_no_interval(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="hits"):
        exact_interval(hits, trials)


def test_nothing_seen_says_nothing() -> None:
    assert exact_interval(0, 0) == (0.0, 1.0)


def test_the_same_seed_draws_the_same_documents_and_none_that_was_quarantined(tmp_path: Path) -> None:
    source = output(tmp_path / "out.jsonl")
    drawn = draw_sample(source, tmp_path / "a.jsonl", 20, seed=7)
    draw_sample(source, tmp_path / "b.jsonl", 20, seed=7)
    draw_sample(source, tmp_path / "c.jsonl", 20, seed=8)
    first, again, other = (read(tmp_path / f"{name}.jsonl") for name in "abc")
    assert (drawn.drawn, drawn.passed_on, drawn.quarantined) == (20, 45, 5)
    assert first == again != other
    assert len({row["id"] for row in first}) == 20
    assert min(row["id"] for row in first) >= 5
    assert stat.S_IMODE((tmp_path / "a.jsonl").stat().st_mode) == 0o600


def test_every_document_is_drawn_about_as_often(tmp_path: Path) -> None:
    source = output(tmp_path / "out.jsonl", count=20, quarantined=0)
    times = dict.fromkeys(range(20), 0)
    for seed in range(300):
        draw_sample(source, tmp_path / "s.jsonl", 5, seed)
        for row in read(tmp_path / "s.jsonl"):
            times[row["id"]] += 1
    # 75 expected, deviation 7.5: five of them either way.
    assert all(37 <= count <= 113 for count in times.values())


def test_a_document_may_stand_beside_its_original(tmp_path: Path) -> None:
    source = output(tmp_path / "out.jsonl", count=3, quarantined=0)
    originals = write(
        tmp_path / "in.jsonl", [{"id": number, "text": original(number)} for number in range(3)]
    )
    draw_sample(source, tmp_path / "s.jsonl", 3, 1, originals=originals)
    assert all(row["original"] == original(row["id"]) for row in read(tmp_path / "s.jsonl"))


def test_another_document_of_the_same_id_is_no_original(tmp_path: Path) -> None:
    source = output(tmp_path / "out.jsonl", count=3, quarantined=0)
    others = [{"id": number, "text": original(number)} for number in (1, 2)]
    others += [{"id": 0, "text": "Jane has another document"}, {"id": 1, "text": "Mary"}]
    originals = write(tmp_path / "in.jsonl", others)
    drawn = draw_sample(source, tmp_path / "s.jsonl", 3, 1, originals=originals)
    assert drawn.without_original == 1
    assert [row.get("original") for row in read(tmp_path / "s.jsonl")] == [None, original(1), original(2)]


@pytest.mark.parametrize("begun", [{"reviewed": True}, {"missed": [{"text": "Doe", "category": "NAME"}]}])
def test_what_somebody_has_reviewed_is_not_drawn_over(tmp_path: Path, begun: dict[str, Any]) -> None:
    source, sample = output(tmp_path / "out.jsonl"), tmp_path / "s.jsonl"
    draw_sample(source, sample, 5, 1)
    draw_sample(source, sample, 5, 1)  # of which nobody has read a line
    rows = read(sample)
    write(sample, [*rows[:4], rows[4] | begun])
    before = sample.read_bytes()
    with pytest.raises(ReviewedSample, match="1 documents are reviewed"):
        draw_sample(source, sample, 5, 1)
    assert sample.read_bytes() == before


def test_a_file_that_is_no_sample_is_not_drawn_over(tmp_path: Path) -> None:
    source, letter = output(tmp_path / "out.jsonl"), tmp_path / "letter.txt"
    letter.write_text("Dear colleague")
    with pytest.raises(UnreadableSample):
        draw_sample(source, letter, 5, 1)
    assert letter.read_text() == "Dear colleague"


def test_nothing_is_no_sample(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.jsonl", [])
    with pytest.raises(UnreadableSample, match="no document"):
        measure_recall(empty)
    with pytest.raises(UnreadableSample, match="no document"):
        draw_sample(empty, tmp_path / "s.jsonl", 5, 1)


def test_originals_are_read_as_they_were_de_identified(tmp_path: Path) -> None:
    source = output(tmp_path / "out.jsonl", count=3, quarantined=0)
    originals = write(tmp_path / "in.jsonl", [{"id": number, "text": original(number)} for number in (0, 2)])
    bad = b'{not json\n\xff\n{"id": 1, "text": "x", "names": ["y"]}\n'
    originals.write_bytes(b"\xef\xbb\xbf" + bad + originals.read_bytes())
    drawn = draw_sample(source, tmp_path / "s.jsonl", 3, 1, originals=originals)
    assert (drawn.drawn, drawn.without_original, drawn.bad_originals) == (3, 1, 3)
    assert [row.get("original") for row in read(tmp_path / "s.jsonl")] == [original(0), None, original(2)]


def test_originals_of_something_else_are_refused(tmp_path: Path) -> None:
    source = output(tmp_path / "out.jsonl", count=3, quarantined=0)
    originals = write(tmp_path / "in.jsonl", [{"id": "other", "text": "Jane"}])
    with pytest.raises(UnreadableSample, match="none of the 3 documents") as raised:
        draw_sample(source, tmp_path / "s.jsonl", 3, 1, originals=originals)
    assert raised.value.field == "--originals"
    assert not (tmp_path / "s.jsonl").exists()


def marked(path: Path, tmp_path: Path) -> list[dict[str, Any]]:
    draw_sample(output(tmp_path / "out.jsonl"), path, 40, 1)
    return [row | {"reviewed": True} for row in read(path)]


def test_recall_counts_what_was_left_beside_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    rows = marked(path, tmp_path)
    rows[0]["missed"] = [{"text": "Doe", "category": "NAME"}, {"text": "document", "category": "DATE"}]
    rows[1]["spans"][0]["phi"] = False
    recall = measure_recall(write(path, rows))
    name = recall.by_category[Category.NAME]
    assert (name.hits, name.trials) == (39, 40)
    assert name.interval == exact_interval(39, 40)
    assert recall.by_category[Category.DATE].value == 0
    assert set(recall.by_category) == {Category.NAME, Category.DATE}
    assert (recall.overall.hits, recall.overall.trials) == (39, 41)
    assert (recall.precision.hits, recall.precision.trials) == (39, 40)
    assert (recall.documents.hits, recall.documents.trials) == (39, 40)


def test_a_document_that_nobody_read_is_no_proof(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    rows = marked(path, tmp_path)
    rows[3]["reviewed"] = False
    with pytest.raises(NotReviewed, match="1 of 40") as raised:
        measure_recall(write(path, rows))
    assert raised.value.extensions["lines"] == [4]


@pytest.mark.parametrize(
    ("missed", "says"),
    [
        ([{"text": "Nobody", "category": "NAME"}], "not in the text"),
        ([{"category": "NAME"}], "not in the text"),
        ([{"text": "Doe", "category": "PERSON"}], "no category"),
        (["Doe"], "list objects"),
    ],
)
def test_a_wrong_mark_is_named_by_its_line_and_not_quoted(
    tmp_path: Path, missed: list[object], says: str
) -> None:
    path = tmp_path / "s.jsonl"
    rows = marked(path, tmp_path)
    rows[2]["missed"] = missed
    with pytest.raises(UnreadableSample, match=rf"line 3: .*{says}") as raised:
        measure_recall(write(path, rows))
    assert "Doe" not in str(raised.value)


@pytest.mark.parametrize("said", ["no", "false", 0, None, []])
@pytest.mark.parametrize("field", ["phi", "reviewed"])
def test_only_true_and_false_are_answers(tmp_path: Path, field: str, said: object) -> None:
    path = tmp_path / "s.jsonl"
    rows = marked(path, tmp_path)
    (rows[2] if field == "reviewed" else rows[2]["spans"][0])[field] = said
    write(path, rows)
    path.write_text("\n" + path.read_text())
    with pytest.raises(UnreadableSample, match=f'line 4: "{field}" is neither true nor false') as raised:
        measure_recall(path)
    assert (raised.value.field, raised.value.extensions) == (field, {"line": 4})


def test_a_span_that_nobody_judged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    rows = marked(path, tmp_path)
    del rows[2]["spans"][0]["phi"]
    with pytest.raises(UnreadableSample, match='line 3: "phi"'):
        measure_recall(write(path, rows))


@pytest.mark.parametrize("content", ["no json\n", '{"id": 1}\n', "[]\n"])
def test_a_file_that_is_no_output_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "out.jsonl").write_text(content)
    with pytest.raises(UnreadableSample):
        draw_sample(tmp_path / "out.jsonl", tmp_path / "s.jsonl", 3, 1)
    with pytest.raises(UnreadableSample):
        draw_sample(tmp_path / "absent.jsonl", tmp_path / "s.jsonl", 3, 1)


def test_the_commands_draw_and_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = output(tmp_path / "out.jsonl")
    sample = tmp_path / "sample.jsonl"
    run_app(["deid", "sample", str(source), "-o", str(sample), "--count", "10"])
    assert "10 of 45 documents" in " ".join(capsys.readouterr().out.split())
    write(sample, [row | {"reviewed": True} for row in read(sample)])
    run_app(["deid", "recall", str(sample)])
    said = capsys.readouterr().out
    assert "10 of 10" in said
    assert "to 100.00%" in said


def run_app(arguments: list[str]) -> None:
    app(arguments, standalone_mode=False)
