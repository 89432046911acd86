"""Replacement by policy: what stands where PHI stood, that it is consistent, that it can be turned back."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import load_lexicon
from curbside_deidentification.domain.replacement import (
    SHIPPED,
    Action,
    BadReplacementPolicy,
    LegalBasis,
    Replaced,
    ReplacementPolicy,
    SubjectMapping,
    Subjects,
    SubjectSecrets,
    load_replacement_policy,
    replace,
    restore,
    shipped_policy,
)
from curbside_deidentification.domain.replacement.dates import shifted_mention, years_of
from curbside_deidentification.domain.replacement.policy import POLICIES
from curbside_deidentification.domain.replacement.words import lines
from curbside_deidentification.domain.spans import Span, resolve
from curbside_deidentification.recognisers import DATES, IDENTIFIERS

LEXICON: Final = load_lexicon()
SECRETS: Final = SubjectSecrets(b"k" * 32, timedelta(days=-42))
EXPERT, HARBOR, TAGS = map(shipped_policy, ("expert_determination", "safe_harbor", "tags"))
OFFSETS: Final = st.integers(-365, -1).map(lambda days: timedelta(days=days))
DAYS: Final = st.dates(date(1930, 1, 1), date(2027, 12, 31))
STYLES: Final = {
    "%m/%d/%Y": "{0:%m/%d/%Y}",
    "%Y-%m-%d": "{0:%Y-%m-%d}",
    "%Y%m%d": "{0:%Y%m%d}",
    "%B %d, %Y": "{0:%B} {0.day}, {0.year}",
    "%d-%b-%Y": "{0.day}-{0:%b-%Y}",
    "%A, %d %B %Y": "{0:%A}, {0.day} {0:%B} {0.year}",
}
FOUND = {
    Category.NAME: (
        "Zephyrine Quatremer",
        "QUATREMER",
        "Dr. Osei",
        "Núñez, Amália",
        "J. Quatremer",
        "Zephyrine",
    ),
    Category.MRN: ("4456781", "A-77 120"),
    Category.PHONE: ("(617) 867-5309", "867-5309"),
    Category.SSN: ("123-45-6789", "XXX-XX-6789"),
    Category.LOCATION: ("12 Elm Street, Apt 4B, Tewksbury, IL 62704", "Tewksbury"),
    Category.FACILITY: ("Quatremer General Hospital", "Cancer Center"),
    Category.EMAIL: ("zq42@hospital.test",),
    Category.URL: ("https://hospital.test/u/123?q=4",),
    Category.IP: ("10.1.2.3", "fe80::1"),
    Category.DATE: ("04/12/2023", "April 12th, 2023", "Wed, Apr 12", "Christmas"),
    Category.OTHER_ID: ("ZX-99812",),
    Category.PHOTO: ("face_77.jpg",),
}


def done(
    text: str,
    found: dict[str, Category] | list[Span],
    policy: ReplacementPolicy = EXPERT,
    mapping: SubjectMapping | None = None,
    *,
    year: int | None = 2023,
    avoid: tuple[str, ...] = (),
    secrets: SubjectSecrets = SECRETS,
) -> Replaced:
    spans = found if isinstance(found, list) else spans_of(text, found)
    return replace(
        text, spans, policy, secrets, mapping or SubjectMapping(), reference_year=year, avoid=avoid
    )


def spans_of(text: str, found: dict[str, Category]) -> list[Span]:
    spans = [
        Span(match.start(), match.end(), category, 1.0, "test")
        for said, category in found.items()
        for match in re.finditer(rf"(?<!\w){re.escape(said)}(?!\w)", text)
    ]
    return resolve(spans, text)


def patterns(text: str) -> list[Span]:
    return resolve((span for one in (*IDENTIFIERS, *DATES) for span in one.find(text, LEXICON)), text)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, list[Span]]:
    """Mentions between pieces of prose, emoji, combining characters and line ends of Windows."""
    text, spans = "", []
    between = st.sampled_from([" seen by ", ", ", "\r\n", " 😀 ", " e\u0301tude ", " (", "); nodule: "])
    for _ in range(draw(st.integers(0, 7))):
        text += draw(between)
        category = draw(st.sampled_from(list(FOUND)))
        mention = draw(st.sampled_from(FOUND[category]))
        spans.append(Span(len(text), len(text) + len(mention), category, 1.0, "test"))
        text += mention
    return text + draw(between), spans


@given(texts(), st.sampled_from([EXPERT, HARBOR, TAGS]))
def test_nothing_outside_spans_changes_and_offsets_are_code_points(
    case: tuple[str, list[Span]], policy: ReplacementPolicy
) -> None:
    text, spans = case
    reached, pattern = 0, ""
    for span in spans:
        pattern += re.escape(text[reached : span.start]) + "(.+?)"
        reached = span.end
    replaced = done(text, spans, policy).text
    assert re.fullmatch(pattern + re.escape(text[reached:]), replaced, re.DOTALL)


@given(texts(), st.sampled_from([EXPERT, TAGS]))
def test_what_is_replaced_can_be_turned_back(case: tuple[str, list[Span]], policy: ReplacementPolicy) -> None:
    text, spans = case
    replaced = done(text, spans, policy)
    if any("Christmas" in text[span.start : span.end] for span in spans) and policy is EXPERT:
        return  # a date that is not understood becomes a tag that is every such date's
    kept = SubjectMapping.from_json(replaced.mapping.to_json())
    assert restore(replaced.text, kept) == text


@given(texts(), texts(), st.sampled_from([EXPERT, TAGS]))
def test_a_mapping_only_grows_and_the_same_again_is_the_same(
    first: tuple[str, list[Span]], second: tuple[str, list[Span]], policy: ReplacementPolicy
) -> None:
    one = done(*first, policy)
    two = done(*second, policy, one.mapping)
    assert set(one.mapping.pairs()) <= set(two.mapping.pairs())
    assert done(*first, policy, one.mapping) == one
    assert done(*first, policy) == one


@given(texts())
def test_no_original_is_left_and_no_surrogate_was_an_original(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    replaced = done(text, spans)
    originals = {text[span.start : span.end] for span in spans if span.category is not Category.DATE}
    assert not originals & {
        surrogate for category, _, surrogate in replaced.mapping.pairs() if category is not Category.DATE
    }
    for word in ("Zephyrine", "Quatremer", "Osei", "Tewksbury", "4456781"):
        assert word.casefold() not in replaced.text.casefold()


@given(DAYS, DAYS, OFFSETS, st.sampled_from(list(STYLES)), st.sampled_from(list(STYLES)))
def test_intervals_between_shifted_dates_are_preserved(
    one: date, other: date, offset: timedelta, style: str, second_style: str
) -> None:
    moved = []
    for day, written in ((one, style), (other, second_style)):
        new = shifted_mention(STYLES[written].format(day), offset, 2023)
        assert new is not None
        moved.append(date.fromisoformat(new) if written == "%Y%m%d" else _read(new, written))
    assert moved[1] - moved[0] == other - one
    assert moved[0] == one + offset


def _read(written: str, style: str) -> date:

    parsed = datetime.strptime(written, style).date()
    if "%A" in style:
        assert written.startswith(f"{parsed:%A}")
    return parsed


@given(st.text(max_size=40), OFFSETS)
def test_a_date_that_is_not_understood_is_never_passed_through(text: str, offset: timedelta) -> None:
    replaced = done(text, [Span(0, len(text), Category.DATE, 1.0, "t")] if text else []).text
    assert not text or replaced == "[DATE]" or re.search(r"\d|day|[A-Z][a-z]{2}", replaced, re.IGNORECASE)


@pytest.mark.parametrize(
    ("mention", "moved"),
    [
        ("04/12/2023", "03/01/2023"),
        ("4/12/23", "3/1/23"),
        ("2023-04-12T10:00:00-05:00", "2023-03-01T10:00:00-05:00"),
        ("20230412143000", "20230301143000"),
        ("04/2023", "03/2023"),
        ("4/12", "3/1"),
        ("April 12th, '23", "March 1st, '23"),
        ("12-May-2023", "31-Mar-2023"),
        ("13/04/2023", "02/03/2023"),
        ("Wed. Apr. 3-5, 2023", "Wed. Feb. 20-22, 2023"),
        ("3-5 April 2023", "20-22 February 2023"),
        ("April 10-14, 2023", "February 27-March 3, 2023"),
        ("April 29 to May 2, 2023", "March 18 to March 21, 2023"),
        ("February 10-14, 2023", "December 30, 2022-January 3, 2023"),
        ("April twelfth, 2023", "March first, 2023"),
        ("the twenty-first of June", "the tenth of May"),
        ("APRIL 2023", "MARCH 2023"),
        ("mid-April 2021", "mid-March 2021"),
        ("04/12/2023 2:30 PM", "03/01/2023 2:30 PM"),
        ("Apr 12, 2023 at 14:30", "Mar 1, 2023 at 14:30"),
        ("Christmas", None),
        ("the 12th", None),
        ("31 April 2023", None),
        ("05 mg", None),
    ],
)
def test_a_date_is_moved_in_its_own_style(mention: str, moved: str | None) -> None:
    assert shifted_mention(mention, timedelta(days=-42), 2023) == moved


def test_a_weekday_follows_its_date() -> None:
    assert shifted_mention("Wednesday, April 12", timedelta(days=-1), 2023) == "Tuesday, April 11"


def test_a_date_without_a_year_needs_one_to_be_read() -> None:
    assert shifted_mention("4/12", timedelta(days=-42), None) is None


@pytest.mark.parametrize(
    "mention",
    ["01/10/\n1951", "3/4 / 2022", "3-4-\n22", "3/4, 2022", "3/4 2022", "2022-\n03-04", "2022/ 03/ 04"],
)
def test_a_date_that_is_set_apart_is_not_moved_in_parts(mention: str) -> None:
    assert shifted_mention(mention, timedelta(days=-100), 2022) is None


@pytest.mark.parametrize(
    ("mention", "moved"),
    [("3/4-3/9", "11/24-11/29"), ("3/4 - 3/9/2022", "11/24 - 11/29/2021"), ("01/10/1951", "10/02/1950")],
)
def test_ranges_are_moved_with_the_year_that_they_name(mention: str, moved: str) -> None:
    assert shifted_mention(mention, timedelta(days=-100), 2022) == moved
    assert shifted_mention("03/01", timedelta(days=-1), 2024) == "02/29"
    assert shifted_mention("03/01", timedelta(days=-1), 2023) == "02/28"


def test_a_document_that_writes_the_day_first_is_read_so() -> None:
    text = "Seen 13/04/2023 and 04/05/2023."
    assert done(text, patterns(text)).text == "Seen 02/03/2023 and 23/03/2023."


@pytest.mark.parametrize(
    ("mention", "year"),
    [
        ("04/12/2023", "2023"),
        ("Apr '23", "2023"),
        ("Dec 30, 2022 - Jan 2, 2023", "2022-2023"),
        ("April 12", None),
        ("03/04/1920", None),  # the year alone would say that somebody is over 89
    ],
)
def test_a_date_is_cut_to_its_year(mention: str, year: str | None) -> None:
    assert years_of(mention, 2023) == year


@pytest.mark.parametrize(
    ("place", "left"),
    [
        ("12 Elm Street, Springfield, IL 62704-1234", "[LOCATION], IL 627"),
        ("Springfield, Illinois", "[LOCATION], Illinois"),
        ("NY 10203", "NY 000"),  # 102: 20,000 people or fewer
        ("AL 36901", "AL 000"),  # 369: and in the Census of 2020
        ("09012", "000"),  # 090: military mail, where the Census counts nobody
        ("62704", "627"),
        ("Washington", "[LOCATION]"),
        ("New York", "[LOCATION]"),
        ("Springfield", "[LOCATION]"),
    ],
)
def test_a_place_is_cut_to_what_safe_harbor_lets_stay(place: str, left: str) -> None:
    assert done(place, {place: Category.LOCATION}, HARBOR).text == left


def test_an_age_over_89_is_one_group_and_stays_so() -> None:
    once = done("She is 94.", {"94": Category.AGE}, HARBOR).text
    assert once == "She is 90 or older."
    assert done(once, {"90": Category.AGE}, HARBOR).text == once


@pytest.mark.parametrize(("born", "left"), [("03/04/1920", "[DATE]"), ("March 4, 1933", "[DATE]")])
def test_a_birth_date_beside_90_or_older_is_not_moved_but_left_out(born: str, left: str) -> None:
    text = f"Born {born}, aged 94, seen 04/12/2023."
    found = {born: Category.DATE, "94": Category.AGE, "04/12/2023": Category.DATE}
    moved = done(text, found).text
    assert moved.startswith(f"Born {left}, aged 90 or older, seen 0")
    younger = {"03/04/1934": Category.DATE}
    assert "[DATE]" not in done("Born 03/04/1934.", younger).text


@pytest.mark.parametrize("policy", [HARBOR, TAGS])
def test_running_twice_equals_once(policy: ReplacementPolicy) -> None:
    text = (
        "MRN: 4456781. Seen 04/12/2023, aged 94, and on April 19, 2022; call (617) 867-5309. "
        "Fax: 617-867-5310, SSN 123-45-6789, jo@hospital.test, https://hospital.test/x, 10.1.2.3."
    )
    once = done(text, patterns(text), policy)
    twice = done(once.text, patterns(once.text), policy, once.mapping)
    assert once.text != text
    assert twice.text == once.text


def test_a_person_is_one_person_however_the_name_is_written() -> None:
    text = "SMITH, John: Mr. Smith. John Smith's note; J. Smith and Mary Smith-Jones, RN. smith"
    found = ("SMITH, John", "Mr. Smith", "John Smith", "J. Smith", "Mary Smith-Jones, RN", "smith")
    replaced = done(text, dict.fromkeys(found, Category.NAME)).text
    match = re.fullmatch(
        r"([A-Z]+), (\w+): Mr\. (\w+)\. (\w+) (\w+)'s note; (\w)\. (\w+) and (\w+) (\w+)-(\w+), RN\. (\w+)",
        replaced,
    )
    assert match is not None
    surname, given, titled, first, last, initial, behind, mary, double, other, small = match.groups()
    assert surname == surname.upper()
    assert {titled, last, behind, double} == {surname.capitalize()}
    assert (small, first, initial) == (titled.lower(), given, given[0])
    assert given in lines("male_names")
    assert mary in lines("female_names")
    assert surname[0] != "S"
    assert given[0] != "J"
    assert other[0] != "J"


def test_a_surrogate_is_never_what_the_text_or_the_record_says() -> None:
    taken = [name for name in lines("surnames") if name[0] != "V"]
    text = f"Osei. Also seen: {' '.join(taken[:200])}"
    replaced = done(text, {"Osei": Category.NAME}, avoid=tuple(taken[200:])).text
    assert replaced.split(".")[0] in set(lines("surnames")) - set(taken)


def test_a_surrogate_that_a_later_report_says_is_not_used_there() -> None:
    first = done("Osei", {"Osei": Category.NAME})
    later = f"Osei, and nurse {first.text}"
    second = done(later, {"Osei": Category.NAME}, mapping=first.mapping)
    assert first.text not in second.text.split(",")[0]
    assert second.text.endswith(first.text)  # it is outside the spans
    assert restore(second.text.split(",")[0], second.mapping) == "Osei"


def test_patients_have_surrogates_of_their_own() -> None:
    names = {
        done(
            "Osei", {"Osei": Category.NAME}, secrets=SubjectSecrets(bytes([n]) * 32, timedelta(days=-1))
        ).text
        for n in range(20)
    }
    assert len(names) > 10


def test_an_answer_that_says_the_surname_alone_is_turned_back() -> None:
    replaced = done("Amália Núñez came.", {"Amália Núñez": Category.NAME})
    surname = replaced.text.split()[1]
    assert restore(f"{surname} improves; {surname.upper()}.", replaced.mapping) == "Núñez improves; NÚÑEZ."
    assert restore(f"{surname}ism", replaced.mapping) == f"{surname}ism"


def test_numbers_come_from_ranges_that_are_nobodys() -> None:
    found = {mention: category for category in FOUND for mention in FOUND[category]}
    assert re.fullmatch(r"\([2-9]\d\d\) 555-01\d\d", done("(617) 867-5309", found).text)
    assert re.fullmatch(r"9\d\d-[0-4]\d-\d{4}", done("123-45-6789", found).text)
    assert re.fullmatch(r"XXX-XX-\d{4}", done("XXX-XX-6789", found).text)
    assert re.fullmatch(r"\S+@example\.(com|net|org)", done("zq42@hospital.test", found).text)
    assert re.fullmatch(
        r"https://\w+\.example\.(com|net|org)/\S+", done("https://hospital.test/u/123?q=4", found).text
    )
    assert re.fullmatch(r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+", done("10.1.2.3", found).text)


def test_a_number_is_the_same_number_in_another_spacing() -> None:
    replaced = done("4456781 445-6781", {"4456781": Category.MRN, "445-6781": Category.MRN}).text
    one, other = replaced.split()
    assert other.replace("-", "") == one


def test_where_no_surrogate_is_free_there_is_a_tag() -> None:
    text = " ".join(str(digit) for digit in range(10))
    assert done(text, {"7": Category.MRN}).text == text.replace("7", "[MRN]")


def test_tags_are_numbered_where_they_differ() -> None:
    text = "[NAME] said Osei saw Osei and Quatremer"
    replaced = done(text, {"Osei": Category.NAME, "Quatremer": Category.NAME}, TAGS).text
    assert replaced == "[NAME] said [NAME_2] saw [NAME_2] and [NAME_3]"


def test_pseudonyms_are_codes_under_the_key() -> None:
    replaced = done("face_77.jpg", {"face_77.jpg": Category.PHOTO}).text
    assert re.fullmatch(r"\[PHOTO_[A-Z]{8}\]", replaced)
    other = SubjectSecrets(b"o" * 32, SECRETS.date_offset)
    assert done("face_77.jpg", {"face_77.jpg": Category.PHOTO}, secrets=other).text != replaced


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_names_its_basis(name: str) -> None:
    policy = shipped_policy(name)
    expert = name == "expert_determination"
    assert policy.basis is (LegalBasis.EXPERT_DETERMINATION if expert else LegalBasis.SAFE_HARBOR)
    assert policy.subjects is (Subjects.KEYED if expert else Subjects.RANDOM)
    assert policy.label.startswith(f"{name}:{policy.basis}:")


@pytest.mark.parametrize(
    ("changes", "field", "mend"),
    [
        ({"categories": {"DATE": {"action": "shift"}}}, "categories.DATE.action", "year or tag"),
        ({"categories": {"MRN": {"action": "pseudonym"}}}, "categories.MRN.action", "Use tag"),
        ({"categories": {"MRN": {"action": "surrogate"}}}, "categories.MRN.action", "Use tag"),
        ({"categories": {"NAME": {"action": "shift"}}}, "categories.NAME.action", "use tag"),
        ({"categories": {"DATE": {"action": "surrogate"}}}, "categories.DATE.action", "shift, year or tag"),
        ({"categories": {"AGE": None}}, "categories.AGE.action", "needs an action"),
        ({"categories": {"HAT": {"action": "tag"}}}, "categories", "NAME"),
        ({"categories": {"AGE": {"action": "keep"}}}, "categories.AGE.action", "surrogate, tag"),
        ({"subjects": "keyed"}, "subjects", "Use random"),
        ({"basis": "consent"}, "basis", "safe_harbor"),
        ({"numbered_tags": "yes"}, "numbered_tags", "true or false"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[str, dict[str, object]], field: str, mend: str
) -> None:
    data = yaml.safe_load((POLICIES / "safe_harbor.yaml").read_text())
    for name, value in changes.items():
        data[name] = {**data[name], **value} if isinstance(value, dict) else value
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(BadReplacementPolicy) as refused:
        load_replacement_policy(path)
    assert refused.value.field == field
    assert mend in str(refused.value.mend)


def test_what_safe_harbor_refuses_an_expert_may_allow(tmp_path: Path) -> None:
    data = yaml.safe_load((POLICIES / "safe_harbor.yaml").read_text())
    data |= {"basis": "expert_determination"}
    data["categories"]["DATE"] = {"action": "shift"}
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump(data))
    assert load_replacement_policy(path).rules[Category.DATE].action is Action.SHIFT


def test_secrets_and_mappings_print_nothing() -> None:
    replaced = done("Osei", {"Osei": Category.NAME})
    assert "Osei" not in repr(replaced)
    assert "kkk" not in repr(SECRETS)
    with pytest.raises(ValueError, match="16 bytes"):
        SubjectSecrets(b"short", timedelta(days=-1))
    with pytest.raises(ValueError, match="whole days"):
        SubjectSecrets(b"k" * 32, timedelta(0))


def test_spans_to_replace_are_disjoint() -> None:
    overlapping = [Span(0, 3, Category.NAME, 1, "r"), Span(2, 4, Category.DATE, 1, "r")]
    with pytest.raises(ValueError, match="disjoint"):
        done("abcdef", overlapping)


def test_names_that_are_drawn_are_no_words_and_of_one_sex() -> None:
    names = [name for kind in ("female", "male", "either") for name in lines(f"{kind}_names")]
    assert len(names) == len(set(names))
    assert not [name for name in (*names, *lines("surnames")) if LEXICON.is_word(name)]
    assert all(one < other for one, other in pairwise(lines("surnames")))
