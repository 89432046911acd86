"""Initials of staff in the chart of a certain patient, where in other texts these letters mean something."""

from __future__ import annotations

import re

import pytest

from curbside.phi import Category
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import resolve
from curbside_deidentification.recognisers.completing import find_by_rule

LEXICON = load_policy().lexicon
CHART = "Pt: Loretta Vance   MRN 4478213   DOB 03/14/1951\nAdmitted on 11/02/2023.\n{}\nContinue.\n"
# What stands between braces are somebody's initials; nothing else is.
STAFF = """
Foley placed by {BN} without difficulty.
Dressing changed by {AS} using sterile technique.
IV 20g L AC placed by {EC}, good return.
Duoneb given per {ME} with improvement.
Report received from {CN} RN at 0715.
Bedside report with {SN}.
Wasted 2 mg with {TD}.
Time out performed with {IB}, {CN} and {CK}.
Taking over for {PW}.
Pt assigned to {SE}.
Message to {GT} for review.
SW {MO} to follow.
Case manager {BE} aware.
Resident {AS} at bedside.
RPh {MH} verified.
Crew {JL}, {HH}
Cytotechnologist: {BHS} / QC rescreen {XNW}
Pharmacist: {RAH}.
Left tilt. {MH} RN
Tolerating diet. {JP} LPN
Safety checks done. {KT}, RN
No LOF, no VB. {KS} RN
Referral faxed {TH} 11/14
Late entry {SN} 1430
Addendum {TC}: CT negative.
0930 {JV} pt ambulated twice.
{JD} 0930 pt ambulated twice.
{MH} - pt ambulated twice.
See {DE} note from yesterday.
Per {RR}, hold metoprolol.
Lab ({AT}) called with a potassium of 2.9.
Restraints checked 0930 {LC}, 1000 {EA}, 1030 {ES}.
Glucose 212 {MJ} 0730, 148 {CE} 1130.
7a-7p {TZ}   7p-7a {RL}
Count verified: on {GK} off {RE}
Count correct {DC}/{MJ}
Agree with above and noted {TB}
{EB} ordered CT.
{EK}, please call the family.
{AH} at bedside.
Await {FD} review.
Sibling {LS} (4) is well.
Attendees: {MN} / {SK} / {AH}
Team B: {MN}, {SK}
Seen by two readers ({BH}, {JV}).
First attempt {JS}, second {DJ}
Handoff to PACU {AN} RN
Entered late _{DK}_
Recorded. {KO} at 0930
pt aware, {jv}
faxed {ws} 11/14
"""
# Of a test, a service, a unit or a day, and of nobody.
NOBODY = """
Line placed by IR without difficulty.
Confirmed by CT with contrast.
Seen by GI for a bleed.
Report to ED at 0715.
Discussed with OB.
RN at bedside.
PT to follow.
ICU RN notified.
Transferred to TCU for rehab.
NC/AT. Heart regular.
No SI/HI.
0930 HR 88, 1000 HR 92.
EF 55% on 11/14.
Sisters (HTN), no DM.
Met criteria for SLE.
Await GI recs.
Echo 11/14 shows an EF of 55%.
PT IN ROOM WITH FAMILY.
REVIEWED TODAY. SEEN TODAY AT 0700.
REPORT GIVEN TO MY SISTER.
pt aware, thx
"""


def initials(text: str) -> list[str]:
    spans = resolve(find_by_rule(text, document_lexicon(text, LEXICON)), text)
    written = [text[span.start : span.end] for span in spans if span.category is Category.NAME]
    return [one for one in written if one not in ("Loretta Vance", "Vance")]


@pytest.mark.parametrize("line", STAFF.strip().splitlines())
def test_initials_of_staff_are_found_in_the_chart_of_somebody(line: str) -> None:
    found = initials(CHART.format(re.sub(r"[{}]", "", line)))
    assert re.findall(r"[A-Za-z]+", " ".join(found)) == re.findall(r"\{(\w+)\}", line)


@pytest.mark.parametrize("line", NOBODY.strip().splitlines())
def test_services_tests_and_words_stay_in_a_chart(line: str) -> None:
    assert initials(CHART.format(line)) == []


def test_where_nobody_is_named_the_same_letters_are_an_abbreviation() -> None:
    assert initials("Foley placed by ME without difficulty. Discussed with DE in detail.") == []
