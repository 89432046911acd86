"""Names of people as hospital notes write them: what must go, and what looks like it and must stay."""

from __future__ import annotations

import pytest

from curbside.phi import Category
from curbside_deidentification.domain.gate import before_eponym, document_lexicon, trim_to_name
from curbside_deidentification.domain.lexicon import load_lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME, phrases, words
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import resolve
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.recognisers.writing.evidence import NameReader
from curbside_deidentification.recognisers.writing.surroundings import before, behind

LEXICON = load_policy().lexicon


def names(text: str) -> list[str]:
    """What the rules take for a name in `text`, as a document of its own."""
    found = resolve(find_by_rule(text, document_lexicon(text, LEXICON)), text)
    return [text[span.start : span.end] for span in found if span.category is Category.NAME]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        # Initials with a surname that is a word.
        ("J.W. Stone, MD, pager 1234", "J.W. Stone"),
        ("HPI: A.B. Marsh is a sixty-year-old woman.", "A.B. Marsh"),
        ("I have read this. / witness P. Frost, RN", "P. Frost"),
        ("OK per T. Winter. Next visit in May.", "T. Winter"),
        # The surname first, in headers and behind labels.
        ("NAME: FROST, HOPE T", "FROST, HOPE T"),
        ("Primary Care Physician: Stone, Ivy M.D.", "Stone, Ivy"),
        ("Requesting physician: Marsh, Dale, DO", "Marsh, Dale"),
        ("Progress note\nFrost, Ivy  #18-86-87", "Frost, Ivy"),
        ("Resident: MARSH,DALE", "MARSH,DALE"),
        # Given names that are words, where a name must stand.
        ("Her wife Hope at bedside.", "Hope"),
        ("Hope resting in bed. BP 120/80.", "Hope"),
        ("Caller: Ivy Stone (niece of the patient)", "Ivy Stone"),
        ("Call placed to Chukwudi Stone at home.", "Chukwudi Stone"),
        ("Spoke with Hope, who agrees.", "Hope"),
        ("Dispo: admit to Marsh K. Stable.", "Marsh K."),
        ("Transport Dale B.\n", "Dale B."),
        ('Instructions for Ivy "Skip" Stone', 'Ivy "Skip" Stone'),
        ("Your home nurse is Hope from the agency.", "Hope"),
        ("SOCIAL: GRANDSON ZBYSZKO OYEDIRAN IS THE PROXY.", "ZBYSZKO OYEDIRAN"),
        ("HPI: HOPE STONE IS A 37-YEAR-OLD WOMAN.", "HOPE STONE"),
        # Lists, services, and what somebody did.
        ("Team: Kowalczyk; Okonkwo", "Okonkwo"),
        ("Thank you, Drs. Stone/Marsh.", "Marsh"),
        ("GI (Frost) following.", "Frost"),
        ("INTUBATED BY FEATHERINGILL, GRADE I VIEW.", "FEATHERINGILL"),
        ("Consults: Renal - Abernathy", "Abernathy"),
        # Ways of writing.
        ("Ji-hoon Stone returns today.", "Ji-hoon Stone"),
        ("Pt hope stone c/o pain.", "hope stone"),
        ("pt maria okonkwo here.", "maria okonkwo"),
        ("pt is osgood, ruth a. here for f/u", "osgood, ruth a."),
        ("pt is okonkwo, ruth a. here. told okonkwo to return", "okonkwo"),
        ("pt name: stone, ruth", "stone, ruth"),
        ("Councilman Quorl Osgood visited. Spoke with Mrs. Osgood.", "Quorl Osgood"),
        ("Councilman Reg Osgood visited. Spoke with Mrs. Osgood.", "Reg Osgood"),
        ("Seen by Dr. Osgood. Came w/ Quorl Osgood.", "Quorl Osgood"),
        ("Submitting physician: Hope Young, DO", "Hope Young"),
        ("<given>Ruth</given><family>Osgood</family>", "Osgood"),
        ('"family": "Osgood", "given": ["Ruth"]', "Ruth"),
        ("User: rvanterpool2", "rvanterpool2"),
        ("Last edited by: OSGOODR", "OSGOODR"),
        ("Name: OSGOOD RUTH F/58", "OSGOOD RUTH"),
        ("RN: rvanterpool2", "rvanterpool2"),
        ("Charted by: rvanterpool", "rvanterpool"),
        ("Charted by rvanterpool", "rvanterpool"),
        ("Given per rvanterpool2 at 9", "rvanterpool2"),
        ("Turned. -rvanterpool2", "rvanterpool2"),
        ("snap: ruthosgood7", "ruthosgood7"),
        ("Slept well.\n-- r.vanterpool, MA", "r.vanterpool"),
        ("Insta: @ruth.osgood", "@ruth.osgood"),
        ("Twitter handle @drosgood", "@drosgood"),
        ("paid by Venmo (@ruth-osgood-9)", "@ruth-osgood-9"),
        ("photos are on @ruth_osgood", "@ruth_osgood"),
    ],
)
def test_a_name_goes(text: str, name: str) -> None:
    assert name in names(text)


@pytest.mark.parametrize(
    ("text", "initials"),
    [
        ("D: 1/2/24  T: 1/2/24  Job #44538/812 fyv", "fyv"),
        ("Dictated by R. Osgood, MD. Transcribed kdo.", "kdo"),
        ("DD: 01/02/2024 DT: 01/02/2024 RFB/GLF Doc# 1234", "RFB/GLF"),
        ("End of dictation. PZN:glo D: 5/9/21 22:09", "PZN:glo"),
        ("Called to Dr. Osgood 1/9/15 by LUB", "LUB"),
        ("-- Ruth Osgood LPN (REO)", "REO"),
        ("TR : qk / rf92 / 4234", "qk / rf92"),
        ("Seen by R. Osgood [ROZ1.2]", "ROZ"),
        ("2230 JDM: pt asleep", "JDM"),
        ("Tech initials JDZ; done", "JDZ"),
        ("61F (GJW) with chest pain", "GJW"),
        ("ALF / WRK / 827082", "ALF / WRK / 827082"),
        # Beside a time, a degree, other initials, or who is told of.
        ("0630 JQM IV site clean", "JQM"),
        ("Sponges correct x2 JQM/RZK", "RZK"),
        ("BG 212, 4u given [JQM]", "JQM"),
        ("Subject JQM tolerated the infusion.", "JQM"),
        ("Foley care done ~JQM", "JQM"),
        ("JZ reports sleeping better.", "JZ"),
        ("Kids: J.Q. (7) and others", "J.Q."),
        ("Shipped 6/21/2019, jqm", "jqm"),
        # Of a name in the document, and found once.
        ("Seen by Dr. Ruth Vanterpool. Ordered CBC, BMP and EKG. Plan of RQV above", "RQV"),
        ("Signatures: CRP = Clara Papadopoulos", "CRP"),
        ("0630 JQM turned\n0800 jqm bath", "jqm"),
    ],
)
def test_initials_go(text: str, initials: str) -> None:
    assert initials in names(text)


@pytest.mark.parametrize(
    "text",
    [
        "Mean arterial pressure (MAP) 65. CBC, BMP at 0600. NPO p MN, d/c IVF.",
        "Closed with 2-0 PDS. MRI w/o contrast, s/p TKA, c/o SOB, N/V.",
        "0600 CBC\n0630 BMP\n0700 NPO",
        "A/P: COPD/CHF. Sensory intact PP/LT. PT/OT, MD/RN aware.",
    ],
)
def test_medical_abbreviations_are_no_initials(text: str) -> None:
    assert not names(text)


@pytest.mark.parametrize(
    "text",
    [
        "pt has pain, mark on skin, grace period. hx of burns, frost bite.",
        "Hand grip strong. White count stable. Brown sputum.",
        "Foley draining. Rose bengal stain negative. Bishop score 8.",
        "Patient: Well appearing. Mother: Healthy.",
        "CC: Cough. CC: Back pain.",
        "Trop I 0.03, CK 100. Trop T <0.01. Trop I neg. Hstrop I 0.03",
        "AZT was stopped; TED stockings; MPS IVA.",
        "Urine samples for Na and Ca were checked.",
        "Doppler examination showed flow. Glenn shunt patent.",
        "per EMS, per protocol, by CT, by PCR",
        "K 4.1 MEQ/l, glucose 110 MG/dl",
        "SSN: xxx-xx-",
        "HIV/AIDS, CT/MRI, BID/TID",
        "I've been well and don't smoke.",
        "DRUG ALLERGIES: NONE. ADMITTED TO TELEMETRY.",
        "RN: aware. NP: covid19 negative. PA: e.coli. --c.diff, MA: hba1c",
        "Collected by: midstream. Reviewed by: pharmacy. Pain @rest.Pt @bedside @1400.",
    ],
)
def test_what_is_no_name_stays(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("PID|1||7^^^MR||FROST^HOPE^T||19760819|F", ["FROST", "HOPE", "T"]),
        ("PV1|1|I|7 West||||1598707630^STONE^DALE^Y", ["STONE", "DALE", "Y"]),
        ("PV1|1|I|7 West||||12^STONE^DALE^Y~13^MARSH^IVY", ["STONE", "DALE", "Y", "MARSH", "IVY"]),
        ("NK1|1|VAN DER BERG&VAN&BERG^JOHN PAUL|SPO", ["VAN DER BERG", "JOHN PAUL"]),
        ("OBR|1|7|8|58410-2^CBC|||20150109", []),
    ],
)
def test_fields_of_hl7_that_hold_people(line: str, found: list[str]) -> None:
    assert names(f"MSH|^~\\&|LAB\n{line}") == found


def test_a_last_field_without_its_line_break_ends_at_the_name() -> None:
    assert names("ORC|RE|||||||||12^STONE^DALE^Y temperature 101.2") == ["STONE", "DALE", "Y"]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("Hope Banks was seen. Later Hope slept. We told Banks of it.", 4),
        ("PATIENT: STONE, HOPE\nStone's wife called; Hope agrees.", 3),
        ("Seen by R. Vanterpool, MD. Copied rvanterpool on it.", 3),
        # At the beginning of a sentence a word is a word.
        ("Dr. Hand agrees. Hand was cold. Banks of lights.", 1),
    ],
)
def test_a_name_found_once_is_found_again(text: str, times: int) -> None:
    assert sum(len(name.split()) if "," not in name else 1 for name in names(text)) == times


def test_a_name_in_small_letters_is_no_word_of_its_document() -> None:
    lexicon = document_lexicon("pt okonkwo slept. the zorgle helped.", LEXICON)
    assert not lexicon.is_word("Okonkwo")
    assert lexicon.is_word("Zorgle")


def test_labels_end_a_name() -> None:
    text = "Per Ruth Osgood DOB"
    assert trim_to_name(text, 0, len(text), LEXICON) == (4, 15)
    assert before_eponym("Glenn shunt", 5)
    assert not before_eponym("Glenn agrees", 5)


@pytest.mark.parametrize(
    ("text", "parts", "plain"),
    [
        ("Rose Banks", ("Rose", "Banks"), True),
        ("Ruth Osgood CHEST", ("Ruth", "Osgood"), False),
        ("Stone, Ivy M.D.", ("Stone", "Ivy"), True),
        ("RUTH OSGOOD WAS SEEN", ("RUTH", "OSGOOD"), False),
        ("José Okonkwo", ("José", "Okonkwo"), False),
    ],
)
def test_candidates_are_read_to_their_end(text: str, parts: tuple[str, ...], plain: bool) -> None:
    candidate = NameReader(text, LEXICON).read(0)
    assert candidate is not None
    assert (candidate.parts, candidate.plain) == (parts, plain)


@pytest.mark.parametrize(
    ("text", "weight"), [("Surgeon: ", 3), ("her wife, ", 2), ("the ", -2), ("pain. ", 0)]
)
def test_what_stands_before_weighs(text: str, weight: float) -> None:
    assert before(text + "Rose", len(text)) == weight


@pytest.mark.parametrize(
    ("text", "weight"), [(" is a 60-year-old", 3), (", MD", 2.5), (" denies pain", 2), (" was", 1), ("!", 0)]
)
def test_what_stands_behind_weighs(text: str, weight: float) -> None:
    assert behind("Rose" + text, 4) == weight


def test_word_lists_are_in_small_letters_and_part() -> None:
    lexicon = load_lexicon()
    assert {"rose", "hope"} <= lexicon.forenames
    assert {"banks", "stone"} <= lexicon.surnames
    assert not (lexicon.forenames | lexicon.surnames) & {"the", "and", "patient"}
    for name in ("labels", "strong", "weak", "slight"):
        assert all(phrase == phrase.casefold() and phrase for phrase in phrases(name)), name
    assert "wife" in words("kin")
    assert {"mrn", "dob", "the"} <= NEVER_NAME


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A girl of six (call her Bee).", "Bee"),
        ("whose friends all call him Moss", "Moss"),
        ("He said: call me Duke, please.", "Duke"),
        ("Goes by Moss. A cough.", "Moss"),
        ("They call her “Pepper” at home.", "Pepper"),
    ],
)
def test_what_somebody_is_called_is_a_name_also_where_it_is_a_word(text: str, name: str) -> None:
    assert names(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "Call her PCP.",
        "Call him Tomorrow.",
        "Please call them Monday.",
        "I called her Cardiologist.",
        "CALL HER ASAP.",
    ],
)
def test_when_and_by_what_trade_somebody_is_called_is_no_name(text: str) -> None:
    assert names(text) == []


def test_the_sign_of_a_signature_is_no_initial() -> None:
    text = "Reviewed.\n/s/ Ignatius Loy"
    assert trim_to_name(text, text.index("s/"), len(text), LEXICON) == (text.index("Ign"), len(text))
