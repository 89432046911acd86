"""Names without a label: what people do, own and sign, in logs, chats, tables and running text."""

from __future__ import annotations

import pytest

from curbside.phi import Category
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import resolve
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.recognisers.writing.deeds import is_deed
from curbside_deidentification.recognisers.writing.surroundings import is_possessor

LEXICON = load_policy().lexicon


def found(text: str, category: Category = Category.NAME) -> list[str]:
    spans = resolve(find_by_rule(text, document_lexicon(text, LEXICON)), text)
    return [text[span.start : span.end] for span in spans if span.category is category]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        # The subject of what only people do, although the name is a word.
        ("Stone cleared her for surgery.", "Stone"),
        ("Seen by Reginald Whitaker. Then Reggie left.", "Reggie"),
        ("Home with family (the Pruitts).", "Pruitts"),
        ("Hope picked up the pills.", "Hope"),
        ("Marsh would resect; Frost disagrees.", "Marsh"),
        ("Marsh would resect; Frost disagrees.", "Frost"),
        ("MARSH AGREES WITH THE PLAN.", "MARSH"),
        # A capital inside a sentence.
        ("Removed yesterday by Stone at noon.", "Stone"),
        ("Wants rehab (Frost, Marsh) next week.", "Frost, Marsh"),
        ("Seen w/ Stone. Stable.", "Stone"),
        # A frequent name that is no word needs little.
        ("Code status changed, Whitaker came.", "Whitaker"),
        ("Old scripts from O'Rourke are on file.", "O'Rourke"),
        # Given name and surname that are words.
        ("Installed by a friend (Hope Stone, handyman).", "Hope Stone"),
        # What people have.
        ("Marsh's patient in 14 pulled the tube.", "Marsh"),
        # Short forms of logs, boards and billing.
        ("circ Ivy scrub Dale", "Dale"),
        ("Chap. Frost visited.", "Frost"),
        ("Monitor Hope Stone on site.", "Hope Stone"),
        ("kin=Hope Stone;kin_tel=1", "Hope Stone"),
        ("Frost - 68M pneumonia, HD3", "Frost"),
        # Pairs, cells, speakers.
        ("Seen. Lindqvist/Marsh", "Lindqvist"),
        ("13:35|Frost, Hope|new|ref", "Frost, Hope"),
        ("09:00\tMarsh, Dale\tlasix", "Marsh, Dale"),
        ("[08:11] Stone: saw and agree.", "Stone"),
        ("Hope Van der Berg 2:56 PM: on my way", "Hope Van der Berg"),
        ("Take care! Marguerite, for the clinic", "Marguerite"),
        ("---- Ivy wrote:\nhello", "Ivy"),
        # Newborns, particles, spelling.
        ("BB Marsh remains on CPAP.", "BB Marsh"),
        ("Baby Girl Stone to nursery.", "Baby Girl Stone"),
        ("Hung by Van der Berg.", "Van der Berg"),
        ("Last name spelled O-S-G-O-O-D.", "O-S-G-O-O-D"),
    ],
)
def test_a_name_goes(text: str, name: str) -> None:
    assert name in found(text)


@pytest.mark.parametrize(
    ("text", "initials"),
    [
        ("Machine checked DSO/QFZ", ["DSO", "QFZ"]),
        ("0830 BP 142/80, cramping, saline given ZJY", ["ZJY"]),
        ("Report given at bedside. RQZ", ["RQZ"]),
        ("Overnight events (G.T.): quiet.", ["G.T."]),
        ("Gram stain phoned @ 09:34 (QBV).", ["QBV"]),
        ("counted GLQ. Later GLQ left.", ["GLQ", "GLQ"]),
    ],
)
def test_initials_of_logs_go(text: str, initials: list[str]) -> None:
    assert found(text) == initials


@pytest.mark.parametrize(
    "text",
    [
        "Using the Carter-Thomason device the fascia was closed.",
        "A Mumford procedure and McIvor mouth gag.",
        "Ludwig's angina last year. Morrison's pouch is dry.",
        "Sprague-Dawley rats were used. Southern blot.",
        "Vanc held. Zosyn given. Lasix started.",
        "Will return on Monday. May need rehab.",
        "Treated with CBZ; seizures induced by PTZ.",
        "The Cambodian woman speaks English. Neonates showed signs.",
        "Babinski signs bilaterally. Grasped with Allis.",
        "Day 14 of treatment. From Day 11 on.",
        "Brown/black stools, AST/ALT normal.",
        "Von Willebrand disease. De la Tourette syndrome.",
    ],
)
def test_what_is_no_name_stays(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "category", "value"),
    [
        ("Next visit 5/5. Bring pills.", Category.DATE, "5/5"),
        ("Guardianship hearing 1/9 in court", Category.DATE, "1/9"),
        ("CARE CONFERENCE 8/5\nseen", Category.DATE, "8/5"),
        ("called @ lab 9/10 @1120, read back", Category.DATE, "9/10"),
        ("Compared with the 1/7 study.", Category.DATE, "1/7"),
        ("adm 11-3; stable", Category.DATE, "11-3"),
        ("Flu shot 10/1.", Category.DATE, "10/1"),
        ("95M from Aspen Court.", Category.LOCATION, "Aspen Court"),
        ("mother died by suicide at 93.", Category.AGE, "93"),
        ("Interpreter #885352 present", Category.OTHER_ID, "885352"),
        ("INC 217757 dispatched", Category.OTHER_ID, "217757"),
        ("Wants rehab. Lindqvist 73976\n", Category.PHONE, "73976"),
        ("goes to Bywater Elementary now", Category.FACILITY, "Bywater Elementary"),
    ],
)
def test_other_kinds_beside_them_go(text: str, category: Category, value: str) -> None:
    assert value in found(text, category)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("strength 5/5. Gave 1/2 tab. Admitted 2-3 times.", Category.DATE),
        ("OMIM # 253000; 58410-2^CBC", Category.OTHER_ID),
        ("Suite 4000\n", Category.PHONE),
        ("Junior High School", Category.FACILITY),
    ],
)
def test_what_looks_like_them_stays(text: str, category: Category) -> None:
    assert found(text, category) == []


@pytest.mark.parametrize(
    ("behind", "deed"),
    [
        (" cleared him", True),
        (" will call", True),
        (" then moved in with", True),
        (" held the drain", True),
        (" held for surgery", False),
        (" improved", False),
        (" swollen", False),
    ],
)
def test_deeds_are_of_people(behind: str, deed: bool) -> None:
    assert is_deed(f"Rose{behind}", 4) is deed


def test_what_people_have() -> None:
    assert is_possessor("Rose's note", 4)
    assert not is_possessor("Rose's angina", 4)
