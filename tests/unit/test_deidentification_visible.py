"""What identifies by itself and can still be seen in a text that somebody wants to release."""

from __future__ import annotations

import re

import pytest

from curbside.phi import Category
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.domain.visible import visible_signs

SSN, PHONE, EMAIL = "social_security_number", "telephone_number", "email_address"


def marked(text: str) -> tuple[str, list[Span]]:
    """`text` without its marks, and what they hide: "{NAME:Mary}"."""
    spans: list[Span] = []
    plain = ""
    for piece in re.split(r"(\{[A-Z]+:[^}]*\})", text):
        hidden = re.fullmatch(r"\{([A-Z]+):([^}]*)\}", piece)
        said = hidden[2] if hidden else piece
        if hidden:
            spans.append(Span(len(plain), len(plain) + len(said), Category(hidden[1]), 1.0, "test"))
        plain += said
    return plain, spans


@pytest.mark.parametrize(
    ("text", "sign", "left"),
    [
        ("{NAME:Jane}.ohd@example . org", EMAIL, ".ohd@example . org"),
        ("user_at_host@localhost", EMAIL, "user_at_host@localhost"),
        ("write to j.doe @ mail now", EMAIL, "j.doe @ mail"),
        ("inga . w @ example . org", EMAIL, "w @ example . org"),
        ("jdoe@{FACILITY:mercy}.org", EMAIL, "jdoe@"),
        ("jdoe [at] example [dot] org", EMAIL, "jdoe [at] example"),
        ("jdoe at example dot org", EMAIL, "jdoe at example dot org"),
        ("a@b.org", EMAIL, "a@b.org"),
        ("ssn {SSN:5 3 2 - 4 1 - 7 7} 8 8", SSN, "8 8"),
        ("SSN: 5 3 2 - 4 1 - 7 7 8 8", SSN, "SSN: 5 3 2 - 4 1 - 7 7 8 8"),
        ("no 5 3 2 - 4 1 - 7 7 8 8.", SSN, "5 3 2 - 4 1 - 7 7 8 8"),
        ("ssn {SSN:5 3 2 - 4 1 - 7 7 8} 8", SSN, "8"),
        ("532-{SSN:41-7788}", SSN, "532-"),
        ("532/41/7788", SSN, "532/41/7788"),
        ("532\n41\n7788", SSN, "532\n41\n7788"),
        ("123-45-6789", SSN, "123-45-6789"),
        ("123 - 45 - 6789", SSN, "123 - 45 - 6789"),
        ("SSN ending in 7788", SSN, "SSN ending in 7788"),
        ("Phone {PHONE:360-555}-\n0142", PHONE, "-\n0142"),
        ("(360) 555 - 0142", PHONE, "(360) 555 - 0142"),
        ("360.555.0142", PHONE, "360.555.0142"),
        ("call 555-0142 now", PHONE, "555-0142"),
        ("call 3605550142", PHONE, "3605550142"),
        ("3 6 0 5 5 5 0 1 4 2", PHONE, "3 6 0 5 5 5 0 1 4 2"),
    ],
)
def test_a_sign_is_seen_in_every_form_and_where_a_span_left_a_part_of_it(
    text: str, sign: str, left: str
) -> None:
    plain, hidden = marked(text)
    [(start, end)] = visible_signs(plain, hidden)[sign]
    assert plain[start:end] == left


@pytest.mark.parametrize(
    "text",
    [
        "Given 5 mg @ HS and 10@0900; seen @ clinic. Then home.",
        "HR 92 @ rest, BP 120/80 @ 0900 by {NAME:Mary} @ bedside.",
        "Give 500-1000 mL; platelets 150-4000; 3/4/2022, 12-24-2021 and 2022-03-04; 4 mm nodule.",
        "T 98.6 P 72 R 18 BP 120/80; K 4.1, Na 140. LOINC 58410-2. ICD 250.00.",
        "{PHONE:360-555-0142} 2 views; {SSN:532-41-7788}, seen. {EMAIL:a@b.org} {NAME:Jane} said.",
        "SSN {SSN:532-41-7788} 45 yo; {SSN:532-41-7788} 2 views.",
        "Electrodes 1 2 3 4 5 are in place; {DATE:3/4/2022} 10:15.",
    ],
)
def test_what_is_clinical_needs_no_second_person(text: str) -> None:
    assert visible_signs(*marked(text)) == {}


def test_a_page_without_a_space_is_read_once() -> None:
    for run in ("a" * 200_000, "1 " * 100_000, "a." * 100_000, "-1" * 100_000, "a_" * 100_000 + " @"):
        assert visible_signs(run, []) == {}
