"""The scorers: the shared one's figures, quarantine counted apart, and what of medicine survives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from curbside.testing.scoring import (
    Gold,
    Predicted,
    headings_destroyed,
    labs_destroyed,
    mentions_removed,
    score_phi,
)
from curbside.testing.scoring.medical import lab_values
from curbside.testing.scoring.sets import (
    ASQ,
    MEDICAL,
    RESEARCH,
    ScoredSet,
    generated_notes,
    read_mtsamples,
    read_phi_set,
    read_predictions,
)

TEXT = "Dr. Jane Doe of Mercy Hospital saw him on March 3, 2021 for 2 mg."
GOLD = Gold("a", TEXT, [(0, 12, "NAME"), (16, 30, "GEOGRAPHIC_LOCATION"), (42, 55, "DATE")])


def random_answers(scored: ScoredSet, seed: int) -> dict[str, Predicted]:
    """Some gold spans, some of them cut, and some that are none."""
    random = Random(seed)
    answers = {}
    for document in scored.documents:
        spans = [
            (start + random.choice((0, 0, 3)), end - random.choice((0, 0, 3)))
            for start, end, _ in document.spans
            if random.random() < 0.7
        ]
        for _ in range(random.choice((0, 0, 1, 3))):
            start = random.randrange(len(document.text))
            spans.append((start, start + random.randrange(1, 12)))
        answers[document.id] = Predicted([(start, end) for start, end in spans if start < end])
    return answers


def shared_score(
    shared: Path, tmp_path: Path, scored: ScoredSet, answers: dict[str, Predicted], *options: str
) -> str:
    gold, answer = tmp_path / "gold.jsonl", tmp_path / "answer.jsonl"
    gold.write_text(
        "".join(
            json.dumps({"id": one.id, "text": one.text, "spans": list(one.spans)}) + "\n"
            for one in scored.documents
        )
    )
    answer.write_text(
        "".join(
            json.dumps({"id": name, "spans": [{"start": s, "end": e} for s, e in one.spans]}) + "\n"
            for name, one in answers.items()
        )
    )
    command = [sys.executable, str(shared / "bench" / "phi_score.py"), str(gold), str(answer), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", [ASQ, RESEARCH, "notes"])
def test_figures_are_those_of_the_shared_scorer(shared: Path, tmp_path: Path, name: str) -> None:
    scored = (
        generated_notes("development", 64, with_known=False)
        if name == "notes"
        else read_phi_set(shared, name, 300)
    )
    answers = random_answers(scored, 1)
    said = shared_score(shared, tmp_path, scored, answers)
    ours = score_phi(scored.documents, answers)
    numbers = dict(
        re.findall(r"(precision|recall|zero-leak|negatives touched) ([\d.]+|-)", said.splitlines()[0])
    )
    assert float(numbers["precision"]) == pytest.approx(ours.precision, abs=0.006)
    assert float(numbers["recall"]) == pytest.approx(ours.recall, abs=0.006)
    assert float(numbers["zero-leak"]) == pytest.approx(ours.zero_leak, abs=0.006)
    if numbers["negatives touched"] != "-":
        assert float(numbers["negatives touched"]) == pytest.approx(ours.negatives_touched, abs=0.006)
    kinds = {
        kind: (float(part), int(of))
        for kind, part, of in re.findall(r"(\w+) +recall ([\d.]+) of (\d+)", said)
    }
    assert {kind: (pytest.approx(part, abs=0.006), of) for kind, (part, of) in kinds.items()} == (
        ours.recall_by_kind()
    )


def test_medical_mentions_are_counted_as_the_shared_scorer_counts_them(shared: Path, tmp_path: Path) -> None:
    scored = read_phi_set(shared, MEDICAL, 60)
    answers = random_answers(scored, 2)
    said = shared_score(shared, tmp_path, scored, answers, "--medical")
    ours = mentions_removed(scored.documents, answers)
    assert said.strip() == f"medical mentions removed {ours.destroyed:.2f} % of {ours.mentions}"


def test_titles_generic_words_and_years_count_neither_way() -> None:
    everything = score_phi([GOLD], {"a": Predicted([(0, 55)])})
    # "saw" and "him" are wrong; "Dr", "of", "Hospital", "on" and "2021" are nothing.
    assert (everything.found.total(), everything.false) == (5, 2)
    bare = score_phi([GOLD], {"a": Predicted([(4, 12), (16, 21), (42, 49)])})
    assert (bare.recall, bare.precision, bare.zero_leak) == (100, 100, 100)


def test_what_is_quarantined_is_never_found_and_never_spared() -> None:
    whole = Predicted([(0, 55)], quarantined=True)
    score = score_phi([GOLD, Gold("b", TEXT, GOLD.spans)], {"a": whole, "b": Predicted([(0, 30), (42, 55)])})
    assert (score.recall, score.zero_leak, score.quarantined) == (50, 50, 1)
    assert score.recall_of_passed == 100
    spared = mentions_removed([Gold("a", TEXT, [(60, 64, "DRUG")])], {"a": whole})
    assert (spared.mentions, spared.quarantined) == (0, 1)


def test_misses_name_the_span_of_which_a_token_was_left() -> None:
    score = score_phi([GOLD], {"a": Predicted([(0, 8), (16, 30), (42, 55)])})
    assert [(miss.start, miss.end, miss.label) for miss in score.misses] == [(0, 12, "NAME")]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Sodium 138, potassium of 4.1, WBC: 11.4", ["138", "4.1", "11.4"]),
        ("Platelets were 245,000 and INR was 2.3.", ["245,000", "2.3"]),
        ("a level of 12 mg/dL, then 3.5 mmol/L", ["12", "3.5"]),
        ("hemoglobin 10.2 on 3/4/2021", ["10.2"]),
        ("glucose 3/4/2021 was pending; K 4", ["4"]),
        ("Room 138, Mr. K 4 West", ["4"]),
        ("unsodium 138 and Tylenol 650 mg", []),
    ],
)
def test_laboratory_values_are_known_by_their_names_and_units(text: str, values: list[str]) -> None:
    assert [text[start:end] for start, end in lab_values(text)] == values


def test_a_value_or_heading_that_lost_a_token_is_destroyed() -> None:
    document = Gold("a", "LABS: sodium 138, glucose 99", [(0, 5, "HEADING")])
    assert labs_destroyed([document], {"a": Predicted([(13, 16)])}).destroyed == 50
    assert headings_destroyed([document], {"a": Predicted([(13, 16)])}).destroyed == 0
    assert headings_destroyed([document], {"a": Predicted([(0, 2)])}).destroyed == 100


def test_real_reports_have_headings_and_values(shared: Path) -> None:
    reports = read_mtsamples(shared, 80)
    untouched = {document.id: Predicted([]) for document in reports.documents}
    headings, labs = (count(reports.documents, untouched) for count in (headings_destroyed, labs_destroyed))
    assert headings.mentions > 300
    assert labs.mentions > 30
    assert headings.hit == labs.hit == 0
    assert read_mtsamples(shared, 80).documents == reports.documents


def test_a_set_goes_out_as_the_command_reads_it_and_comes_back(tmp_path: Path) -> None:
    scored = generated_notes("held_out", 8, with_known=True)
    scored.write(tmp_path / "in.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "in.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [document.id for document in scored.documents]
    assert all(row["known"]["names"] for row in rows)
    answer = {"id": 7, "text": "", "spans": [{"start": 1, "end": 3, "category": "NAME"}], "quarantined": True}
    (tmp_path / "out.jsonl").write_text(json.dumps(answer) + "\n")
    assert read_predictions(tmp_path / "out.jsonl") == {"7": Predicted([(1, 3)], True)}
