"""The generator: the same bytes every time, gold spans that fit, rules that can be learned."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from curbside.contracts.tasks import Change, change_in
from curbside.phi import Category
from curbside.testing.reports import (
    CONDITIONS,
    PHI_FAMILIES,
    GeneratedReport,
    ReportType,
    demo_reports,
    generate_patients,
)

DEMO = demo_reports()
# The datasets service tells normal findings by such cues; abnormal ones must carry none.
CUE = re.compile(r"\b(no|not|without|normal|unremarkable|clear|negative)\b", re.IGNORECASE)


def digest(reports: list[GeneratedReport]) -> str:
    return hashlib.sha256(json.dumps([report.text for report in reports]).encode()).hexdigest()


SITES = sorted({site for condition in CONDITIONS for site in condition.sites}, key=len, reverse=True)


def wording(sentence: str) -> str:
    """A sentence with sites and numbers taken out."""
    for site in SITES:
        sentence = re.sub(rf"\b{re.escape(site)}\b", "SITE", sentence, flags=re.IGNORECASE)
    return re.sub(r"[\d.]+", "N", sentence)


def findings_of(report: GeneratedReport) -> set[str]:
    return {wording(sentence) for sentence in report.abnormal_findings}


def test_the_demo_has_400_reports_of_100_patients_a_share_of_them_held_out() -> None:
    assert len(DEMO) == 400
    assert len({report.patient_id for report in DEMO}) == 100
    held_out = {report.patient_id for report in DEMO if report.phrasing == "held-out"}
    assert len(held_out) == 12
    assert {report.source for report in DEMO if report.patient_id in held_out} == {"curbside-demo-holdout"}
    assert {report.type for report in DEMO} == set(ReportType)


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    script = (
        "import hashlib, json; from curbside.testing.reports import demo_reports; "
        "print(hashlib.sha256(json.dumps([r.text for r in demo_reports()]).encode()).hexdigest())"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == digest(DEMO)
    assert digest(demo_reports(seed=1)) != digest(DEMO)


def test_adding_patients_changes_none_of_those_before() -> None:
    few = list(generate_patients(seed=7, patients=3))
    more = list(generate_patients(seed=7, patients=5))
    assert more[: len(few)] == few


def test_spans_cover_what_was_planted_and_do_not_overlap() -> None:
    for report in DEMO:
        for left, right in itertools.pairwise(report.spans):
            assert left.end <= right.start
        covered = {report.text[span.start : span.end] for span in report.spans}
        outside = list(report.text)
        for span in report.spans:
            outside[span.start : span.end] = " " * (span.end - span.start)
        for value in (*report.known.names, *report.known.mrns, *report.known.emails, *report.known.numbers):
            assert value not in "".join(outside)
        assert all(text.strip() == text and text for text in covered)


def test_phi_comes_in_many_categories_and_styles() -> None:
    categories = Counter(span.category for report in DEMO for span in report.spans)
    assert len(categories) >= 12
    assert Category.AGE in categories, "some patient is 90 or over"


@pytest.mark.parametrize("family", PHI_FAMILIES)
def test_a_whole_family_of_phi_templates_can_be_held_out(family: str) -> None:
    others = [name for name in PHI_FAMILIES if name != family]
    without = list(generate_patients(seed=3, patients=10, phi_families=others))
    only = list(generate_patients(seed=3, patients=10, phi_families=[family]))
    # The literal beginning of the family's sign-off occurs in its reports and in no others.
    mark = PHI_FAMILIES[family].foot[0].split("<")[0]
    assert all(mark in report.text for report in only)
    assert not any(f"\n{mark}" in report.text for report in without)


def test_held_out_phrasings_share_no_finding_with_seen_ones() -> None:
    seen = set().union(*(findings_of(report) for report in DEMO if report.phrasing == "seen"))
    held_out = set().union(*(findings_of(report) for report in DEMO if report.phrasing == "held-out"))
    assert not seen & held_out


def test_abnormal_sentences_stand_in_the_report_and_carry_no_normal_cue() -> None:
    for report in DEMO:
        for sentence in report.abnormal_findings:
            assert sentence in report.text
            assert not CUE.search(sentence)


def test_the_findings_determine_the_diagnosis() -> None:
    diagnoses: dict[str, set[str]] = {}
    for report in DEMO:
        # The second finding is the one that tells a condition from its neighbours.
        second = sorted(findings_of(report) & findings_of_condition(report.diagnosis))
        assert second
        diagnoses.setdefault(" ".join(second), set()).add(report.diagnosis)
    assert all(len(names) == 1 for names in diagnoses.values())


def findings_of_condition(diagnosis: str) -> set[str]:
    condition = next(one for one in CONDITIONS if one.diagnosis == diagnosis)
    filled = [
        said.format(site=site, value="1")
        for said in (*condition.second.seen, *condition.second.held_out)
        for site in condition.sites
    ]
    return {wording(sentence[0].upper() + sentence[1:]) for sentence in filled}


def test_a_first_report_compares_with_nothing_and_every_later_one_does() -> None:
    for _, group in itertools.groupby(DEMO, key=lambda report: report.patient_id):
        first, *later = group
        assert first.change is None
        assert "INTERVAL CHANGE" not in first.text
        for report in later:
            assert report.change is not None
            written = re.search(r"(?:INTERVAL CHANGE|CHANGE SINCE PRIOR):\n(.+)", report.text)
            assert written is not None
            assert change_in(written[1]) is report.change


def test_a_change_agrees_with_the_numbers_it_states() -> None:
    moved = re.compile(r"(Worse|Improved): \D*? from ([\d.]+) .*? to ([\d.]+) ")
    seen = Counter[Change]()
    for report in DEMO:
        found = moved.search(report.text)
        if found:
            before, after = float(found[2]), float(found[3])
            assert (after > before) is (found[1] == "Worse")
            seen[Change(found[1])] += 1
    assert seen[Change.WORSE] > 20
    assert seen[Change.IMPROVED] > 20


def test_a_patients_reports_are_in_order_of_time_with_a_zone() -> None:
    for _, group in itertools.groupby(DEMO, key=lambda report: report.patient_id):
        times = [report.authored_at for report in group]
        assert times == sorted(times)
        assert all(time.utcoffset() is not None for time in times)


def test_no_two_patients_have_nearly_the_same_report() -> None:
    shingled = [(report.patient_id, shingles(report)) for report in DEMO]
    close = sum(
        1
        for (one, left), (other, right) in itertools.combinations(shingled, 2)
        if one != other and len(left & right) / len(left | right) >= 0.9
    )
    assert close < 0.02 * len(DEMO)


def shingles(report: GeneratedReport) -> set[tuple[str, ...]]:
    """Five-word shingles with PHI replaced by its category."""
    text = report.text
    for span in reversed(report.spans):
        text = f"{text[: span.start]}[{span.category}]{text[span.end :]}"
    words = text.split()
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
