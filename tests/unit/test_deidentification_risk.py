"""Residual risk: what policy holds of the signs left, and what the fitted rates say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.phi import Category, PhiText
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.risk import (
    RiskModel,
    evidence,
    least_risk,
    load_risk_model,
    residual_risk,
    signs_left,
)
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import Reason, deidentify, reviewed

POLICY = load_policy()
SURE = Span(0, 4, Category.NAME, 0.95, "TitledName")
WEAK = Span(5, 7, Category.NAME, 0.6, "Statistical")


def risk(text: str, *spans: Span, model: RiskModel = POLICY.risk_model, known_words: int = 0) -> float:
    return residual_risk(
        text, text, spans, POLICY.lexicon, POLICY.residual_weights, model, known_words=known_words
    )


def count(text: str, *spans: Span) -> dict[str, float]:
    return {name: value for name, value in evidence(text, text, spans, POLICY.lexicon).items() if value}


@pytest.mark.parametrize(
    "text",
    [
        "SSN 219-09-9999 as dictated.",
        "Write to zoe@home.example.",
        "a@b c@d",
        "see 8837261, 7721993, 5519283",
    ],
)
def test_a_hard_sign_stops_a_report_whatever_the_model_says(text: str) -> None:
    assert risk(text, model=RiskModel({}, "nothing")) >= POLICY.risk_threshold


@pytest.mark.parametrize(
    "text",
    [
        "[NAME] came on [DATE]; the lungs are clear.",
        "ABG 7.38/67/86, a gait score of 2-5/12, platelets 250 and 40 and 3/7 weeks.",
        "Call 911 at 10:30, pain 8-9/10, 20/20 vision, 1/2 tablet, grade 3/6 murmur.",
    ],
)
def test_what_is_clinical_is_no_sign(text: str) -> None:
    assert signs_left(text).total() == 0
    assert least_risk(signs_left(text), POLICY.residual_weights) == 0
    assert risk(text) < 0.1


def test_an_undecided_known_word_is_for_a_person() -> None:
    assert risk("White count normal.", known_words=1) >= POLICY.risk_threshold


@pytest.mark.parametrize(
    ("text", "name", "times"),
    [
        ("Seen by Quatremer, and Vandervoort agrees.", "unknown_amid_sentences", 2),
        ("Vandervoort agrees.", "unknown_elsewhere", 1),
        ("Took Remeroxan 15 mg and had a Ghonberg complex.", "unknown_amid_sentences", 0),
        ("Discussed with A. Quatremer and J.R. Vandervoort.", "initials", 2),
        ("A. Chest clear. B. Heart normal.", "initials", 0),
        ("QUATREMER^ILSE and VANDERVOORT, ILSE", "inverted_names", 1),
        ("Wound seen 3/24, again 11/30 and 3/24.", "days", 2),
        ("Name: Ilse, MRN: 4471, NAME: [NAME] DOB: [DATE] phone: none", "labels", 2),
        ("Log 77S-81315 and 36602, CD4 and T2DM, 10,000 units", "codes", 2),
        ("Number 8837261 left", "numbers", 1),
        ("He saw Dr. Quatremer", "titles", 1),
    ],
)
def test_what_counts_as_evidence(text: str, name: str, times: int) -> None:
    assert count(text).get(name, 0) == times


def test_what_only_the_model_found_is_weak_and_a_bad_scan_puts_mentions_in_doubt() -> None:
    assert count("Zoe, Lu", SURE, WEAK)["weak_mentions"] == 1
    clear, unclear = count("the lungs are clear", SURE), count("the l0ngs are c1ear", SURE)
    assert "misread_mentions" not in clear
    assert unclear["misread_mentions"] == pytest.approx(2 / 6)  # a word that is cut in two counts twice


def test_what_stands_in_a_text_many_times_counts_once_and_by_its_surest_finder() -> None:
    names = [
        Span(0, 3, Category.NAME, 0.6, "Statistical"),
        Span(5, 8, Category.NAME, 0.9, "TitledName"),
        Span(10, 12, Category.NAME, 0.9, "TitledName"),
        Span(14, 16, Category.NAME, 0.9, "KnownName"),
    ]
    counted = count("Zoe, ZOE, Lu, Lu", *names)
    assert counted["mentions"] == 1  # of Lu the source's own list was sure
    assert "weak_mentions" not in counted


def test_the_coded_segments_of_a_message_are_no_evidence_and_its_notes_are() -> None:
    segments = "MSH|^~\\&|LAB\rPID|1||Quatremer^Ilse\r"
    name = Span(segments.index("Quatremer"), segments.index("^Ilse"), Category.NAME, 0.9, "TitledName")
    assert "mentions" not in count(segments, name)
    assert count(f"{segments}NTE|1||Seen by Quatremer, and by Vandervoort.")["unknown_amid_sentences"] == 2
    table = "BED|NAME|AGE\n12|seen by Quatremer|40"
    assert count(table)["unknown_amid_sentences"] == 1


def test_the_model_that_is_shipped_weighs_only_what_is_counted_and_never_less_for_more() -> None:
    model = load_risk_model()
    assert set(model.rates) == set(evidence("", "", (), POLICY.lexicon))
    assert all(rate >= 0 for rate in model.rates.values())
    assert model.source.startswith("benchmarks/deid_risk.py --fit")


@given(st.text(max_size=200), st.integers(0, 3))
def test_risk_is_a_probability_and_grows_with_what_is_left(text: str, known_words: int) -> None:
    less, more = (
        risk(text, known_words=known_words),
        risk(f"{text} Quatremer 8837261", known_words=known_words),
    )
    assert 0 <= less <= 1
    assert 0 <= more <= 1
    if not text.strip():
        assert less < more


class Rules:
    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        return []


def test_a_review_that_covers_what_was_left_lowers_the_risk() -> None:
    text = "dates 13/45/2020 and 77/88/1999 and 45/45/2001 as the patient was seen with a cough and a fever"
    document = PhiDocument(PhiText(text), KnownIdentifiers())
    found = deidentify(document, Rules(), POLICY)
    assert found.reason is Reason.RISK
    dates = [
        Span(text.index(d), text.index(d) + 10, Category.DATE, 1.0, "Reviewer")
        for d in ("13/4", "77/8", "45/45/")
    ]
    after = reviewed(document, dates, POLICY)
    assert after.reason is None
    assert after.replaced.reveal().startswith("dates [DATE] and [DATE] and [DATE] as")
