"""What stands where a form or a log expects it, although it looks like something of medicine."""

from __future__ import annotations

import pytest

from curbside.phi import Category
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import resolve
from curbside_deidentification.recognisers.completing import find_by_rule

LEXICON = load_policy().lexicon


def found(text: str, category: Category) -> list[str]:
    spans = resolve(find_by_rule(text, document_lexicon(text, LEXICON)), text)
    return [text[span.start : span.end] for span in spans if span.category is category]


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("Phone: 5521", "5521"),
        ("tel 5521 for results", "5521"),
        ("extn. 5521", "5521"),
        ("Ward phone: 2031", "2031"),
        ("Reach me at 5521.", "5521"),
        ("I can be reached on 5521 until 7 pm.", "5521"),
        ("Lab called 5521 with a critical K.", "5521"),
        ("Potassium called to RN at 5521.", "5521"),
        ("Charge RN 5521", "5521"),
        ("Pharmacy: 5521.", "5521"),
        ("Intern 5521 / resident 5522", "5522"),
        ("Nights 5521, days 5533", "5533"),
        ("Questions? 5521", "5521"),
        ("Kim Osei, MD 5521", "5521"),
        ("K. Osei PGY2 5521", "5521"),
        ("d/w Osei 5521", "5521"),
        ("paged via short dial *5521", "5521"),
    ],
)
def test_a_number_inside_the_house_goes(text: str, phone: str) -> None:
    assert phone in found(text, Category.PHONE)


@pytest.mark.parametrize(
    "text",
    [
        "RN 1430: resting comfortably.",
        "Called at 1430, no answer.",
        "Paged 2230 with the result.",
        "In the ICU 2345 patients were screened.",
        "Heparin 5000 units to follow. Lab 4000.",
        "Seen by OT 2019.",
        "with ANC 2974. Platelets 5521.",
        "A PG 2960 stent, CB 3717 and CD 5521.",
        "Days 5521-5530 of the registry.",
    ],
)
def test_a_time_a_year_a_count_and_a_compound_are_no_telephone(text: str) -> None:
    assert found(text, Category.PHONE) == []


@pytest.mark.parametrize(
    ("text", "initials"),
    [
        ("RN: CP", ["CP"]),
        ("Checked by MS and CP", ["MS", "CP"]),
        ("Verified x2 MS CP", ["MS", "CP"]),
        ("Heparin given (MS/CP).", ["MS", "CP"]),
        ("Handoff: MS -> CP", ["MS", "CP"]),
        ("Report given to CP at 0700", ["CP"]),
        ("Lab notified CP at 0400", ["CP"]),
        ("Discussed with MS.", ["MS"]),
        ("Vent changed per CP.", ["CP"]),
        ("CP will follow up.", ["CP"]),
        ("MS, RN", ["MS"]),
        ("PFT, CCRN", ["PFT"]),
        ("~MS", ["MS"]),
        ("Addendum (MS): agree.", ["MS"]),
        ("Marsh:mtk  AB123456", ["Marsh", "mtk"]),
        ("stable overnight; PFT Mon 3/14", ["PFT"]),
        ("PFT wrote the orders.", ["PFT"]),
        ("Water log complete.\nOn by: MY    Off by: IS    RN check: TW", ["MY", "IS", "TW"]),
        ("Final counts correct (PWJ/CMS).", ["PWJ", "CMS"]),
        ("MA BK. BP 118/70", ["BK"]),
        ("Triage GJ: T 37.1, P 64", ["GJ"]),
        ("Back home with 24 h care.\nTP 09:41", ["TP"]),
        ("Hookup PK. Impedances under 5k.", ["PK"]),
        ("IV attempt x1 FH unsuccessful.", ["FH"]),
        ("Issued to JV\nUnits returned", ["JV"]),
        ("Hep B given by BC. Hearing pass R 7/24/18 WC.", ["BC", "WC"]),
        ("390   dime wheal   YP 6/25/18   0.4 mL", ["YP"]),
        ("Pressures 14 and 21 @ 11:14 AM BF\nLids normal.", ["BF"]),
        ("Recheck before lunch.\nETS", ["ETS"]),
        ("IGK:am", ["IGK", "am"]),
        ("ETT 8.0, atraumatic (JCA under Marsh).", ["JCA", "Marsh"]),
        ("Excised in one block. LTP 9/21", ["LTP"]),
        ("Cramps at 2.5 hr, EJ stretched the leg.", ["EJ"]),
        ("In good condition. Will gave copies to the family.", ["Will"]),
        ("KMV covering overnight.", ["KMV"]),
    ],
)
def test_initials_go_though_medicine_has_an_abbreviation_of_them(text: str, initials: list[str]) -> None:
    assert found(text, Category.NAME) == initials


@pytest.mark.parametrize(
    "text",
    [
        "Seen by PT and OT. Discussed with ID.",
        "As per HPI. Confirmed by PCR.",
        "ANESTHESIA: MAC.",
        "PROCEDURE PERFORMED: EGD",
        "PT will follow up. GI notified. ED aware.",
        "Seizures induced by PTZ.",
        "Exam of the knee MS\nContinue naproxen.",
        "Collected by BAL",
        "Triage by RN. Prelim read by ED.",
        "Stable. Will follow. Will have labs drawn.",
        "Healed well. MRI 9/21",
    ],
)
def test_services_tests_and_methods_are_nobodys_initials(text: str) -> None:
    assert found(text, Category.NAME) == []


@pytest.mark.parametrize(
    ("text", "category", "phi"),
    [
        ("Valet: silver Honda, KTR 4471.", Category.VEHICLE, "KTR 4471"),
        ("Motorcycle (KTR 4471) impounded.", Category.VEHICLE, "KTR 4471"),
        ("EMS found the truck, 4KTR471.", Category.VEHICLE, "4KTR471"),
        ("Grace answers at 4417.", Category.NAME, "Grace"),
        ("Films reviewed with Dell'Osso and team.", Category.NAME, "Dell'Osso"),
        ("Sant’Ambrogio is following.", Category.NAME, "Sant’Ambrogio"),
        ("Signed Osgood, RRT, 14:30 3/14.", Category.DATE, "3/14"),
        ("She still lives alone at ninety-two.", Category.AGE, "ninety-two"),
        ("He is well past ninety.", Category.AGE, "ninety"),
        ("Born 6/14/1918          F, 95\nAdmission", Category.AGE, "95"),
        ("MRI liver 10/12 negative.", Category.DATE, "10/12"),
        ("Tender Years Pediatrics\nWELL CHILD VISIT", Category.FACILITY, "Tender Years Pediatrics"),
        ("Northern Plains Pathology, P.C.\nFINAL", Category.FACILITY, "Northern Plains Pathology, P.C."),
        ("INFUSION NURSING NOTE      Sacred Heart\nCycle 3", Category.FACILITY, "Sacred Heart"),
        ("Care by Hospice of the Foothills.", Category.FACILITY, "Hospice of the Foothills"),
        ("Plan for d/c to Park Place SNF.", Category.FACILITY, "Park Place SNF"),
        ("Founders Dental Center - ORAL DIAGNOSIS", Category.FACILITY, "Founders Dental Center"),
        ("Drives for Eagle Bus Lines.", Category.FACILITY, "Eagle Bus Lines"),
        ("DME: Breathe Easy Supply, rep April", Category.FACILITY, "Breathe Easy Supply"),
    ],
)
def test_other_kinds_go_where_they_are_expected(text: str, category: Category, phi: str) -> None:
    assert found(text, category) == [phi]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("The assay of KTR 4471 was negative.", Category.VEHICLE),
        ("Clinic answers at 4417.", Category.NAME),
        ("Pain at 14:30 3/10.", Category.DATE),
        ("Saturation over ninety percent.", Category.AGE),
        ("Diagnostic Radiology\nCT CHEST", Category.FACILITY),
        ("PROGRESS NOTE      Final Report\nStable.", Category.FACILITY),
        ("CT 3/4 of the lesions resolved.", Category.DATE),
    ],
)
def test_what_looks_like_them_stays(text: str, category: Category) -> None:
    assert found(text, category) == []
