"""Known identifiers in every spelling: found where they stand, and no medical word beside them."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from curbside.phi import Category
from curbside_deidentification.domain.known import Known, find_known, search_known, undecided
from curbside_deidentification.domain.known.edits import NearWords, within
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import resolve

LEXICON = load_policy().lexicon
WORDS = load_policy().known_words


def found(text: str, known: Known) -> list[str]:
    spans = resolve(find_known(text, known, LEXICON, WORDS), text)
    return [text[span.start : span.end] for span in spans]


def categories(text: str, known: Known) -> list[Category]:
    return [span.category for span in resolve(find_known(text, known, LEXICON, WORDS), text)]


@pytest.mark.parametrize(
    ("name", "text", "phi"),
    [
        # Whole, in either order, with and without what stands between.
        ("Ottilie Q. Brandvold", "Ottilie Brandvold slept.", ["Ottilie Brandvold"]),
        ("Ottilie Q. Brandvold", "BRANDVOLD, OTTILIE Q was seen.", ["BRANDVOLD, OTTILIE Q"]),
        ("Brandvold, Ottilie", "Seen: Ottilie Quinn Brandvold.", ["Ottilie", "Brandvold"]),
        ("Brandvold^Ottilie^Quinn", "ottilie quinn brandvold slept", ["ottilie quinn brandvold"]),
        ("OTTILIE BRANDVOLD", "Brandvold's wound is clean.", ["Brandvold"]),
        ("Dr. Ottilie Brandvold, MD", "The MD saw Brandvold.", ["Brandvold"]),
        # Initials.
        ("John Quincy Publik", "J. Q. Publik came.", ["J. Q. Publik"]),
        ("John Quincy Publik", "J.Q. Publik and Publik, J. came.", ["J.Q. Publik", "Publik, J."]),
        ("John Quincy Publik", "Dictated by: JQP", ["JQP"]),
        ("John Quincy Publik", "Lungs are clear.\nJQP/mt", ["JQP"]),
        ("John Quincy Publik", "Seen with J.Q.P. today.", ["J.Q.P."]),
        ("John Quincy Publik", "Signed: JP", ["JP"]),
        ("Ada Quill-Brandvold", "KQ-B and AQ-B; AQB agrees (AQB).", ["AQ-B", "AQB", "AQB"]),
        ("Jan O'Sullivane", "Seen with JO'S. Signed: JOS", ["JO'S", "JOS"]),
        ("John Quincy Publik", "Plan reviewed (JQP).", ["JQP"]),
        ("Sam O'Brandvold", "SOB on exertion (SOB).", []),
        ("Carl Tavish", "Reviewed CT of the head.", []),
        ("Paul Ronald Nesbo", "Give P.R.N. as needed.", []),
        # Initials beside a name that is also a word.
        ("Mary White", "M. White margins reviewed.", ["M. White"]),
        ("Mary Rose Tavish", "The nurse told Rose to return.", ["Rose"]),
        ("Rose Peters", "seen: rose peters slept", ["rose peters"]),
        ("Peter Test", "TEST, PETER had a test.", ["TEST, PETER"]),
        # Titles, particles, compounds, former names.
        ("Anna van der Berghe", "Ms. Van der Berghe and Berghe slept.", ["Van der Berghe", "Berghe"]),
        ("Anna van der Berghe", "BERGHE, ANNA VAN DER slept", ["BERGHE, ANNA VAN DER"]),
        ("Anna van der Berghe", "Vanderberghe came.", ["Vanderberghe"]),
        ("Inés Garzón-Lópera", "Garzon slept. GARZON LOPERA ate.", ["Garzon", "GARZON LOPERA"]),
        ("Inés Garzón-Lópera", "Told Garzonlopera.", ["Garzonlopera"]),
        ("Ada Smithers (née Jonkvist)", "Then Ada Jonkvist, now Smithers.", ["Ada Jonkvist", "Smithers"]),
        ("Ada Jonkvist Smithers", "Jonkvist slept.", ["Jonkvist"]),
        ("Pat O'Sullivane", "OSullivane slept; told O Sullivane.", ["OSullivane", "O Sullivane"]),
        ("Pat O'Sullivane", "Told O’Sullivane so.", ["O’Sullivane"]),
        ("Jörg Müllner", "Muellner and Mullner and MÜLLNER", ["Muellner and Mullner and MÜLLNER"]),
        # Nicknames, in both directions and by the common formal name.
        ("Robert Feldkamp", "Bob Feldkamp came. Bobby slept.", ["Bob Feldkamp", "Bobby"]),
        ("Bob Feldkamp", "Robert came; Rob Feldkamp left.", ["Robert", "Rob Feldkamp"]),
        ("William Feldkamp", "Will Feldkamp came. Will return; the bill is due.", ["Will Feldkamp"]),
        ("Susan Feldkamp", "Sue, as Mrs. Feldkamp is called, slept.", ["Feldkamp"]),
        # Split over lines, by hyphens and spaces.
        ("Ottilie Brandvold", "Today Brand-\nvold slept.", ["Brand-\nvold"]),
        ("Ottilie Brandvold", "Today Brand\r\n  vold slept.", ["Brand\r\n  vold"]),
        ("Ottilie Brandvold", "Today Ottilie\nBrandvold slept.", ["Ottilie\nBrandvold"]),
        ("Ottilie Brandvold", "B R A N D V O L D, OTTILIE", ["B R A N D V O L D, OTTILIE"]),
        ("Ottilie Brandvold", "OttilieBrandvold slept", ["OttilieBrandvold"]),
        ("Dora Herman", "Asked her man to call. A gold stein.", []),
        # Misread by a scanner.
        ("Ottilie Brandvold", "8randvo1d slept", ["8randvo1d"]),
        ("Elias Bernard", "Told Bemard so.", ["Bemard"]),
        ("Elias Solis", "S0l1s slept; 50115 cells", ["S0l1s"]),
        ("Elias Deanholm", "Cleanholm slept.", ["Cleanholm"]),
        # Misspelled.
        ("Ottilie Brandvold", "Told Brandvolt; Brandovld slept.", ["Brandvolt", "Brandovld"]),
        ("Ottilie Brandvold", "Told Brandvld; Braandvold slept.", ["Brandvld", "Braandvold"]),
        ("Ottilie Brandvold", "brandvolt denies pain", ["brandvolt"]),
        ("Ottilie Brandvold", "Told Brantfold so.", ["Brantfold"]),
        ("Robert White", "Robert Whine slept.", ["Robert Whine"]),
        ("Robert White", "Mr. Whyte slept.", ["Whyte"]),
    ],
)  # fmt: skip
def test_a_known_name_is_found_in_every_spelling(name: str, text: str, phi: list[str]) -> None:
    spans = found(text, Known(names=(name,)))
    assert "|".join(spans).replace(" and ", "|").replace(", B", "|B") == "|".join(phi).replace(" and ", "|")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Anna Reed", "Need and reef; The seed was red. Feed by mouth."),
        ("Carl Grant", "Grand mal seizure. Granted. Giant cell."),
        ("Bo Lund", "Lung fields are clear. Lungs. Fund of knowledge."),
        ("Ida Pell", "Pelvic cell count; Well nourished. Bell palsy. Pill."),
        ("Ole Hart", "Heart is regular. Hard stool. Chart reviewed."),
        ("Ute Ramus", "The ramus was normal."),
        ("Leon Foley", "A Foley catheter was placed. Foley bag changed."),
        ("Leon Bell", "Bell's palsy on the left. Bell palsy."),
        ("Cora Colin", "The colon is normal. Colonic polyps."),
        ("Max Perle", "Pupils: PERLA, PERRLA."),
        ("June May", "In May 2020; on June 3; 3 May; may return."),
        ("Rose Price", "The lesion rose slightly at any price."),
        ("Baby Boy Unknown", "Baby boy slept. Unknown cause. Boy cries."),
        ("Art Long", "Long-acting insulin and long leg cast; an art line."),
        ("Ann Stone", "Stone burden and a 5 mm stone; another one."),
        ("Gus Head", "HEENT: Head is normocephalic. HEAD & FACE: clear.\nHEAD, EYES: clear."),
        ("Mark Ole", "A ligature mark on the neck; a mark was made."),
        ("Iris Ole", "The iris was normal. IRIS: flat."),
        ("Kelly Foley", "The Foley was removed. A Kelly clamp; his Foley drains well."),
        ("Linda Ole", "Von Hippel-Lindau disease."),
        ("Ida Jackson", "A Jackson-Pratt drain; Jackson-Pratt times one."),
        ("Lea Morris", "livor mortis was seen"),
        ("Nan Brown", "Brown discharge and a brown recluse."),
    ],
)
def test_medical_and_plain_words_near_a_known_name_stay(name: str, text: str) -> None:
    known = Known(names=(name,))
    assert (found(text, known), undecided(text, known, LEXICON, WORDS, ())) == ([], [])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Long talk today. Then Long slept.", True),
        ("Long talk today, as long as needed.", False),
        ("White margins were inked. The white tissue was soft.", False),
    ],
)
def test_the_rest_of_the_document_decides_what_one_place_leaves_open(text: str, name: bool) -> None:
    known = Known(names=("Ilse Long", "Ione White"))
    findings = search_known(text, known, LEXICON, WORDS)
    assert bool(findings.spans) is name
    assert findings.doubtful == ()


def test_what_nothing_decides_is_undecided() -> None:
    text = "Pain is better. Long talk today."
    findings = search_known(text, Known(names=("Ilse Long",)), LEXICON, WORDS)
    assert findings.undecided(()) == [(16, 20)]
    assert findings.undecided(find_known("Ada Long", Known(names=("Ada Long",)), LEXICON, WORDS)) == [
        (16, 20)
    ]


DOB = Known(dates=("1961-02-03",))


@pytest.mark.parametrize(
    "date",
    [
        "1961-02-03", "02/03/1961", "2/3/1961", "2/3/61", "02-03-61", "2.3.1961", "3.2.61", "03/02/1961",
        "1961/02/03", "19610203", "19610203143000", "02031961", "February 3, 1961", "February 3rd, 1961",
        "Feb 3 1961", "Feb. 3, '61", "3 February 1961", "3rd of February, 1961", "the third of February 1961",
        "03-FEB-1961", "3Feb61", "03FEB1961", "Friday, February 3, 1961",
        "February third, nineteen sixty-one", "February 1961", 
        "Feb '61", "02/1961", "February 3", "3 Feb", "3.II.1961", "1961-Feb-03",
        "1961-02-03T04:05:00Z", "February\n3, 1961", "O2/O3/l961", "2 / 3 / 1961",
    ],
)  # fmt: skip
def test_a_known_date_is_found_in_every_style(date: str) -> None:
    assert found(f"The patient, {date}, was admitted.", DOB) == [date.removeprefix("the ")] or found(
        f"The patient, {date}, was admitted.", DOB
    ) == [date]


@pytest.mark.parametrize("date", ["2/3", "020361", "02-61", "610203"])
def test_a_short_form_of_a_birth_date_is_one_behind_its_label(date: str) -> None:
    assert found(f"DOB: {date}, was admitted.", DOB) == [date]
    assert found(f"Strength is {date} today.", DOB) == []


@pytest.mark.parametrize(
    "text",
    [
        "Born in 1961.",
        "A 64-year-old.",
        "Age 64 years.",
        "Seen 02/04/1961.",
        "In 1961, aged 3.",
        "Feb is cold.",
    ],
)
def test_a_year_an_age_and_another_date_are_no_known_date(text: str) -> None:
    assert found(text, DOB) == []


@pytest.mark.parametrize(
    "value", ["19610203", "02/03/1961", "Feb 3, 1961", "3 February 1961", "19610203000000-0500"]
)
def test_a_known_date_may_come_in_any_style(value: str) -> None:
    assert found("Born February 3, 1961.", Known(dates=(value,))) == ["February 3, 1961"]


@pytest.mark.parametrize(
    ("known", "text", "phi"),
    [
        (Known(mrns=("00123456",)), "MRN 123456.", "123456"),
        (Known(mrns=("123456",)), "MRN 00-12-34-56.", "00-12-34-56"),
        (Known(mrns=("MX-441202",)), "record MX 441202", "MX 441202"),
        (Known(mrns=("MX-441202",)), "record 441202", "441202"),
        (Known(mrns=("44120278",)), "record 4412O278", "4412O278"),
        (Known(mrns=("44120278",)), "record 44120287", "44120287"),
        (Known(mrns=("44120278",)), "record 4412078", "4412078"),
        (Known(mrns=("4e8ed886-fd5f-40bb",)), "id 4E8ED886FD5F40BB", "4E8ED886FD5F40BB"),
        (Known(mrns=("zqtlje",)), "PID|1||ZQTLJE^^^Lab", "ZQTLJE"),
        (Known(mrns=("4412",)), "MRN 4412; 4412 cells", "4412"),
        (Known(numbers=("987-65-4321",)), "SSN 987 65 4321", "987 65 4321"),
        (Known(numbers=("987-65-4321",)), "SSN 987654321", "987654321"),
        (Known(numbers=("987-65-4321",)), "SSN xxx-xx-4321", "4321"),
        (Known(numbers=("987-65-4321",)), "SSN ending in 4321", "4321"),
        (Known(numbers=("987-65-4321",)), "the last four of her SSN are 4321", "4321"),
        (Known(numbers=("AC12345678",)), "account AC-1234-5678", "AC-1234-5678"),
        (Known(phones=("(555) 010-9988",)), "call 555.010.9988", "555.010.9988"),
        (Known(phones=("(555) 010-9988",)), "call +1 555 010 9988", "+1 555 010 9988"),
        (Known(phones=("(555) 010-9988",)), "call 010-9988", "010-9988"),
        (Known(phones=("(555) 010-9988",)), "call (555)0109988 ext. 12", "(555)0109988 ext. 12"),
        (Known(phones=("+44 20 7946 0958",)), "call 020 7946 0958", "020 7946 0958"),
        (Known(emails=("a.q@example.org",)), "write a.q at example dot org", "a.q at example dot org"),
        (Known(emails=("a.q@example.org",)), "write A.Q@example.\norg", "A.Q@example.\norg"),
    ],
)
def test_a_known_number_is_found_however_it_is_grouped(known: Known, text: str, phi: str) -> None:
    assert found(text, known) == [phi]


@pytest.mark.parametrize(
    "text", ["Platelets 250000/uL", "Gave 250000 units", "about 4321 cells", "in 2019", "Sol1s"]
)
def test_a_quantity_with_a_known_numbers_digits_stays(text: str) -> None:
    known = Known(mrns=("250000", "2019"), numbers=("987-65-4321",))
    assert found(text, known) == []


HOME = Known(addresses=("7 North Underhill Street Apt 4, Bywater, WI 53005-1234",))


@pytest.mark.parametrize(
    "phi",
    [
        "7 North Underhill Street Apt 4, Bywater, WI 53005-1234",
        "7 N. Underhill St, Apt. 4",
        "7 Underhill",
        "7 UNDERHILL ST",
        "7 N Underhill St #4",
        "North Underhill Street",
        "Bywater",
        "BYWATER",
        "Bywatr",
        "53005",
        "53005-1234",
        "530051234",
        "7 North\nUnderhill Street",
    ],
)
def test_a_known_address_is_found_by_its_parts(phi: str) -> None:
    assert found(f"Lives at {phi}. Stable.", HOME) == [phi]
    assert set(categories(f"Lives at {phi}. Stable.", HOME)) == {Category.LOCATION}


@pytest.mark.parametrize("town", ["Reading, PA 19601", "Mobile"])
def test_a_town_that_is_a_word_needs_a_sign_that_a_place_is_meant(town: str) -> None:
    name = town.split(",")[0]
    known = Known(addresses=(f"9 Elm Row, {town}",))
    assert found(f"{name} is normal. She is {name.lower()} now.", known) == []
    assert found(f'"city": "{name}"', known) == [name]
    assert found(f"She lives in {name} now.", known) == [name]


def test_a_state_alone_is_no_identifier() -> None:
    assert found("Treated in Wisconsin, WI. Apt today. North of it.", HOME) == []


def test_the_category_of_a_number_is_what_it_is() -> None:
    known = Known(numbers=("987-65-4321", "AC12345678"), mrns=("MX441202",), phones=("555-010-9988",))
    text = "987-65-4321 AC12345678 | MX441202 | 555-010-9988"
    assert categories(text, known) == [Category.SSN, Category.OTHER_ID, Category.MRN, Category.PHONE]


SURNAMES = ("Brandvold", "Szymczyk", "Ottesen", "Quatremer", "Hathersage", "Ivanovka", "Petrosyan", "Okonkwo")
SENTENCES = (
    "Discussed with {} today.",
    "The lungs are clear and {} slept well.",
    "Mr. {} denies chest pain.",
    "HISTORY: {} was admitted with fever.",
    "Plan: {} to follow up in two weeks.",
    "Stable 😀 e\u0301; per {}, no change.",
)
NAMES = st.sampled_from(SURNAMES)
IN_SENTENCE = st.sampled_from(SENTENCES)


def covers(text: str, written: str, name: str) -> bool:
    """Whether every character of `written` is in a span, and nothing else in the text is."""
    start = text.index(written)
    spans = resolve(find_known(text, Known(names=(f"Wenda {name}",)), LEXICON, WORDS), text)
    covered = {i for span in spans for i in range(span.start, span.end)}
    return covered == set(range(start, start + len(written)))


@given(NAMES, IN_SENTENCE, st.data())
def test_a_name_with_one_edit_is_found(name: str, sentence: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(name) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    edit = data.draw(st.sampled_from(("insert", "delete", "substitute", "swap")))
    written = {
        "insert": name[:at] + letter + name[at:],
        "delete": name[:at] + name[at + 1 :],
        "substitute": name[:at] + letter + name[at + 1 :],
        "swap": name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
    }[edit]
    assume(not LEXICON.is_word(written))
    assert covers(sentence.format(written), written, name)


@given(NAMES, IN_SENTENCE, st.data())
def test_a_name_with_one_character_misread_is_found(name: str, sentence: str, data: st.DataObject) -> None:
    places = [i for i, letter in enumerate(name.lower()) if letter in RULES.characters]
    assume(places)
    at = data.draw(st.sampled_from(places))
    misread = data.draw(st.sampled_from(RULES.characters[name[at].lower()]))
    written = name[:at] + misread + name[at + 1 :]
    assume(written[0].isalnum() and written[-1].isalnum())
    assert covers(sentence.format(written), written, name)


@given(NAMES, IN_SENTENCE, st.data())
def test_a_name_split_over_lines_is_found(name: str, sentence: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(2, len(name) - 2))
    gap = data.draw(st.sampled_from(("-\n", "\n", "-\r\n  ", "- ", "-", " ", "\n    ")))
    assume(not LEXICON.is_word(name[:at]) or not LEXICON.is_word(name[at:]))
    written = name[:at] + gap + name[at:]
    assert covers(sentence.format(written), written, name)


@given(
    st.text(alphabet=st.sampled_from("aeMay Long-7\n.,'é\u0301😀İßﬁ\r"), max_size=60),
    st.lists(st.text(alphabet="aeMayLong 7-'éİ.,(\"", max_size=12), max_size=4).map(tuple),
)
def test_whatever_is_known_spans_lie_in_the_text(text: str, values: tuple[str, ...]) -> None:
    known = Known(values, values, values, values, values, values, values)
    for span in find_known(text, known, LEXICON, WORDS):
        assert 0 <= span.start < span.end <= len(text)


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_within_is_the_distance_of_optimal_string_alignment(one: str, other: str) -> None:
    table = {(i, 0): i for i in range(len(one) + 1)} | {(0, j): j for j in range(len(other) + 1)}
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            table[i, j] = min(
                table[i - 1, j] + 1,
                table[i, j - 1] + 1,
                table[i - 1, j - 1] + (one[i - 1] != other[j - 1]),
            )
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    distance = table[len(one), len(other)]
    assert [within(one, other, most) for most in (1, 2)] == [distance <= 1, distance <= 2]


@given(st.text("abcd", min_size=4, max_size=8), st.text("abcd", min_size=3, max_size=9))
def test_the_nearest_word_is_one_edit_away(known: str, word: str) -> None:
    nearest = NearWords([known]).nearest(word)
    assert (nearest == (known, 1)) == within(word, known, 1)


def forty_identifiers(random: Random) -> Known:
    def name(length: int) -> str:
        return "".join(random.choice("bcdfglmnprstv") + random.choice("aeiou") for _ in range(length)).title()

    return Known(
        names=tuple(f"{name(3)} {name(4)}" for _ in range(16)),
        numbers=tuple(str(random.randrange(10**9, 10**10)) for _ in range(6)),
        mrns=tuple(str(random.randrange(10**7, 10**8)) for _ in range(4)),
        dates=("1961-02-03", "1990-11-12"),
        addresses=tuple(f"{random.randrange(999)} {name(3)} Road, {name(4)}, WI 5{i}005" for i in range(4)),
        phones=tuple(f"555-010-{random.randrange(1000, 9999)}" for _ in range(5)),
        emails=("a@example.org", "b@example.org", "c@example.org"),
    )


def test_a_long_note_with_forty_identifiers_takes_seconds_for_five_megabytes() -> None:
    """Half a megabyte here; of this process's own time, since a test's neighbours share its cores."""
    random = Random(4)
    words = sorted(LEXICON.words)[::7]
    known = forty_identifiers(random)
    note = " ".join(
        random.choice(words) + ("." if i % 9 == 0 else f" {random.randrange(9999)}" if i % 13 == 0 else "")
        for i in range(55_000)
    )
    begun = time.process_time()
    search_known(note, known, LEXICON, WORDS)
    assert time.process_time() - begun < 4


@pytest.mark.parametrize(
    "filler",
    ["0", "0-", "1 ", "7 ", "x*", "*", "a ", "A. ", "- ", "-\n", "J. ", "van ", "feb ", "s", "l1", "rn"],
)
def test_no_search_takes_long_on_a_long_row_of_anything(filler: str) -> None:
    known = forty_identifiers(Random(5))
    known = Known(
        (*known.names, "J van der Rnrnrnrn", "Sassass Llilll"),
        (*known.numbers, "0000000001"),
        (*known.mrns, "7777777"),
        known.dates,
        known.addresses,
        known.phones,
        known.emails,
    )
    text = filler * (20_000 // len(filler)) + "!"
    begun = time.process_time()
    search_known(text, known, LEXICON, WORDS)
    assert time.process_time() - begun < 2
