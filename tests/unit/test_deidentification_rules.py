"""Rules of de-identification: spans, offsets, language, risk, quarantine, dates, policy."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.phi import Category, PhiText
from curbside_deidentification.domain.language import is_english
from curbside_deidentification.domain.policy import POLICY_FILE, load_policy
from curbside_deidentification.domain.risk import residual_risk
from curbside_deidentification.domain.shift import offset_of, shifted
from curbside_deidentification.domain.spans import Span, resolve, substitute
from curbside_deidentification.pipeline import Reason, deidentify

POLICY = load_policy()
SECRET = "Zephyrine Quatremer"


class Nothing:
    """A detector that finds nothing: the patterns work alone."""

    def find(self, text: str) -> list[Span]:
        return []


class Broken:
    def find(self, text: str) -> list[Span]:
        raise RuntimeError(f"cannot parse {text!r}")


def document(text: str, **known: str) -> PhiDocument:
    return PhiDocument(
        PhiText(text), KnownIdentifiers(**{name: (PhiText(value),) for name, value in known.items()})
    )


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(st.text(alphabet="ab \n😀é-7", min_size=1, max_size=60))
    places = st.integers(0, len(text))
    pairs = draw(st.lists(st.tuples(places, places), max_size=8))
    category = st.sampled_from(list(Category))
    spans = [
        Span(min(pair), max(pair), draw(category), draw(st.floats(0, 1)), "r")
        for pair in pairs
        if pair[0] != pair[1]
    ]
    return text, spans


@given(texts_with_spans())
def test_resolved_spans_are_disjoint_and_cover_every_letter_that_was_found(
    case: tuple[str, list[Span]],
) -> None:
    text, spans = case
    resolved = resolve(spans, text)
    assert all(one.end <= other.start for one, other in pairwise(resolved))
    covered = {i for span in resolved for i in range(span.start, span.end)}
    assert {i for span in spans for i in range(span.start, span.end) if not text[i].isspace()} <= covered


@given(texts_with_spans())
def test_text_outside_the_spans_is_unchanged_and_offsets_are_exact(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    resolved = resolve(spans, text)
    replaced = substitute(text, resolved, dict.fromkeys(Category, "\x00"))
    outside, reached = [], 0
    for span in resolved:
        outside.append(text[reached : span.start])
        reached = span.end
    assert replaced.split("\x00") == [*outside, text[reached:]]


def test_overlapping_spans_must_be_resolved_before_they_are_replaced() -> None:
    spans = [Span(0, 3, Category.NAME, 1, "r"), Span(2, 4, Category.DATE, 1, "r")]
    with pytest.raises(ValueError, match="disjoint"):
        substitute("abcdef", spans, POLICY.placeholders)


def test_the_surest_recogniser_names_the_category_of_a_union() -> None:
    spans = [Span(0, 4, Category.PHONE, 0.4, "weak"), Span(2, 6, Category.MRN, 0.9, "sure")]
    assert resolve(spans, "123456") == [Span(0, 6, Category.MRN, 0.9, "sure")]


def test_identifiers_become_placeholders_and_findings_survive() -> None:
    text = "Patient: Zephyrine Quatremer, MRN: 4456781. Seen 04/12/2023 by Dr. Osei: 4 mm nodule, RUL, new."
    result = deidentify(document(text), Nothing(), POLICY)
    assert result.replaced.reveal() == (
        "Patient: [NAME], MRN: [MRN]. Seen [DATE] by Dr. [NAME]: 4 mm nodule, RUL, new."
    )
    assert (result.quarantined, result.policy) == (False, POLICY.label)
    assert [text[span.start : span.end] for span in result.spans] == [
        "Zephyrine Quatremer",
        "4456781",
        "04/12/2023",
        "Osei",
    ]


def test_deidentifying_what_is_deidentified_changes_nothing() -> None:
    once = deidentify(document("Mr. Quatremer, SSN 123-45-6789, in May 2020."), Nothing(), POLICY).replaced
    twice = deidentify(PhiDocument(once), Nothing(), POLICY)
    assert twice.replaced == once
    assert twice.spans == ()


def test_known_identifiers_go_even_where_no_pattern_would_see_them() -> None:
    result = deidentify(document("today zephyrine felt well", names=SECRET), Nothing(), POLICY)
    assert result.replaced.reveal() == "today [NAME] felt well"
    assert result.spans[0].score == 1.0


@pytest.mark.parametrize("text", ["", " \n", "x"])
def test_a_text_of_nothing_is_no_reason_for_quarantine(text: str) -> None:
    assert deidentify(document(text), Nothing(), POLICY).replaced.reveal() == text


def test_a_recogniser_that_raises_quarantines_and_says_nothing_of_the_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    result = deidentify(document(f"{SECRET} was here"), Broken(), POLICY)
    assert (result.reason, result.replaced.reveal(), result.spans) == (Reason.RECOGNISER_FAILED, "", ())
    assert "Zephyrine" not in caplog.text
    assert "Zephyrine" not in repr(result)


def test_a_text_above_the_limit_is_quarantined_unread() -> None:
    result = deidentify(document("a " * POLICY.longest_text), Broken(), POLICY)
    assert result.reason is Reason.TOO_LONG


FOREIGN = {
    "es": "El paciente acude a consulta por dolor en el pecho desde hace dos días, sin fiebre ni tos. "
    "Se realiza una radiografía de tórax que no muestra alteraciones y se da de alta con analgésicos.",
    "de": "Der Patient stellt sich mit Schmerzen im Bereich der rechten Schulter vor. Das Röntgenbild zeigt "
    "keine Fraktur und keine Luxation, es wurde ein Schmerzmittel für die Nacht verordnet.",
    "fr": "Le patient est venu pour une douleur dans la poitrine depuis deux jours, sans fièvre. La "
    "radiographie du thorax est normale et il est sorti avec un traitement pour la douleur.",
    "tr": "Hasta iki gündür süren göğüs ağrısı nedeniyle başvurdu, ateşi ve öksürüğü yoktu. Akciğer grafisi "
    "normal olarak değerlendirildi ve hasta ağrı kesici ile taburcu edildi, kontrole çağrıldı, iyi durumda.",
    "ru": "Пациент обратился с жалобами на боль в груди в течение двух дней, без кашля.",
}


@pytest.mark.parametrize("language", FOREIGN)
def test_a_report_in_another_language_is_quarantined(language: str) -> None:
    assert deidentify(document(FOREIGN[language]), Nothing(), POLICY).reason is Reason.LANGUAGE


@pytest.mark.parametrize(
    "text",
    [
        "WBC 5.4, Hb 13.1, Plt 210, Na 139, K 4.1",
        "FINDINGS: Lungs clear. Heart size normal. No pleural effusion. No pneumothorax. Bones intact. "
        "IMPRESSION: No acute cardiopulmonary disease. Degenerative changes thoracic spine, mild, unchanged.",
    ],
)
def test_telegraphic_english_is_english(text: str) -> None:
    assert is_english(
        text, POLICY.stop_words, POLICY.lexicon, least_words=POLICY.least_words, least_known=0.55
    )


def test_risk_grows_with_what_is_left_and_ignores_placeholders() -> None:
    def risk(text: str) -> float:
        return residual_risk(text, POLICY.lexicon, POLICY.residual_weights)

    assert risk("[NAME] came on [DATE]; the lungs are clear.") == 0
    assert 0 < risk("number 8837261 left") < risk("number 8837261 and 7721993 left") < 1
    assert risk("a@b c@d") >= POLICY.risk_threshold


def test_what_looks_like_identifiers_after_replacement_stops_a_report() -> None:
    result = deidentify(
        document("dates 13/45/2020 and 77/88/1999 and 45/45/2001 as written"), Nothing(), POLICY
    )
    assert result.reason is Reason.RISK
    assert result.replaced.reveal()  # a reviewer may release it


@given(
    st.text(alphabet="0123456789abcdef", min_size=8, max_size=64),
    st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)),
    st.timedeltas(timedelta(0), timedelta(days=400)),
)
def test_shifted_times_keep_intervals_order_and_zone(key: str, time: datetime, later: timedelta) -> None:
    offset = offset_of(key)
    assert timedelta(days=-365) <= offset <= timedelta(days=-1)
    first, second = (shifted(f"{moment.isoformat()}+05:30", offset) for moment in (time, time + later))
    assert datetime.fromisoformat(second) - datetime.fromisoformat(first) == later
    assert first.endswith("+05:30")


@pytest.mark.parametrize("text", ["", "last spring", "2023-13-45", "0001-01-01"])
def test_a_time_that_cannot_be_moved_is_dropped(text: str) -> None:
    assert shifted(text, timedelta(days=-3)) == ""


def test_a_date_alone_is_moved_as_a_date() -> None:
    assert shifted("2023-03-01", timedelta(days=-1)) == "2023-02-28"


def test_every_category_has_an_action_and_the_policy_is_named_by_its_hash(tmp_path: Path) -> None:
    assert set(POLICY.placeholders) == set(Category)
    changed = tmp_path / "policy.yaml"
    changed.write_text(POLICY_FILE.read_text().replace("risk_threshold: 0.5", "risk_threshold: 0.4"))
    assert load_policy(changed).label != POLICY.label
    assert POLICY.label.startswith("safe-harbor-placeholders:")
    missing = tmp_path / "missing.yaml"
    missing.write_text("\n".join(line for line in POLICY_FILE.read_text().splitlines() if "SSN:" not in line))
    with pytest.raises(ValueError, match="SSN"):
        load_policy(missing)
