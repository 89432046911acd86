"""Known names in small letters, and known things as scanners, line breaks and typists leave them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from curbside_deidentification.domain.known import Known, search_known
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.small import Usual, usual
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import resolve

LEXICON = load_policy().lexicon
WORDS = load_policy().known_words


def found(text: str, known: Known) -> list[str]:
    spans = resolve(search_known(text, known, LEXICON, WORDS).spans, text)
    return [text[span.start : span.end] for span in spans]


@pytest.mark.parametrize(
    ("word", "usually"),
    [
        ("inga", Usual.RARE),  # the vocabulary has it, and nobody writes it
        ("heather", Usual.SELDOM),
        ("gene", Usual.OFTEN),
        ("will", Usual.OFTEN),
        ("white", Usual.MOSTLY),
        ("ng", Usual.MOSTLY),
    ],
)
def test_how_usual_a_known_given_name_is_as_a_word(word: str, usually: Usual) -> None:
    assert usual(word, LEXICON, given=True) is usually


@pytest.mark.parametrize(
    ("name", "text", "phi"),
    [
        # No word that anybody writes: wherever it stands.
        ("Inga Tavish", "inga has pain. gave inga water.", ["inga", "inga"]),
        ("Inga Tavish", "ms inga slept; spoke with inga's niece", ["inga", "inga"]),
        # A given name above all, unless something speaks of the thing.
        ("Hazel Tavish", "hazel has pain; brought hazel her tray", ["hazel", "hazel"]),
        ("Ivy Tavish", "spoke w/ ivy re: drain. ivy c/o itch", ["ivy", "ivy"]),
        ("Holly Tavish", "dtr: holly; then holly (daughter) called", ["holly", "holly"]),
        # A thing, a month, a verb: what persons do, whom one sees and speaks with, whose something is.
        ("Mark Tavish", "mark fell. saw mark today. told mark that", ["mark", "mark", "mark"]),
        ("May Tavish", "may came in; may is here", ["may", "may"]),
        ("Will Tavish", "will has pain and spoke with will in clinic", ["will", "will"]),
        ("Art Tavish", "art's wife called; art denies pain", ["art", "art"]),
        ("Gene Tavish", "gene was told", ["gene"]),
        ("Rose Tavish", "wife rose is here. rose slept.", ["rose", "rose"]),
        ("Ole White", "mrs white slept; white says so; white's son called", ["white", "white", "white"]),
        # In a list with one that is sure.
        ("Inga Mark", "inga and mark re: drain", ["inga", "mark"]),
        # Found once is found everywhere.
        ("Ole Bland", "mr bland denies pain. gave bland a cup.", ["bland", "bland"]),
        # Nicknames, and what is misspelled.
        ("Robert Tavish", "bob fell; bobby slept", ["bob", "bobby"]),
        ('Ilse "Skipper" Ottesen', "skiper came. gave skiper water.", ["skiper", "skiper"]),
        ("Robert Tavish", "spoke with bobbby today", ["bobbby"]),
        ("Ilse Ottesen", "otesen came", ["otesen"]),
        # Short ones at a line's end and spaced out.
        ("Inga Tavish", "In-\nga slept, in-\r\n  ga ate", ["In-\nga", "in-\r\n  ga"]),
        ("Inga Tavish", "name: I n g a", ["I n g a"]),
        ("Inga Tavish", "I N G A T A V I S H", ["I N G A T A V I S H"]),
        ("Amy Tavish", "A M Y slept", ["A M Y"]),
    ],
)
def test_a_known_name_in_small_letters_is_found_where_a_person_is_meant(
    name: str, text: str, phi: list[str]
) -> None:
    assert found(text, Known(names=(name,))) == phi


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Olive Reed", "olive oil daily; an olive; stool is olive; green olive, tea with olive and honey"),
        ("Olive Reed", "Olive oil daily. a reed instrument"),
        ("Fern Bloom", "fern test positive; the fern pattern; ferning was seen"),
        ("May Will", "pt may have pain, will return, may fall, will be seen; in may 2019"),
        ("Will May", "mother will call; wife may need help; nurse will see; dr may add"),
        ("Rose Hope", "rate rose to 90; we hope that it heals; the rose fell; rose hips"),
        (
            "Mark Art",
            "mark is noted on the arm; a stretch mark was seen; art line; state of the art",
        ),
        ("Grace Joy", "grace period; no joy in life; with grace"),
        ("Gene Iris", "gene has a variant; gene therapy; iris is flat; iris hook"),
        ("Pat Sue", "pat dry; to sue him"),
        ("Drew Chase", "drew blood; chase the dose"),
        ("Dawn June", "dawn phenomenon; since june the pain; june of 2020"),
        ("Frank Rich", "frank blood; rich in iron; diet rich and varied"),
        ("Amber Pearl", "amber urine; pearl index; urine is amber"),
        ("Ruby Cherry", "cherry angioma; ruby laser"),
        ("Ivy Violet", "poison ivy rash; gentian violet"),
        ("Hazel Sandy", "hazel eyes; sandy feeling"),
        ("Ginger Basil", "ginger tea; basil leaves; tea with ginger and lemon"),
        ("Jack Buck", "jack knife position; buck traction"),
        ("Max Norm", "max dose; max assist; norm for age"),
        ("Skip Miles", "skip the dose; skip lesions; walks two miles daily"),
        ("Ray Van", "ray amputation; by van driver"),
        ("Crystal Star", "crystal violet; crystal has formed; star shaped"),
        ("Faith Christian", "faith based; christian faith"),
        ("Buddy Nick", "buddy tape; a nick in the skin; nick of the bowel"),
        ("Candida Mercy", "candida albicans; candida is growing"),
        ("Long Young", "long acting; long history; young man; a long talk"),
        ("White Brown", "white count; brown discharge and pain; white cells rose; stools are brown"),
        ("Stone Head", "stone passed; head of bed; the stone moved; head is normal"),
        ("Back Hand", "see back in clinic; call back if worse; back went out; hand fell asleep"),
        ("Price Hill", "price of drug; hill of beans"),
        ("King Bell", "king airway; bell's palsy"),
        ("Ng Li", "ng tube; li level"),
        ("Norma Ole", "normla exam; a normal gait"),
        ("Herman Ole", "told her man to call"),
        ("Ada Ward", "ward clerk; on ward rounds"),
        ("Angle Cheek", "right-angle clamp; cheek-neck lift"),
    ],
)
def test_medicine_in_small_letters_stays(name: str, text: str) -> None:
    known = Known(names=(name,))
    findings = search_known(text, known, LEXICON, WORDS)
    assert ([text[one.start : one.end] for one in findings.spans], findings.doubtful) == ([], ())


HOME = Known(addresses=("2290 Larkmoor Hollow Ct, Tavingham, WA 98001",))


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("at 2290 Larkm0or Hollow Ct.", ["2290 Larkm0or Hollow Ct"]),
        ("at Larkrnoor Ho11ow Ct.", ["Larkrnoor Ho11ow Ct"]),
        ("at 229O Larkmoor Ho11ow Ct, Tav1ngham", ["229O Larkmoor Ho11ow Ct", "Tav1ngham"]),
        ("at Larkmoor Hollow, near", ["Larkmoor Hollow"]),
        ("lives on larkmoor hollow", ["larkmoor hollow"]),
        ("lives on larkmoor", ["larkmoor"]),
        ("at 2290 Larkmoor", ["2290 Larkmoor"]),
        ("house no. 2290 is", ["2290"]),
        ("lives at 2290.", ["2290"]),
        ("at 2290 Larkmor Holow Ct", ["2290 Larkmor Holow Ct"]),
        ("at larkmor hollow court", ["larkmor hollow court"]),
        ("at Lark-\nmoor Hollow Ct", ["Lark-\nmoor Hollow Ct"]),
        ("WA 98O01", ["98O01"]),
        ("a hollow organ; gave 2290 ml; house 2290 days", []),
    ],
)
def test_a_known_address_is_found_misread_misspelled_and_in_parts(text: str, phi: list[str]) -> None:
    assert found(text, HOME) == phi


@pytest.mark.parametrize(
    ("known", "text", "phi"),
    [
        (Known(emails=("ada.q@example.org",)), "ada . q @ example . org", ["ada . q @ example . org"]),
        (Known(emails=("ada.q@ex.org",)), "ada dot q at ex dot org", ["ada dot q at ex dot org"]),
        (Known(emails=("lola-q@example.org",)), "1o1a-q@examp1e.org", ["1o1a-q@examp1e.org"]),
        (Known(phones=("(555) 010-9988",)), "phone ...9988", ["9988"]),
        (Known(phones=("(555) 010-9988",)), "cell: 9988", ["9988"]),
        (Known(phones=("(555) 010-9988",)), "number ending in 9988", ["9988"]),
        (Known(phones=("(555) 010-9988",)), "waited...9988 ml; 9988 cells", []),
        (Known(phones=("(555) 010-9988",)), "(555) 010 - 9988", ["(555) 010 - 9988"]),
        (Known(phones=("(555) 010-9988",)), "555-010-\n  9988", ["555-010-\n  9988"]),
        (Known(mrns=("44120278",)), "MRN 4412-\n   0278", ["4412-\n   0278"]),
    ],
)  # fmt: skip
def test_a_known_number_or_account_is_found_spaced_out_broken_or_by_its_end(
    known: Known, text: str, phi: list[str]
) -> None:
    assert found(text, known) == phi


RARE = ("inga", "sverre", "oskari", "birgitta", "yevgenia", "thandiwe", "kazuko", "nanami")
SENTENCES = (
    "{} has pain", "gave {} water", "pt {} c/o itch", "w/ {} re drain", "{}: no change", "per {}, ok",
    "x {} y", "the nurse and {} agree", "({})", "plan d/w {}",
)  # fmt: skip


@given(st.sampled_from(RARE), st.sampled_from(SENTENCES), st.data())
def test_a_rare_given_name_is_found_in_any_case(name: str, sentence: str, data: st.DataObject) -> None:
    written = "".join(data.draw(st.sampled_from((letter, letter.upper()))) for letter in name)
    text = sentence.format(written)
    assert found(text, Known(names=(f"{name.title()} Tavish",))) == [written]


@given(st.data())
def test_one_misread_character_in_an_address_leaves_nothing_of_it(data: st.DataObject) -> None:
    written = "2290 larkmoor hollow ct"
    at = data.draw(st.sampled_from([i for i, one in enumerate(written[:20]) if one in RULES.characters]))
    other = data.draw(st.sampled_from(RULES.characters[written[at]]))
    assume(other.isalnum())
    misread = written[:at] + other + written[at + 1 :]
    assert found(f"lives at {misread}. stable", HOME) == [misread]
