"""What is called after somebody stays, and whoever is called so goes, known or not."""

from __future__ import annotations

import pytest

from curbside.phi import Category
from curbside_deidentification.domain.eponyms import eponyms, without_eponyms
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.known import Known, find_known
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span, resolve
from curbside_deidentification.recognisers.completing import find_by_rule

LEXICON = load_policy().lexicon
WORDS = load_policy().known_words


def gone(text: str, *known: str) -> list[str]:
    """What the source's names and the rules together take out of `text`."""
    spans = [*find_known(text, Known(names=known), LEXICON, WORDS)]
    spans += find_by_rule(text, document_lexicon(text, LEXICON))
    return [text[span.start : span.end] for span in resolve(spans, text)]


@pytest.mark.parametrize(
    ("name", "text", "phi"),
    [
        ("Thomas Bell", "Mr. Bell, 54, with Bell's palsy.", ["Bell"]),
        ("Thomas Bell", "Bell’s palsy; Bell palsy; BELL'S PALSY; Bells palsy.", []),
        ("Thomas Bell", "Bell's daughter called.", ["Bell"]),
        ("Thomas Bell", "Thomas Bell's palsy is better.", ["Thomas Bell"]),
        ("Ann Graves", "Graves' disease, Graves' ophthalmopathy, Graves dz.", []),
        ("Ann Graves", "Graves' daughter said so.", ["Graves"]),
        ("John Parkinson", "Mr. Parkinson has Parkinson's disease.", ["Parkinson"]),
        ("John Parkinson", "parkinson's disease, Parkinsons disease", []),
        # No disease is called so, and what a patient has is the patient's.
        ("John Kowalski", "Seen for Kowalski's disease.", ["Kowalski"]),
        ("Rita Miller", "Miller's catheter was changed. Miller's surgery went well.", ["Miller", "Miller"]),
        ("Rita Bell", "She saw Bell's catheter.", ["Bell"]),
        ("James Murphy", "Today Murphy's test results came.", ["Murphy"]),
        ("Pat Allenby-Allen", "Allen test normal. Told Allen tests his sugar.", ["Allen"]),
        ("Pat Allen", "Allen test normal. Today Pt Allen test results.", ["Allen"]),
        # A finding alone says nothing against the patient.
        ("Rita Murphy", "Today Murphy negative for COVID.", ["Murphy"]),
    ],
)
def test_a_known_name_is_no_eponym_and_an_eponym_no_name(name: str, text: str, phi: list[str]) -> None:
    assert gone(text, name) == phi


@pytest.mark.parametrize(
    "text",
    [
        "Hips: Ortolani/Barlow negative. Barlow and Ortolani test neg.",
        "Ductal carcinoma, Nottingham histologic grade 2.",
        "Heart: Austin Flint murmur. There is an Austin Flint.",
        "PMH: Graves dz, Hashimoto dz, HTN.",
        "Circumcision with Gomco 1.3.",
        "SAH, Hunt Hess 3. Hunt-Hess grade II. Hunt and Hess 2.",
        "s/p Heller myotomy. S/p Heller in 2010. Scheduled for Heller.",
        "S/p Norwood procedure, then Norwood, Glenn and Fontan.",
        "EGD: Mallory-Weiss tear. Positive Rovsing. Rovsing neg.",
        "Pain is no Murphy's sign and no Murphy.",
        "Tetralogy of Fallot; pouch of Douglas is free.",
    ],
)
def test_medicine_stays(text: str) -> None:
    assert gone(text) == []


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("Dr. Heller will do the Heller myotomy; call Dr. Heller.", ["Heller", "Heller"]),
        ("Sarah Murphy has a positive Murphy sign.", ["Sarah Murphy"]),
        ("Seen by Heller, MD, for the test.", ["Heller"]),
        ("Kelly Heller, RN to bedside", ["Kelly Heller"]),
    ],
)
def test_a_title_a_given_name_or_a_degree_makes_a_person(text: str, phi: list[str]) -> None:
    assert gone(text) == phi


def test_what_a_recogniser_took_in_beside_an_eponym_stays_a_mention() -> None:
    text = "Bell has Bell's palsy"
    spans = [Span(0, 13, Category.NAME, 1, "T"), Span(0, 13, Category.DATE, 1, "T")]
    left = without_eponyms(spans, text, eponyms(text, LEXICON))
    assert [(one.start, one.end) for one in left] == [(0, 4), (0, 13)]
