"""Rules of de-identification: spans, offsets, language, risk, quarantine, dates, policy."""

from __future__ import annotations

import logging
import unicodedata
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.phi import Category, PhiText
from curbside_deidentification.domain.composed import Composed, composed
from curbside_deidentification.domain.language import is_english
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import POLICY_FILE, load_policy
from curbside_deidentification.domain.shift import offset_of, shifted
from curbside_deidentification.domain.spans import Span, resolve, substitute
from curbside_deidentification.pipeline import Reason, deidentify
from curbside_deidentification.recognisers.completing import find_by_rule

POLICY = load_policy()
SECRET = "Zephyrine Quatremer"


class Nothing:
    """A detector that finds nothing: the patterns work alone."""

    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        return list(find_by_rule(text, lexicon))


class Broken:
    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
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


@pytest.mark.parametrize("run", ["A-", "A'", "_", "#", " ", "\n", "e\u0301"])
def test_a_run_of_anything_that_is_no_prose_is_quarantined_unread(run: str) -> None:
    row = run * (POLICY.longest_run // len(run))
    assert (
        deidentify(document(f"The lungs are clear. {row} End."), Broken(), POLICY).reason is Reason.TOO_LONG
    )
    shorter = row[: POLICY.longest_run - 10]
    assert deidentify(document(f"The lungs are clear.{shorter}"), Nothing(), POLICY).reason is None


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_is_found_in_either_unicode_form_and_offsets_are_the_inputs(form: str) -> None:
    text = unicodedata.normalize(form, "Today Núñez came; her sister is Zoë Tréville-Åkesson. Lungs clear.")
    known = unicodedata.normalize("NFC" if form == "NFD" else "NFD", "Zoë Tréville-Åkesson")
    identifiers = KnownIdentifiers(names=(PhiText(known),), relatives=(PhiText("Inés Núñez"),))
    result = deidentify(PhiDocument(PhiText(text), identifiers), Nothing(), POLICY)
    assert result.replaced.reveal() == "Today [NAME] came; her sister is [NAME]. Lungs clear."
    assert [unicodedata.normalize("NFC", text[span.start : span.end]) for span in result.spans] == [
        "Núñez",
        "Zoë Tréville-Åkesson",
    ]


def test_what_has_no_width_hides_no_name_and_stays_where_there_is_none() -> None:
    text = "Quat\u00adre\u200bmer slept. The lungs\u200b are clear."
    result = deidentify(document(text, names=SECRET), Nothing(), POLICY)
    assert result.replaced.reveal() == "[NAME] slept. The lungs\u200b are clear."
    assert [text[span.start : span.end] for span in result.spans] == ["Quat\u00adre\u200bmer"]


def test_a_printed_slash_hyphen_or_space_hides_no_identifier_and_stays() -> None:
    text = "Seen 3\u20444\u20442019, DOB 1\u201021\u20101960. Dr.\u00a0Osei:\u00a04\u00a0mm, 1\u20442 tab."
    result = deidentify(document(text), Nothing(), POLICY)
    assert (
        result.replaced.reveal() == "Seen [DATE], DOB [DATE]. Dr.\u00a0[NAME]:\u00a04\u00a0mm, 1\u20442 tab."
    )


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("Phone 206-555-\n0178, MRN: 5512-\r\n904.", "Phone [PHONE], MRN: [MRN]."),
        ("Seen 5/27/\n1948 and 5/27\n/1948.", "Seen [DATE] and [DATE]."),
        ("Dr. Thorn-\nfield and Dr. Vanter-\n  pool came.", "Dr. [NAME] and Dr. [NAME] came."),
        ("Vanterpool, MD, came. Mr. Vanter-\npool slept.", "[NAME], MD, came. Mr. [NAME] slept."),
        ("<br/>MRN&nbsp;55129047<BR>DOB:&#160;5/27/1948", "<br/>MRN&nbsp;[MRN]<BR>DOB:&#160;[DATE]"),
        ("Take 5-\n10 mg, BP 120/\n80. Follow-\nup; hemo-\nglobin 9.", None),
        ("Plan:\n-\nsleep\n--\n1. rest -\n2. walk", None),
    ],
)
def test_a_line_end_at_a_hyphen_hides_no_identifier_and_stays(text: str, replaced: str | None) -> None:
    result = deidentify(document(text), Nothing(), POLICY)
    assert result.replaced.reveal() == (text if replaced is None else replaced)


@given(st.text(alphabet="a5-/\n\r ", max_size=30))
def test_what_is_mended_covers_its_input_in_order(text: str) -> None:
    read = Composed.of(text, POLICY.lexicon)
    spans = [read.in_input(Span(i, i + 1, Category.NAME, 1, "r")) for i in range(len(read.text))]
    assert "".join(text[span.start : span.end] for span in dict.fromkeys(spans)) == text


@given(st.text(alphabet="ab \u00e9e\u0301\u0323\u200b\u00ad\uac00\u1100\u1161😀", max_size=30))
def test_a_composed_text_covers_its_input_in_order(text: str) -> None:
    read = Composed.of(text)
    spans = [read.in_input(Span(i, i + 1, Category.NAME, 1, "r")) for i in range(len(read.text))]
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.start <= other.start and one.end <= other.end for one, other in pairwise(spans))
    assert composed("".join(text[s.start : s.end] for s in dict.fromkeys(spans))) == composed(text)


@pytest.mark.parametrize(
    ("name", "text", "replaced"),
    [
        ("Ione White", "PATIENT WHITE SAYS SHE SLEPT.", "PATIENT [NAME] SAYS SHE SLEPT."),
        ("Ione White", "SEEN BY WHITE TODAY.", "SEEN BY [NAME] TODAY."),
        ("Ione White", "White underwent a biopsy.", "[NAME] underwent a biopsy."),
        ("Ione White", "slept well; white denies pain.", "slept well; [NAME] denies pain."),
        ("Ione White", "White count 11. WHITE MATTER is normal.", "White count 11. WHITE MATTER is normal."),
        ("Ione White", "Patient White blood pressure 120/80.", "Patient [NAME] blood pressure 120/80."),
        ("Ione White", "A white plaque; white-coat effect.", "A white plaque; white-coat effect."),
        ("Ilse Long", "Seen by LONG. LONG-ACTING insulin.", "Seen by [NAME]. LONG-ACTING insulin."),
        ("Ilse Long", "Mr. Long history reviewed.", "Mr. [NAME] history reviewed."),
        ("Bao Ng", "NG tube out. An NG was tried. Ng slept.", "NG tube out. An NG was tried. [NAME] slept."),
        ("June May", "She may go. MAY RETURN in a week.", "She may go. MAY RETURN in a week."),
        ("Ada Young", "Young woman. Told Young today.", "Young woman. Told [NAME] today."),
        ("Gus Head", "HEAD: normal. Told Head so.", "HEAD: normal. Told [NAME] so."),
        ("Pat O’Hara", "O'Hara slept, o’hara ate.", "[NAME] slept, [NAME] ate."),
        ("Pat O'Hara", "O’HARA slept.", "[NAME] slept."),
        ("Renée Brûlé", "RENEE BRULE slept; Brulé ate.", "[NAME] slept; [NAME] ate."),
    ],
)
def test_a_known_name_that_is_also_a_word_is_told_by_what_stands_behind(
    name: str, text: str, replaced: str
) -> None:
    result = deidentify(document(text, names=name), Nothing(), POLICY)
    assert result.replaced.reveal() == replaced
    assert result.reason is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ione White", "White margins were inked."),
        ("Ilse Long", "Pain is better. Long talk today."),
        ("Bao Ng", "Plan is NG for now."),
        ("Ione White", "Slept well.\nWHITE: pain is better."),
    ],
)
def test_what_may_be_a_known_name_or_a_word_is_removed(name: str, text: str) -> None:
    result = deidentify(document(text, names=name), Nothing(), POLICY)
    assert result.reason is None
    assert [span.recogniser for span in result.spans] == ["KnownWord"]
    assert name.split()[1].casefold() not in result.replaced.reveal().casefold()
    assert deidentify(document(text), Nothing(), POLICY).reason is None


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


# Fewer words than tell by the vocabulary: function words and scripts decide.
SHORT = {
    "fr": "Patiente de 62 ans, opérée de la hanche en mai; sortie avec un traitement pour la douleur.",
    "es": "Mujer de 40 años con fiebre desde ayer. Se indica reposo y control en una semana.",
    "de": "Die Wunde ist reizlos, keine Rötung. Herr Brandstätter wird mit Verband entlassen.",
    "de, capitals": "DIE WUNDE IST REIZLOS. DER VERBAND WIRD NACH HAUSE MITGEGEBEN.",
    "pl": "Pacjentka bez gorączki, rana nie jest zaczerwieniona, kontrola przy wypisie.",
    "zh": "患者李秀英，女，五十六岁，因发热入院。",
    "ja": "山本花子さんは発熱のため来院した。",
    "ru": "Пациентка Смирнова жалуется на кашель.",
    "half-width": "ﾔﾏﾓﾄ ﾊﾅｺ ﾊﾂﾈﾂ",
    "zh under English headings": "HISTORY OF PRESENT ILLNESS: 李秀英因发热入院，无咳嗽。\n"
    "PHYSICAL EXAMINATION: the lungs are clear and the heart is regular.\nASSESSMENT AND PLAN: 观察三天",
    "ru under English headings": "CHIEF COMPLAINT: кашель и боль. PAST HISTORY: none. PLAN: in a week.",
    "one line of Japanese": "FINDINGS: the lungs are clear. IMPRESSION: no acute disease. 山本花子様",
}


@pytest.mark.parametrize("language", SHORT)
def test_a_short_or_mixed_report_in_another_language_is_quarantined(language: str) -> None:
    assert deidentify(document(SHORT[language]), Nothing(), POLICY).reason is Reason.LANGUAGE


@pytest.mark.parametrize(
    "text",
    [
        "Seen with M. de la Fuente and P. van den Berg.",
        "Ofloxacin OD, latanoprost OS, prednisolone PO. Na 140, IM ceftriaxone.",
        "β-hCG 12 µIU/mL, α-fetoprotein and γ-GT normal; Δ 4 Å, 3rd ª toe, 5 ㎎.",
        "Mme. Thérèse Lefèvre was seen in clinic; Sjögren and Ménière excluded.",
        "No fever. No cough. No chest pain. No rash. No nausea.",
        "Metformin 500 mg po bid, lisinopril 10 mg po qd, atorvastatin 20 mg po qhs. " * 4,
    ],
)
def test_names_symbols_and_abbreviations_do_not_make_a_text_foreign(text: str) -> None:
    assert is_english(text, POLICY.language, POLICY.lexicon)


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
    assert is_english(text, POLICY.language, POLICY.lexicon)


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
    changed.write_text(POLICY_FILE.read_text().replace("longest_run: 2000", "longest_run: 1000"))
    assert load_policy(changed).label != POLICY.label
    assert POLICY.label.startswith("safe-harbor-placeholders:")
    missing = tmp_path / "missing.yaml"
    missing.write_text("\n".join(line for line in POLICY_FILE.read_text().splitlines() if "SSN:" not in line))
    with pytest.raises(ValueError, match="SSN"):
        load_policy(missing)
