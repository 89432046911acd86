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
        ("Questions, or page Dr. Osei at 1915.", "1915"),
        ("Results to Dr. Lee Osei at 5521, or to the ward.", "5521"),
        ("Vascular paged (1640), at the bedside at once.", "1640"),
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
        "Call Dr. Osei at 0800. Paged Dr. Osei at 1430.",
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
        ("Contrast injected by XR at 03:32.", ["XR"]),
        ("CONTRAST INJECTED BY CV AT 03:32.", ["CV"]),
        ("Left arm, attempt by CP blew, second by MS ok.", ["CP", "MS"]),
        ("Sonographer PT   Nurse ED   Reader EW\n", ["PT", "ED", "EW"]),
        ("Dictated 3/1/2019\nTranscribed 06-MAR-2019 CPC", ["CPC"]),
        ("JOB AB123456  PFT", ["PFT"]),
        ("We shall see her in May.\n\nZD/am\n", ["ZD/am"]),
        ("IDT: PFT MD, MNB RN, JLP RD, RGF MSW", ["PFT", "MNB", "JLP", "RGF"]),
        ("Signed: parent BTL  nurse VKM  principal WY", ["BTL", "VKM", "WY"]),
        ("Slept well.\nGR -> BS 0508", ["GR", "BS"]),
        ("She returns in May.\nBT/AC   97110 x2", ["BT", "AC"]),
        ("RVL:ESL   #AB849016", ["RVL", "ESL"]),
        ("Double check: BC / WW Cook", ["BC", "WW"]),
        ("Program checked by GS and AC. Home.", ["GS", "AC"]),
        ("ARTERIAL LINE BY VB. PRECEDEX 0.8", ["VB"]),
        ("Weigh daily. Call CS for gain of 3 lb.", ["CS"]),
        ("Bronchoscopy only if BES agrees.", ["BES"]),
        ("Pharmacy (RUN) following.", ["RUN"]),
        ("Up twice. BA reapplied the chin strap.", ["BA"]),
        ("I was present throughout (all of it). CA 2/10/2015\nFellow", ["CA"]),
        ("Time in formalin 03:17. (CP)\nSections", ["CP"]),
        ("Reviewed: HDA RN, BSN", ["HDA"]),
        ("12:08 AM  Ate crackers, better, AH\n", ["AH"]),
        ("R radial art line, 1 stick, EC. Foley by", ["EC"]),
        ("Type and screen drawn 9/24 by KV. Echo", ["KV"]),
        ("I saw and examined the patient. BL Contact for family", ["BL"]),
        ("Signature KWT / EDS   06-28-2024", ["KWT", "EDS"]),
        ("Agree, add strengthening. JW 2/26\n", ["JW"]),
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
        "PT/OT   97110 x2",
        "Labs normal. CBC 2/10/2015\nBMP 2/11/2015",
        "Call PT for a walker. Only if PT agrees.",
        "Seen by PT RN, OT RN.",
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
        ("Dressing soaked. Small from Surgery paged twice.", Category.NAME, "Small"),
        ("Bahram in our office has the forms.", Category.NAME, "Bahram"),
        ("FH: mother had a stroke at 99. No epilepsy.", Category.AGE, "99"),
        ("OSEI, KIM T  |  104M  |  Room 3", Category.AGE, "104"),
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
        ("Spoke with the liaison for Encompass: will see.", Category.FACILITY, "Encompass"),
        ("BED OFFERED AT THE COTTAGES. HIS SON", Category.FACILITY, "COTTAGES"),
        ("Transport booked with MedCoach, pickup 10:11", Category.FACILITY, "MedCoach"),
        ("Images pushed to Pacific Crest by phone.", Category.FACILITY, "Pacific Crest"),
        ("Service connected.\nPine Crest declined, no bed.", Category.FACILITY, "Pine Crest"),
        (
            "Kim Osei, MD, FACP\nFamily Practice Associates\n\nRe:",
            Category.FACILITY,
            "Family Practice Associates",
        ),
        ("Referring dentist: J. Osei, DDS, Reading\n", Category.LOCATION, "Reading"),
        ("He got lost driving to Fresno, a road he knew.", Category.LOCATION, "Fresno"),
        ("Transferred out of CCU 1/3, stable.", Category.DATE, "1/3"),
        ("Sleep: HST 8/12, AHI 22.", Category.DATE, "8/12"),
        ("Rx: ibuprofen\nF/u Osei 1/7. Return", Category.DATE, "1/7"),
        ("Osei, Kim 95/M #44500 seen", Category.AGE, "95"),
        ("DOB: Oct 7, 1920 (97)   Received", Category.AGE, "97"),
        ("Outpatient Rehabilitation Services, Reading\n", Category.LOCATION, "Reading"),
        ("Follow up at the Concord office on Monday.", Category.LOCATION, "Concord"),
        ("Call your doctor: 4:59 AM, Superior, 1-216-555-0199.", Category.LOCATION, "Superior"),
        ("He decides tomorrow. Hillside Funeral Home is ready.", Category.FACILITY, "Hillside Funeral Home"),
    ],
)
def test_other_kinds_go_where_they_are_expected(text: str, category: Category, phi: str) -> None:
    assert found(text, category) == [phi]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("The assay of KTR 4471 was negative.", Category.VEHICLE),
        ("Clinic answers at 4417.", Category.NAME),
        ("Blood from Radiology reported. Results from Surgery called.", Category.NAME),
        ("Father had a pulse at 99. Mother had a fever at 101.", Category.AGE),
        ("Pain at 14:30 3/10.", Category.DATE),
        ("Saturation over ninety percent.", Category.AGE),
        ("Diagnostic Radiology\nCT CHEST", Category.FACILITY),
        ("PROGRESS NOTE      Final Report\nStable.", Category.FACILITY),
        ("CT 3/4 of the lesions resolved.", Category.DATE),
        (
            "Transport by EMS. Records sent to Cardiology. Patient declined. Bed available at Rehab.",
            Category.FACILITY,
        ),
        ("Images sent to Dr. at home. Family declined the bed.", Category.FACILITY),
        ("By Glasgow 8/12, EF by TTE 3/4 of normal", Category.DATE),
    ],
)
def test_what_looks_like_them_stays(text: str, category: Category) -> None:
    assert found(text, category) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("PCR by Percival D., EMT 4471", "4471"),
        ("Medic 22817 on scene.", "22817"),
        ("Deputy Osei badge 4471 took the report.", "4471"),
        ("Unit 4471 transported without incident.", "4471"),
    ],
)
def test_the_number_of_a_crew_an_officer_or_a_car_goes(text: str, number: str) -> None:
    assert number in found(text, Category.OTHER_ID)


@pytest.mark.parametrize("text", ["Transfused unit 2 overnight.", "EMT 2 mg", "Medication 4471 mg"])
def test_doses_and_units_of_blood_are_of_no_crew(text: str) -> None:
    assert found(text, Category.OTHER_ID) == []


@pytest.mark.parametrize(
    "text",
    [
        "Osgood Ear Nose & Throat, P.A.\n\nMarch 23\n",
        "Ear, Nose and Throat Specialists of the Uplands\n508 Juniper Circle\n",
        "Associates in Otolaryngology - Head & Neck Surgery\n",
        "Uplands Foot & Ankle\n",
        "Advanced Pain Solutions LLC\nVisit\n",
        "No calling. County General has declined, no beds.",
        "Vale Crest is at capacity.",
        "Works as a welder at Uplands Tire.",
        "MARRIED, AND WORKS AS A WELDER AT UPLANDS TIRE.",
    ],
)
def test_a_house_is_known_by_what_it_treats_declines_or_makes(text: str) -> None:
    assert found(text, Category.FACILITY)


@pytest.mark.parametrize(
    "text",
    [
        "Review of Systems\nHead & Neck\nNormal.\n",
        "Department of Foot & Ankle\n",
        "EOMs are full. Pupils react.",
        "The patient declined.",
        "She works at night.",
    ],
)
def test_headings_and_what_is_full_are_no_house(text: str) -> None:
    assert found(text, Category.FACILITY) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("treated by dr black with macrobid", "black"),
        ("per dr. price, stop it", "price"),
        ("Duoneb once by Will with improvement", "Will"),
        ("DUONEB X1 BY WILL WITH IMPROVEMENT", "WILL"),
        ("Heels floated. Xiulan sitting 1:1.", "Xiulan"),
        ("Recorded line. HR 01/30/2023 1103", "HR"),
        ("Dictated but not read\nGED  DD 11/04/2023  DT 11/05/2023", "GED"),
    ],
)
def test_a_name_that_is_a_word_is_known_by_who_does_something(text: str, name: str) -> None:
    assert name in found(text, Category.NAME)


@pytest.mark.parametrize("text", ["the dr will see her", "dr notified", "CT neg. CT 01/30/2023 1103"])
def test_a_doctor_without_a_name_stays(text: str) -> None:
    assert found(text, Category.NAME) == []
