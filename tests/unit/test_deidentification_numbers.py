"""Numbers that identify, by label, form and field, and the numbers of medicine that stay."""

from __future__ import annotations

import re

import pytest

from curbside.phi import Category
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span, resolve
from curbside_deidentification.recognisers import IDENTIFIERS
from curbside_deidentification.recognisers.repeated_id import repeated_ids
from curbside_deidentification.recognisers.writing.alternatives import by_initial

LEXICON = load_policy().lexicon


def found(text: str) -> list[tuple[str, str]]:
    spans = [span for recogniser in IDENTIFIERS for span in recogniser.find(text, LEXICON)]
    return [(span.category.value, text[span.start : span.end]) for span in resolve(spans, text)]


@pytest.mark.parametrize(
    ("text", "category", "phi"),
    [
        ("See also 77S-81315", "OTHER_ID", "77S-81315"),
        ("Case No: C41:8949", "OTHER_ID", "C41:8949"),
        ("slides SP-58-2118 were reviewed", "OTHER_ID", "SP-58-2118"),
        ("accession 14-S-12345", "OTHER_ID", "14-S-12345"),
        ("Doc# 67069/4233950", "OTHER_ID", "67069/4233950"),
        ("eScription document: 4-1234567", "OTHER_ID", "4-1234567"),
        ("enrolled as subject 13-436-TU", "OTHER_ID", "13-436-TU"),
        ("subject 001-0042", "OTHER_ID", "001-0042"),
        ("550e8400-e29b-41d4-a716-446655440000", "OTHER_ID", "550e8400-e29b-41d4-a716-446655440000"),
        ("study 1.2.840.113619.2.55.3.604688.971", "OTHER_ID", "1.2.840.113619.2.55.3.604688.971"),
        ("Encounter: CSN 16867052", "ACCOUNT", "CSN 16867052"),
        ("compensation claim 59-5448508", "ACCOUNT", "59-5448508"),
        ("XXXX-XXXX-XXXX-1234 on file", "ACCOUNT", "XXXX-XXXX-XXXX-1234"),
        ("member, group 56553-807.", "HEALTH_PLAN", "56553-807"),
        ("Grp: 12345", "HEALTH_PLAN", "12345"),
        ("MRN (hospital): 881-18-645", "MRN", "881-18-645"),
        ("MRN.........0128957", "MRN", "0128957"),
        ("Unit No: 123-45-67", "MRN", "123-45-67"),
        ('labeled "Osei, E8461-688"', "OTHER_ID", "E8461-688"),
        ("Driver's Lic: S123-4567-8901", "LICENSE", "S123-4567-8901"),
        ("lic. no. 12-345678", "LICENSE", "12-345678"),
        ("Her car (tag 3NEB917) was totaled", "VEHICLE", "3NEB917"),
        ("license plate 4UEC278, when", "VEHICLE", "4UEC278"),
        ("Vehicle plate (parking): TZC 4975", "VEHICLE", "TZC 4975"),
        ("ser. no. RXP309159C", "DEVICE", "RXP309159C"),
        ("Palm vein template no. AB12345678", "BIOMETRIC", "AB12345678"),
        ("saved as IMG_0012", "PHOTO", "IMG_0012"),
        ("A. Rice DO p17355", "PHONE", "17355"),
        ("call x4321", "PHONE", "4321"),
        ("Ridge Clinic, 555-0137.", "PHONE", "555-0137"),
        ("617–555–0123", "PHONE", "617–555–0123"),
        ("faxed to 6175550123", "FAX", "6175550123"),
        ("SSN (last 4): 1234", "SSN", "1234"),
        ("xxx-xx-1234", "SSN", "xxx-xx-1234"),
        ("HIC 123-45-6789A", "HEALTH_PLAN", "123-45-6789A"),
        ("at 10.1.2.3:8080", "IP", "10.1.2.3:8080"),
        ("portal.riverbend.example", "URL", "portal.riverbend.example"),
        ("jdoe at example dot org", "EMAIL", "jdoe at example dot org"),
        ("617-555-0123 / 0188 (w)", "PHONE", "0188"),
        ("617-555-0123 (h), 2014 (w)", "PHONE", "2014"),
        ("617-555-0123 or -0188", "PHONE", "-0188"),
        ("617-555-0123/24", "PHONE", "24"),
        ("front desk, ext 7", "PHONE", "7"),
        ("office x31", "PHONE", "31"),
        ("cell (mother's) ends 0133", "PHONE", "0133"),
        ("the text line ending 0133", "PHONE", "0133"),
        ("cell ...0133", "PHONE", "0133"),
        ("car in lot: gray wagon 7TZC497", "VEHICLE", "7TZC497"),
        ("claim B-41 220 118 denied", "OTHER_ID", "B-41 220 118"),
        ("Conf. code QJ4-LM7", "OTHER_ID", "QJ4-LM7"),
        ("acct on file ... ...5521", "ACCOUNT", "5521"),
        ("plate AB12 CDE", "VEHICLE", "AB12 CDE"),
        ("car in lot: TZC 497", "VEHICLE", "TZC 497"),
    ],
)  # fmt: skip
def test_a_number_that_identifies_goes_whole(text: str, category: str, phi: str) -> None:
    value = [what for kind, what in found(text) if kind == category or category == "HEALTH_PLAN"]
    assert phi in value


@pytest.mark.parametrize(
    "text",
    [
        "Heparin 25000U, then 500-1000 mL; HIV viral load 1234567 copies; E. coli 100000 CFU.",
        "Ref: 136-145 mmol/L; report 120/80; order: 500 mL; in case 12 of 2014; a study of 12345 patients.",
        "SNOMED CT 22298006, LOINC 58410-2, CPT 99213, NCT01234567, COVID-19, CA19-9, factor V G20210A.",
        "LCP plate 10 hole, plate and screw 3.5 mm, a 10 x 390 mm nail, magnification x400, p80.",
        "series #102 image #1452; a sample 2000-calorie plan; version 2.16.840.1.113883.6.96.1",
        "555-0123 units, 2014; knee ext 5, flex 120; Ext: 2+ edema; phone call x2; PICC line ends 1345.",
        "The medical records of 236 patients; platelets 250000; a range of 1500-2000; 10000-15000 copies.",
    ],
)
def test_numbers_of_medicine_stay(text: str) -> None:
    assert found(text) == []


SEGMENTS = (
    "MSH|^~\\&|LAB|X|EHR||20140315||ORU^R01|1|P|2.5.1",
    "PID|1||E26-1^^^MR~77^^^EPI||DOE^J||19500302|F|||1 MAIN^^X^IL^60601||(904)555-0112^PRN^PH^a@b.example||||"
    "|97-30|912700381",
    "OBR|1|4471|SB-42|58410-2^CBC|||20140315083000",
    "OBX|1|NM|718-7^Hemoglobin||10.2|g/dL|12.0-15.5|L",
)


@pytest.mark.parametrize("end", ["\r", "\n", " "])
def test_fields_of_a_message_are_known_by_their_number(end: str) -> None:
    text = end.join(SEGMENTS)
    values = [what for _, what in found(text)]
    for value in ("E26-1", "77", "19500302", "(904)555-0112", "97-30", "912700381", "4471", "SB-42"):
        assert value in values
    assert not {"10.2", "718-7", "58410-2", "12.0-15.5"}.intersection(values)


@pytest.mark.parametrize(
    ("text", "value", "again"),
    [
        ("Case 77S-8. See 77S-8.", "77S-8", 2),
        ("Case 77S-8. See A77S-8, 77S-81.", "77S-8", 1),
        ("Case 4412, 4412", "4412", 0),
        ("Case SMITH, SMITH", "SMITH", 0),
    ],
)
def test_a_number_found_once_is_found_everywhere(text: str, value: str, again: int) -> None:
    start = text.index(value)
    spans = [Span(start, start + len(value), Category.OTHER_ID, 0.9, "OtherId")]
    assert [text[span.start : span.end] for span in repeated_ids(text, spans)] == [value] * again


@pytest.mark.parametrize("word", ["order", "Lot #", "LOTNO", "case no.", "x"])
def test_alternatives_by_their_initial_match_what_they_did(word: str) -> None:
    alternatives = r"lot(?:no|\ \#)|order|case\ (?:no\.|id)|[xy]|(?:z|w)"
    patterns = (rf"(?:{alternatives})", by_initial(alternatives))
    matches = [re.fullmatch(pattern, word, re.IGNORECASE) is not None for pattern in patterns]
    assert matches == [True, True]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "Left six one seven, five five five, zero one four nine.",
            "six one seven, five five five, zero one four nine",
        ),
        ("Shipped UPS 1Z692P762758341106.", "1Z692P762758341106"),
        ("Unit W4250 19 123456 issued", "W4250 19 123456"),
        ("PD case 6547-7482 filed", "6547-7482"),
        ("parking permit W-1435", "W-1435"),
        ("boat, registration CT 3674 XZ", "CT 3674 XZ"),
        ("jdoe[at]example[dot]org bounced", "jdoe[at]example[dot]org"),
        ("line busy at 555.0123", "555.0123"),
        ("soc 961 - 49 - 2118", "961 - 49 - 2118"),
    ],
)
def test_numbers_in_odd_forms_are_found(text: str, value: str) -> None:
    assert value in [what for _, what in found(text)]


@pytest.mark.parametrize(
    ("text", "category", "value"),
    [
        ("SSN: 6 1 4 - 2 7 - 9 0 3 5", "SSN", "6 1 4 - 2 7 - 9 0 3 5"),
        ("SSN: |6|1|4|-|2|7|-|9|0|3|5|", "SSN", "6|1|4|-|2|7|-|9|0|3|5"),
        ("SS# 614/27/9035", "SSN", "614/27/9035"),
        ("Social Security No.\n614\n27\n9035\nSex", "SSN", "614\n27\n9035"),
        ("SSN * * * - * * - 9 0 3 5", "SSN", "* * * - * * - 9 0 3 5"),
        ("on file 6 1 4 - 2 7 - 9 0 3 5 today", "SSN", "6 1 4 - 2 7 - 9 0 3 5"),
        ("social is six one four, twenty-seven, ninety", "SSN", "six one four, twenty-seven, ninety"),
        ("SSN ends in nine oh three five", "SSN", "nine oh three five"),
        ("Tel: 206-555\n0178", "PHONE", "206-555\n0178"),
        ("(206) 555\n0178", "PHONE", "(206) 555\n0178"),
        ("or 206.555.\n0178, which", "PHONE", "206.555.\n0178"),
        ("MRN 5512\n904 was seen", "MRN", "5512\n904"),
        ("MRN: 5 5 1 2 9 0 4", "MRN", "5 5 1 2 9 0 4"),
        ("MRN : 55 - 12 - 904", "MRN", "55 - 12 - 904"),
        ("Phone: 2 0 6 - 5 5 5 - 0 1 7 8", "PHONE", "2 0 6 - 5 5 5 - 0 1 7 8"),
        ("Driver's license: OR QRS*CD45E6", "LICENSE", "OR QRS*CD45E6"),
        ("driver's license OR DL QRS*CD45E6", "LICENSE", "QRS*CD45E6"),
        ("pager 6-1188; call 3-4417 if worse", "PHONE", "6-1188"),
        ("pager 6-1188; call 3-4417 if worse", "PHONE", "3-4417"),
        ("Beepers tonight: Marsh 6-1188, Frost 3-4417", "PHONE", "3-4417"),
    ],
)  # fmt: skip
def test_a_number_goes_whole_where_its_figures_stand_apart(text: str, category: str, value: str) -> None:
    assert (category, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Social: one to two drinks, three or four times. Socially one drink. SSN: none",
        "Of 120 180\n2022 and 4-6000 mL; a ratio of 4-1100; 7-1200 units; Call if over 5-1000.",
        "Chart 1 2 3; order 5 - 10 mg; study: 1 - 2 - 1; report 5 5 of 5; a case of 2 - 3 days",
        "in case 1234\n500 mg; in a record 1998\n120 patients; 120-180\n2010",
        "of 220-380\n2014; of 250-350\n1500 mL",
    ],
)
def test_figures_of_two_lines_or_of_a_range_stay(text: str) -> None:
    assert found(text) == []
