"""Addresses, towns, counties and facilities in the forms of notes, letterheads and messages."""

import pytest

from curbside.phi import Category
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.recognisers.completing import find_by_rule

POLICY = load_policy()
# What stands between braces is a place; nothing else is.
ADDRESSES = r"""
Home: {412 Chestnut St. Apt 4B}
She resides at {17 N. Main St., Ashford}, OH.
Address: {2204 W 300 N, Unit 12, Vernal, UT 84078}
Address: {9 S.W. 3rd Ave Space 44 Bend, OR 97701} Phone:
Mail to {P.O. Box 1180, Ludlow, VT 05149}.
{PO BOX 77} was his last address.
{Post Office Box 9, Suite 2, Elgin, IL 60120}
{RR 4 Box 315}, she says
{R.R. 2, Box 18A, Moscow, ID 83843}
{Rural Route 1 Box 44, Lyons, KS 67554}
{HC 68 Box 23A, Alpine, TX 79830}
EMS found him at {1207 County Road 12, Harmon}.
{4521 Highway 30, Eagle, ID 83616}
He lives at {88 Old Post Rd, Trlr 9 Waterloo, IA 50701}.
{1420 Broadway, Mayfield, KY 42066}
{14 Rue Dauphine Pl. #204, Mobile, AL 36602}
{77 Dr. Martin Luther King Jr. Blvd, Troy, MI 48083}
{12 County Line Way, Fl 3, Fond du Lac, WI 54935}
{3130 O'Neill Sq P.H. 2 King of Prussia, PA 19406}
{500 E. Roosevelt Ct, Bldg C, Truth or Consequences, NM 87901}
SHE RESIDES AT {16 LINCOLN CT, SUITE 300, ASHLAND, OR 97520}.
{28 Fairview Terrace\nSt. Louis, MO 63101-2214}
{28 Fairview Terrace\nApt. 6\nCoeur d'Alene, ID 83814}
PID|1||77^^^MR||DOE^J||19600101|M|||{5609 CHESTNUT CT^SUITE 300^MARIETTA^GA^30060}||555
PID|1||77^^^MR||DOE^J||19600101|M|||{RR 4 BOX 912^^SALINA^KS^67401}^USA^H||555
{12 Oak St, Ludlow}, VT
She fell on {Elm Street}.
Her flat, {PO1 3AX}, is cold; he is at {SW1A 1AA}.
The tracker shows {40.7128, -74.0060}. GPS {51.50, -0.12}.
Found at {40.7128° N, 74.0060° W} by a ranger.
"line": ["{12 Oak}"], "city": "{Mobile}", "state": "AL", "postalCode": "{36602}"
<city>{Blue Bell}</city><state>MA</state>
NK1|1|ROE^A|SPO|{12 NOWHERE^^TRACY^CA^95376}|555
"""
TOWNS = r"""
He lives with his son in {Mobile, AL}. Former smoker.
Seen at home in {Normal, IL}.
Grew up in {Reading, PA}.
Moved to {Independence, Missouri} in 2015.
TRANSFERRED FROM A CLINIC IN {SURPRISE, AZ}.
City: {Mobile} State: AL
City: {Orange}   Phone:
Birthplace: {Normal}
<td>City</td><td>{Mobile}</td>
He drove in from {Eau Claire} with his wife.
They live near {Mobile}, she says.
County: {Cook County}   Home Phone:
County: {Clay} Home Phone:
COUNTY: {ST. LOUIS COUNTY}
Moved here from {Prince George's County}.
She was born in {Troy, MI}, and stayed. Her parents left {Troy} later.
"""
FACILITIES = r"""
Works at the {Tollivar} cafeteria.
She works for {Brantworth}.
Laid off from the {Kestrelby} mill.
The {Hollin} warehouse called.
He works at {Harbor Light Cleaners}.
Stays at the {Gospel Mission}.
{Union Gospel Mission} gave him a bed.
Attends {P.S. 114} and likes it. She goes to {PS 22}.
Transferred from {WQMC}. Sent to {KQCC}.
OSH {WRMC} films reviewed.
Transcribed by {Quill Ridge Transcription}.
{Quill Medical Typing} for the clinic
Transferred from {Quarry Hill Clinic}.
Transferred from {Cedar Hollow Nursing Home} today.
{PINE RIDGE MEDICAL CENTER} PATIENT REGISTRATION
{SUNRISE ASSISTED LIVING} Name:
{SUMMIT CARDIOLOGY} Name:
{Hartwell Orthopedics} - DEPARTMENT OF RADIOLOGY
EMERGENCY DEPARTMENT NOTE   {VA Medical Center Duluth} Pt:
Advised to go to {Children's Hospital of Ashby}. She agreed.
{CHILDREN'S HOSPITAL OF ASHBY} PATIENT REGISTRATION
Pharmacy: {Old Mill Dialysis Center}, call first
Pharmacy: {Delta Drugs}   Phone:
Preferred pharmacy: {Corner Apothecary}
Employer: {Delta Steel}, foreman
You were in {Maple Grove Rehabilitation and Nursing} from May.
HE WAS SEEN AT {GOLDEN YEARS CARE CENTER} LAST WEEK.
Slides were reviewed at {Walker & Boone OB/GYN} on Monday.
cc: {Our Lady of Lourdes Hospital}
Progress note - {Pine Ridge} - Room 12
Your nurse is coming from {Quarry Hill}.
She came from {The Willows}.
TRANSFERRED FROM {QUARRY HILL}. STABLE.
He was transferred from {Mercy} last night.
{Advanced Imaging of Dayton}
Films from {Mercy Hospital in Reading} were seen.
MSH|^~\&|LAB|{KESSEL EYE CLINIC}|EHR||2015||ORU^R01
MSH|^~\&|LAB|{K1}|EHR|{NORTH}|2015||ORU^R01
PV1|1|I|4W^12^1^{GENERAL}|R
Seen at {Westover Surgical Associates} in May. {Westover Surgical} will call; ask for {Westover}.
{Northgate Regional Hospital} (NRH) took him; at {NRH} he slept.
"""
NONE = r"""
Works for the county, at home, for UPS. Plant closed.
PS 10, PEEP 5. On PS 12.
HLA Typing was done by Tissue Typing. Reverse Transcription PCR.
Stays at the Homeless Shelter.
From ICU to MICU. Mets from RCC. Due to HCC.
Follow up in the Outpatient Cardiology Clinic.
FOLLOW UP IN PAIN MANAGEMENT CLINIC.
BRIEF HOSPITAL COURSE: The patient did well.
PREDISCHARGE LABORATORY FINDINGS: white count 9.
LABORATORY: White blood cell count 9. CBC normal.
He was in the Intensive Care Unit, then Physical Therapy.
64 Slice CT of the chest. 12 Lead ECG.
BP 165/95 HR 80 RR 12 Temp 98.4
25 MG PO BID PER DR.
2 Weeks Park bench test.
Discharged to Home with Home Health.
SOCIAL: Employer: Retired. City: Unknown
Seen by the Pain Clinic at discharge. Hospital Day 3.
IN NORMAL CONDITION. The valve is a St. Jude valve.
Eastern Cooperative Oncology Group performance status 1.
PID|1||||^^^|
Tender at the L4 5TH rib; B12 1MG daily; S1 2ND degree.
Coefficients 0.0012, 0.0034 and 1.2345, 2.3456; 12.34, 56.78.
"""


def cases(block: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in block.strip().splitlines()]


def marked(text: str) -> str:
    """`text` with braces around what the rules hold for a place, neighbours joined."""
    places = [
        span
        for span in find_by_rule(text, document_lexicon(text, POLICY.lexicon))
        if span.category in (Category.LOCATION, Category.FACILITY)
    ]
    found = {at for span in places for at in range(span.start, span.end)}
    return "".join("x" if at in found else character for at, character in enumerate(text))


@pytest.mark.parametrize("case", cases(ADDRESSES) + cases(TOWNS) + cases(FACILITIES))
def test_a_place_is_found_whole(case: str) -> None:
    text = case.replace("{", "").replace("}", "")
    left = marked(text)
    reached = 0
    for piece in case.split("{")[1:]:
        value = piece.partition("}")[0]
        start = text.index(value, reached)
        reached = start + len(value)
        kept = {character for character in left[start:reached] if character.isalnum()}
        assert kept <= {"x"}, left


@pytest.mark.parametrize("case", cases(FACILITIES) + cases(TOWNS) + cases(ADDRESSES))
def test_what_is_beside_a_place_stays(case: str) -> None:
    outside = [piece.rpartition("}")[2] for piece in case.split("{")]
    left = marked(case.replace("{", "").replace("}", ""))
    for piece in outside:
        words = piece.split()
        assert all(word in left for word in words if word.isalpha() and word not in ("OH", "VT", "in")), left


@pytest.mark.parametrize("text", cases(NONE))
def test_what_is_no_place_stays(text: str) -> None:
    assert marked(text) == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Struck at the corner of Elm and 3rd.", "Elm and 3rd"),
        ("MVC at I-40 and Tower Rd.", "I-40 and Tower Rd."),
        ("Lives off County Road 12.", "County Road 12"),
        ("Treated with I-131 and on I-131 since.", None),
        ("Rx to CVS on Orchard.", "Orchard"),
        ("Meds from the Mobile Walgreens.", "Mobile"),
        ("lives in the Riverside neighborhood", "Riverside"),
        ("She lives in 67401 and has no car.", "67401"),
    ],
)
def test_places_of_roads_and_shops_are_found(text: str, place: str | None) -> None:
    spans = find_by_rule(text, document_lexicon(text, POLICY.lexicon))
    places = [text[span.start : span.end] for span in spans if span.category is Category.LOCATION]
    assert place in places if place else places == []
