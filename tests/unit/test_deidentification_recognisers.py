"""Recognisers as tables: what must go, what must stay, and in which category."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curbside.phi import Category
from curbside_deidentification.detector import Reading, RecogniserFailed, failing_shut, registry_of
from curbside_deidentification.domain.composed import Composed
from curbside_deidentification.domain.gate import document_lexicon, gate, may_hold_name
from curbside_deidentification.domain.known import Known, find_known
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span, resolve, substitute
from curbside_deidentification.recognisers import RULES
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.recognisers.statistical import pieces
from curbside_deidentification.recognisers.writing.check_digits import luhn, modulo_97

LEXICON = load_policy().lexicon
WORDS = load_policy().known_words


def found(text: str, known: Known | None = None) -> list[tuple[str, str]]:
    """What every recogniser but the statistical model finds in `text`, resolved."""
    spans = [*find_by_rule(text, LEXICON), *find_known(text, known or Known(), LEXICON, WORDS)]
    return [(span.category.value, text[span.start : span.end]) for span in resolve(spans, text)]


@pytest.mark.parametrize(
    ("text", "category", "phi"),
    [
        ("MRN: 00123456.", "MRN", "00123456"),
        ("Medical Record Number: A-12-3456", "MRN", "A-12-3456"),
        ("(MRN: ST-998877)", "MRN", "ST-998877"),
        ("Pt's MRN is #JH456789", "MRN", "#JH456789"),
        ("EMR: 456123789.", "MRN", "456123789"),
        ("SSN 123-45-6789", "SSN", "123-45-6789"),
        ("SSN ending in 4321", "SSN", "4321"),
        ("Acct# 9876543210", "ACCOUNT", "9876543210"),
        ("insurance ID: HMO-67890", "HEALTH_PLAN", "HMO-67890"),
        ("Medicare 1EG4-TE5-MK73", "HEALTH_PLAN", "1EG4-TE5-MK73"),
        ("NPI 1234567893", "LICENSE", "1234567893"),
        ("License No: CLN-112233", "LICENSE", "CLN-112233"),
        ("drove a car, VIN 1M8GDM9AXKP042788", "VEHICLE", "1M8GDM9AXKP042788"),
        ("license plate: ABC 1234", "VEHICLE", "ABC 1234"),
        ("pacemaker, serial number PJN123456", "DEVICE", "PJN123456"),
        ("(01)00643169007222(17)200815(21)X123", "DEVICE", "(01)00643169007222(17)200815(21)X123"),
        ("Accession: S23-10456", "OTHER_ID", "S23-10456"),
        ("reviewed with case #JH-998877", "OTHER_ID", "#JH-998877"),
        ("call (555) 123-4567 ext. 12", "PHONE", "(555) 123-4567 ext. 12"),
        ("phone 555.987.6543", "PHONE", "555.987.6543"),
        ("reach her on +44 20 7946 0958", "PHONE", "+44 20 7946 0958"),
        ("pager 40112", "PHONE", "40112"),
        ("Fax: 650-123-4567", "FAX", "650-123-4567"),
        ("write to jane.o'neil+x@mail.example.org", "EMAIL", "jane.o'neil+x@mail.example.org"),
        ("see https://portal.example.com/p?id=3", "URL", "https://portal.example.com/p?id=3"),
        ("logged in from 10.24.1.17", "IP", "10.24.1.17"),
        ("host 2001:db8:0:0:8:800:200c:417a", "IP", "2001:db8:0:0:8:800:200c:417a"),
        ("wound photo IMG_2041.jpg", "PHOTO", "IMG_2041.jpg"),
        ("Fingerprint ID: FP-55512", "BIOMETRIC", "FP-55512"),
        ("seen 04/12/2023", "DATE", "04/12/2023"),
        ("seen 4-1-23", "DATE", "4-1-23"),
        ("on 2023-04-12T09:30:00Z", "DATE", "2023-04-12T09:30:00Z"),
        ("on 20230412", "DATE", "20230412"),
        ("on 12.04.2023", "DATE", "12.04.2023"),
        ("on 12-Apr-2023", "DATE", "12-Apr-2023"),
        ("on Apr 12th, '23", "DATE", "Apr 12th, '23"),
        ("on Monday, April 3, 2023", "DATE", "Monday, April 3, 2023"),
        ("on the 3rd of March 2021", "DATE", "3rd of March 2021"),
        ("on March fifteenth", "DATE", "March fifteenth"),
        ("since April 2019", "DATE", "April 2019"),
        ("due in May", "DATE", "May"),
        ("scanned on 6/8", "DATE", "6/8"),
        ("A 92-year-old man", "AGE", "92"),
        ("age 101", "AGE", "101"),
        ("a ninety-four year old woman", "AGE", "ninety-four"),
        ("lives at 1204 N. Maple Street, Apt 3, Springfield, IL 62704", "LOCATION",
         "1204 N. Maple Street, Apt 3, Springfield, IL 62704"),
        ("P.O. Box 771", "LOCATION", "P.O. Box 771"),
        ("from Shelbyville, TN 37160", "LOCATION", "Shelbyville, TN 37160"),
        ("zip code 90210", "LOCATION", "90210"),
        ("moved from Chicago last year", "LOCATION", "Chicago"),
        ("treated at St. Luke's Hospital today", "FACILITY", "St. Luke's Hospital"),
        ("seen at Green Valley Clinic", "FACILITY", "Green Valley Clinic"),
        ("transferred from Brightwater Regional Medical Center", "FACILITY",
         "Brightwater Regional Medical Center"),
        ("Dr. Osgood agrees", "NAME", "Osgood"),
        ("seen by Dr. Mary-Ann O'Hara-Lopez", "NAME", "Mary-Ann O'Hara-Lopez"),
        ("Electronically signed by: HOLLOWAY, PETER J", "NAME", "HOLLOWAY, PETER J"),
        ("Patient: Feldmann, Robert", "NAME", "Feldmann, Robert"),
        ("R. Vanterpool, MD", "NAME", "R. Vanterpool"),
        ("her husband, Aurelio, agrees", "NAME", "Aurelio"),
        ("in a man, Richard B., with gout", "NAME", "Richard B."),
        ("met Susan Whitcombe in clinic", "NAME", "Susan Whitcombe"),
        ("Mr. White was well", "NAME", "White"),
        ("SSN 123 45 6789", "SSN", "123 45 6789"),
        ("SSN XXX-XX-4321", "SSN", "XXX-XX-4321"),
        ("the last four of her SSN are 4321", "SSN", "4321"),
        ("card 4012 8888 8888 1881 on file", "ACCOUNT", "4012 8888 8888 1881"),
        ("paid from GB82 WEST 1234 5698 7654 32", "ACCOUNT", "GB82 WEST 1234 5698 7654 32"),
        ("identity card 12345678Z", "OTHER_ID", "12345678Z"),
        ("codice RSSMRA85T10A562S", "OTHER_ID", "RSSMRA85T10A562S"),
        ("number 146 454 285", "OTHER_ID", "146 454 285"),
        ("provider 1234567893 ordered it", "LICENSE", "1234567893"),
        ("answering at 78 651 450", "PHONE", "78 651 450"),
        ("mobile is 0688 872 49 99", "PHONE", "0688 872 49 99"),
        ("467 3395 office", "PHONE", "467 3395"),
        ("seen last Tuesday", "DATE", "last Tuesday"),
        ("fell on Christmas Eve", "DATE", "Christmas Eve"),
        ("D: 03/04 T: 03/05", "DATE", "03/05"),
        ("3/14: WBC 9.1", "DATE", "3/14"),
        ("a man in his early nineties", "AGE", "nineties"),
        ("a centenarian", "AGE", "centenarian"),
        ("a 1,104-month-old", "AGE", "1,104"),
        ("lives in Tolland County", "LOCATION", "Tolland County"),
        ("at 12 Kanalstraat 9, 1017 AB Meppel", "LOCATION", "12 Kanalstraat 9, 1017 AB Meppel"),
        ("PSC 4455, Box 1234\nAPO AP 96999", "LOCATION", "PSC 4455, Box 1234\nAPO AP 96999"),
        ("44 Old Mill\n  Apt. 12\n  Bywater\n  Norland 4455", "LOCATION",
         "44 Old Mill\n  Apt. 12\n  Bywater\n  Norland 4455"),
        ("postcode: 7412 SL", "LOCATION", "7412 SL"),
        ("ZIP 036", "LOCATION", "036"),
        ("corner of Elm and Quay Road", "LOCATION", "Elm and Quay Road"),
        ("moved to Room 412", "LOCATION", "412"),
        ("GREEN VALLEY REGIONAL MEDICAL CENTER\nRadiology", "FACILITY",
         "GREEN VALLEY REGIONAL MEDICAL CENTER"),
        ("End of report.\nJD:mt", "NAME", "JD:mt"),
        ("/s/ Ruth Vanterpool", "NAME", "Ruth Vanterpool"),
        ("my name is ruth vanterpool.", "NAME", "ruth vanterpool"),
        ("sent by dr. vanterpool today", "NAME", "vanterpool"),
        ("To:\nAurelio B. Vanterpool\n", "NAME", "Aurelio B. Vanterpool"),
    ],
)  # fmt: skip
def test_what_names_a_person_goes_whole(text: str, category: str, phi: str) -> None:
    assert (category, phi) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, pulse 72, SpO2 98% on 2 L, temperature 98.6.",
        "Strength is 5/5 throughout; pain 4/10, down from 7/10.",
        "Platelets 150,000; WBC 7.4; glucose 110 mg/dL; TSH 2.31.",
        "A 4.5 x 3.2 x 1.1 cm mass in segment VIII, previously 3.9 cm.",
        "A 54-year-old man and an 89-year-old woman; infarct in 2019.",
        "L4-L5 disc bulge, T12 wedge fracture, C5-6 stenosis, grade 2/6 murmur.",
        "Parkinson disease with a positive Babinski sign; Foley catheter in place.",
        "IMPRESSION: Acute Appendicitis. FINDINGS: Normal Chest.",
        "Started Lisinopril 10 mg and Metformin 1000 mg twice daily.",
        "ICD-10 C18.7, CPT 99213, NCT01234567.",
        "The patient may return; they march on. In general, the right lung is clear.",
        "General Hospital course: transferred to the Emergency Department, then discharged.",
        "Gleason 3+4=7 in 5 of 12 cores, Crohn's disease, Hashimoto's thyroiditis.",
        "HEART: regular rhythm. LUNGS: clear. ABDOMEN: soft.",
        "Vitamin D deficiency, hepatitis C, type A, factor V.",
        "The patient improved since Monday; ratio 1.2.1 of the protocol.",
        "She was seen in the Pain Clinic and followed at the Wound Care Center.",
        "Christmas disease; ZIP 100 is populous; 12 O'clock position; room air 98%.",
        "EMERGENCY MEDICINE CLINIC\nOxygen 2 L/min\npain: 4/10",
        "Hemoglobin\nmg/dl\nLocation: Left Breast\nUnit 2 of 4 transfused.",
    ],
)
def test_clinical_text_stays(text: str) -> None:
    assert found(text) == []


def test_known_identifiers_are_found_in_any_case_order_and_spacing() -> None:
    known = Known(
        names=("Ariadne May Quillon",),
        mrns=("MX-44 1202",),
        phones=("555 010 9988",),
        addresses=("7 Underhill Row, Bywater",),
        emails=("aq@example.org",),
        dates=("1961-02-03",),
    )
    text = (
        "QUILLON, ARIADNE MAY came. quillon has mx441202; call 555-010-9988 or AQ@example.org. "
        "Lives at 7 UNDERHILL ROW. Born 1961-02-03. She may leave in the morning."
    )
    phi = [value for _, value in found(text, known)]
    assert phi == [
        "QUILLON, ARIADNE MAY", "quillon", "mx441202", "555-010-9988", "AQ@example.org",
        "7 UNDERHILL ROW", "1961-02-03",
    ]  # fmt: skip


def test_a_surname_introduced_once_is_found_again() -> None:
    assert [value for _, value in found("Dr. Feldmann came. Later feldspar; Feldmann left.")] == [
        "Feldmann",
        "Feldmann",
    ]


def candidate(text: str, phi: str, category: Category = Category.NAME) -> Span:
    start = text.index(phi)
    return Span(start, start + len(phi), category, 0.6, "model")


@pytest.mark.parametrize(
    ("text", "taken", "kept"),
    [
        ("Discussed with Thandiwe Mokoena today", "Thandiwe Mokoena", "Thandiwe Mokoena"),
        ("FINDINGS Thandiwe today", "FINDINGS Thandiwe", "Thandiwe"),
        ("Remeron 15 mg p.o.", "Remeron 15 mg", None),
        ("Babinski is down-going", "Babinski", None),
        ("A Trömner sign was absent", "Trömner", None),
        ("EOMI, PERRLA", "EOMI", None),
        ("Wobblitis improved; no wobblitis now", "Wobblitis", None),
        ("Choledochoscopy was done", "Choledochoscopy", None),
    ],
)
def test_the_models_candidates_are_held_against_the_vocabulary(
    text: str, taken: str, kept: str | None
) -> None:
    spans = list(gate([candidate(text, taken)], text, document_lexicon(text, LEXICON)))
    assert [text[span.start : span.end] for span in spans] == ([kept] if kept else [])


def test_a_line_break_ends_a_candidate() -> None:
    text = "Thandiwe Mokoena\nZubeneschamali Ngata"
    spans = gate([candidate(text, text)], text, LEXICON)
    assert [text[span.start : span.end] for span in spans] == ["Thandiwe Mokoena", "Zubeneschamali Ngata"]


@pytest.mark.parametrize("prefix", ["MRN ", "SSN:", "social security ", "Patient: ", "lives in ", "1 A"])
@pytest.mark.parametrize(
    "filler",
    ["-", ":", " ", "A ", "1-", "1.", "St. ", "Smith ", "A. ", "(", "\n", "A-", "A'", "Aa-", "_", "#", "X*"],
)
def test_no_pattern_takes_long_on_a_long_row_of_anything(prefix: str, filler: str) -> None:
    """What takes time by the square of the row would take minutes for 20,000 characters, instead of
    milliseconds. Of this process's own time, since a test's neighbours share its cores."""
    text = prefix + filler * (20_000 // len(filler)) + "!"
    begun = time.process_time()
    found(text)
    assert time.process_time() - begun < 2


def test_each_recogniser_says_which_paragraph_asks_for_it() -> None:
    for recogniser in RULES:
        module = sys.modules[type(recogniser).__module__]
        assert "45 CFR 164.514(b)(2)(i)(" in (module.__doc__ or ""), module.__name__


@pytest.mark.parametrize("number", ["4012888888881881", "808401234567893", "046454286"])
def test_a_check_digit_is_right_for_one_last_digit_only(number: str) -> None:
    assert [digit for digit in "0123456789" if luhn(number[:-1] + digit)] == [number[-1]]


def test_the_check_of_a_bank_account_is_one() -> None:
    assert modulo_97("WEST12345698765432" + "GB82") == 1


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("The lungs are clear. No effusion.", False),
        ("EOMI was noted.", False),
        ("Discussed with Thandiwe today.", True),
        ("THANDIWE MOKOENA", True),
    ],
)
def test_the_model_reads_only_what_may_hold_a_name(text: str, may: bool) -> None:
    assert may_hold_name(text, LEXICON) is may
    assert bool(list(pieces(text, LEXICON))) is may


@given(st.text(alphabet="Ab .\n!\rZq😀é", max_size=2000))
def test_whatever_may_hold_a_name_lies_in_a_piece(text: str) -> None:
    read = list(pieces(text, LEXICON))
    assert all(start < end for start, end in read)
    assert all(one[1] <= other[0] for one, other in pairwise(read))
    covered = {i for start, end in read for i in range(start, end)}
    for match in re.finditer(r"[A-Z]\w*", text):
        if len(match[0]) < 300 and may_hold_name(match[0], LEXICON):
            assert covered.issuperset(range(*match.span()))


NOTE = "Dr. Osgood saw R. Vanterpool, MD on 04/12/2023; MRN: 00123456, call (555) 123-4567."


@settings(deadline=None)
@given(st.lists(st.sampled_from(["e\u0301", "😀", "\r\n", "\u200b", "ñ", " "]), max_size=12))
def test_offsets_are_code_points_whatever_stands_before(prefix: list[str]) -> None:
    text = "".join(prefix) + "\n" + NOTE
    read = Composed.of(text)
    spans = [read.in_input(span) for span in resolve(find_by_rule(read.text, LEXICON), read.text)]
    assert [text[span.start : span.end] for span in spans] == [
        "Osgood", "R. Vanterpool", "04/12/2023", "00123456", "(555) 123-4567",
    ]  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.sampled_from([NOTE, "Seen last Tuesday.", "12 Rue Haute 5", "SSN 123 45 6789", "\r\n"]), max_size=6
    )
)
def test_running_twice_equals_once(parts: list[str]) -> None:
    placeholders = load_policy().placeholders
    text = " ".join(parts)
    once = substitute(text, resolve(find_by_rule(text, LEXICON), text), placeholders)
    assert substitute(once, resolve(find_by_rule(once, LEXICON), once), placeholders) == once


class Raising:
    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        raise ValueError(f"cannot read {text!r}")
        yield


class RunningAway:
    """A pattern that takes time by the exponent of the row's length."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for match in re.finditer(r"(?:a|a)+$", text):
            yield Span(*match.span(), Category.NAME, 1.0, "RunningAway")


@pytest.mark.parametrize(("recogniser", "text"), [(Raising(), "Osgood"), (RunningAway(), "a" * 60 + "!")])
def test_a_recogniser_that_raises_or_runs_away_leaves_the_text_undecided(
    recogniser: Raising | RunningAway, text: str
) -> None:
    presented = registry_of((recogniser,)).recognizers[0]
    begun = time.process_time()
    with pytest.raises(RecogniserFailed) as failed, failing_shut(timedelta(seconds=0.2)):
        presented.analyze(text, presented.supported_entities, Reading(LEXICON))
    assert time.process_time() - begun < 5
    assert text not in str(failed.value)
    assert failed.value.__cause__ is None


def test_presidio_is_given_every_rule_and_answers_with_its_spans() -> None:
    found = [
        (result.entity_type, result.start, result.end)
        for presented in registry_of(RULES).recognizers
        for result in presented.analyze(NOTE, presented.supported_entities, Reading(LEXICON))
    ]
    expected = [span for rule in RULES for span in rule.find(NOTE, LEXICON)]
    assert found == [(span.category.value, span.start, span.end) for span in expected]
