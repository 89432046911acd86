"""Dates and high ages as clinical text writes them, and the figures that look like them and stay."""

from __future__ import annotations

import pytest

from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import resolve
from curbside_deidentification.recognisers import DATES
from curbside_deidentification.recognisers.repeated_day import repeated_days
from curbside_deidentification.recognisers.writing.days import is_fraction, is_range

LEXICON = load_policy().lexicon


def found(text: str) -> list[str]:
    spans = [span for recogniser in DATES for span in recogniser.find(text, LEXICON)]
    return [text[span.start : span.end] for span in resolve([*spans, *repeated_days(text, spans)], text)]


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("Seen on 3/5 and again by 2/4.", ["3/5", "2/4"]),
        ("Labs from 3/5: normal", ["3/5"]),
        ("colonoscopy with polypectomy 2/3.", ["2/3"]),
        ("s/p right carotid endarterectomy 3/6. Plan", ["3/6"]),
        ("NURSING 4/6 1353 Received report", ["4/6"]),
        ("TELEPHONE ENCOUNTER 8/9 11:50 AM", ["8/9"]),
        ("Arrival Sat 3/4 08:45", ["Sat 3/4"]),
        ("K. Osei, RN 2/3", ["2/3"]),
        ("in the hospital from 3/2 to 3/9.", ["3/2", "3/9"]),
        ("in the hospital from 12/31-1/6/22.", ["12/31-1/6/22"]),
        ("C-spine (11/30): normal", ["11/30"]),
        ("on antibiotics 3/15-18", ["3/15-18"]),
        ("3/15 CXR clear", ["3/15"]),
        ("onset in 5/98, worse in 12/07", ["5/98", "12/07"]),
        ("3/14/22-3/20/22", ["3/14/22", "3/20/22"]),
        ("on 3.5.14", ["3.5.14"]),
        ("03 15 1950", ["03 15 1950"]),
        ("Monday, 3/14/22", ["Monday, 3/14/22"]),
        ("|20140315083000.123-0500|", ["20140315083000.123-0500"]),
        ("entered 3140315.1432", ["3140315.1432"]),
        ("2014-03-15T08:30:00.000-05:00", ["2014-03-15T08:30:00.000-05:00"]),
        ("since 2014-03", ["2014-03"]),
        ("14 MAY 2019, 11-APR-2019, 05MAY2014", ["14 MAY 2019", "11-APR-2019", "05MAY2014"]),
        ("14/May/2014; Mar-14", ["14/May/2014", "Mar-14"]),
        ("March 14-16, 2014", ["March 14-16, 2014"]),
        ("born March third, nineteen forty-two", ["March third, nineteen forty-two"]),
        ("June 5, twenty oh-nine", ["June 5, twenty oh-nine"]),
        ("the third of March, two thousand and seven", ["third of March, two thousand and seven"]),
        ("MRN 50-94-20 FEBRUARY 7, 2023", ["FEBRUARY 7, 2023"]),
        ("Friday the 13th; last Tues", ["Friday the 13th", "last Tues"]),
        ("He fell on the 3rd. Back on the 4th of this month.", ["the 3rd", "the 4th of this month"]),
        ("SEEN IN MAY", ["MAY"]),
        ("since last March,", ["March"]),
        ("around CHRISTMAS DAY", ["CHRISTMAS DAY"]),
        ("Mothers Day; New Year's Eve", ["Mothers Day", "New Year's Eve"]),
        ("the spring of 2013", ["spring of 2013"]),
        ("Hearing screen 4/2. OT eval 6/3, wk of 7/8, sched 5/5", ["4/2", "6/3", "7/8", "5/5"]),
        ("abt 3-17. Consent 4-2, visit 5-19", ["3-17", "4-2", "5-19"]),
        ("day 61 of 2019, wk 9 of 2019, Q2 2019", ["day 61 of 2019", "wk 9 of 2019", "Q2 2019"]),
        ("2019-W09; the second quarter of 2019", ["2019-W09", "second quarter of 2019"]),
        ("born on leap day 2016", ["leap day 2016"]),
        ("seen w/ Osei 4/2, visit #3 - 6/3, sched'd 5/5", ["4/2", "6/3", "5/5"]),
        ("wk 9, 2019; the 61st day of 2019; 1Q2019", ["wk 9, 2019", "61st day of 2019", "1Q2019"]),
        ("14-IX-19; 2.II.2014; 17. X. 2019", ["14-IX-19", "2.II.2014", "17. X. 2019"]),
        ("14/15 SEPT; Sept 14/15, 2019", ["14/15 SEPT", "Sept 14/15, 2019"]),
        ("Sept 14 thru 19", ["Sept 14 thru 19"]),
        ("Wound seen on 3/15. 3/2 ERCP, 3/4 extubated", ["3/15", "3/2"]),
    ],
)  # fmt: skip
def test_a_day_goes_however_it_is_written(text: str, phi: list[str]) -> None:
    assert found(text) == phi


@pytest.mark.parametrize(
    "text",
    [
        "Strength 5/5 in both arms, deltoid 4/5; reflexes 2/4; a 2/6 murmur; pain 6/10, then 3/10.",
        "BP 132/84, vision 20/40 and 6/18 OD, PHQ-9 12/27, GCS 8/15, BiPAP 12/5, Apgars 8/9.",
        "Take 1/2 tab, on 3/4 L of oxygen, reduced by 1/2; 36 6/7 weeks; 3/4 of the lumen.",
        "Strength was 5/5 and the pulses were 2/2.",
        "Section 1.2.10 of version 3.5.14.",
        "Depression screen 2/6, swallow eval 4/9; EPDS 6/10; abt 2-3 tabs, visit 2-3, f/u 2-3 weeks.",
        "Q4 2000 mg; day 3 of 5; CN II-XII; 3-I-131; 2 X 2000 mg; case 12; about 10-15 min on 3-15 L.",
        "Your temperature is ninety seven . six, your pulse ninety eight; technetium-99 m; loss of 4q24.",
        "The 3rd toe, on the 3rd day, the 20th week, the 5th metatarsal.",
        "She may 2 tablets take; per MAR 2 tablets; patient MAY return. They march.",
        "Saturations in the 90s, heart rate 94, temperature 101F, fever to 102 F; SpO2 94% on room air.",
        "He was 100 feet away and is 98% saturated; ninety percent; one hundred percent.",
        "effects of OCT on the retina; May-Thurner syndrome; a Christmas tree",
        "In 2010-12 a trial; the spring is mild; an 89-year-old; 1,000 months",
    ],
)
def test_what_is_measured_or_counted_stays(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("grandmother died at 101; father lived to ninety-seven", ["101", "ninety-seven"]),
        ("Lived to be 99. MGM d. 91 of stroke.", ["99", "91"]),
        ("mother 92, alive; grandfather (d. 93)", ["92", "93"]),
        ("Age at death of his grandfather: 1176 months.", ["1176"]),
        ("in her nineties; in his late 90's", ["nineties", "90's"]),
        ("95yo with CHF, 101F with a fall, 94 M c/o pain", ["95", "101", "94"]),
        ("Age/Sex: 94/F; AGE 101Y; Age: 095Y", ["94", "101", "95"]),
        ("one hundred and two-year-old woman", ["one hundred and two"]),
        ("his 101st birthday", ["101st"]),
        ("Mr. Osei is 92 and frail", ["92"]),
        ("born in 1919, seen in 2014", ["1919"]),
        ("born in 1939, seen in 2014", []),
        ("She is 101, b. 1919", ["101", "1919"]),
        ("Age 99. Born in 1918. MI in 2003.", ["99", "1918"]),
        ("YOB 1921, seen 3/4/15", ["1921", "3/4/15"]),
        ("DOB: 1921", ["1921"]),
        ("Mother ninety-four. Two sons. Parents (99 . 3).", ["ninety-four"]),
        ("Osei, 97 (b. 1921); her son was born in 1955", ["97", "1921"]),
        ("Pt is a 93F. Fell. age: 94.5", ["93", "94.5"]),
        ("DOB: 1921, seen [DATE]", []),
        ("born 1961, seen in 2014; mother died at 94", ["94"]),
        ("HD 4. 93F. Lactate 2. Skin temp 94F. Fever. 101F. Warm", ["93"]),
        ("M/93 with a fall; Sex: F 96; M 94 c/o pain", ["93", "96", "94"]),
        ("F 94 c/o pain. Temp: F 98.6, M 140", ["94"]),
        ("age 93.5 years; a 94 1/2-year-old", ["93.5", "94 1/2"]),
        ("G-ma is 93; grandpa 96, well; PA 95, GM 92", ["93", "96"]),
    ],
)
def test_an_age_of_ninety_goes_however_it_is_told(text: str, phi: list[str]) -> None:
    assert sorted(found(text)) == sorted(phi)


@pytest.mark.parametrize(
    ("figures", "fraction"), [("4/5", True), ("12/5", False), ("3/15", False), ("2/03", False), ("6/6", True)]
)
def test_a_fraction_is_no_more_than_a_whole_that_scales_have(figures: str, fraction: bool) -> None:
    assert is_fraction(figures) is fraction


@pytest.mark.parametrize(
    ("first", "second", "days"),
    [("3/2", "3/9", True), ("3/10", "7/10", False), ("1/4", "1/2", False), ("12/30", "1/2", True)],
)
def test_two_scores_of_one_scale_are_no_range_of_days(first: str, second: str, days: bool) -> None:
    assert is_range(first, second) is days


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("Next CT 6/2 (Thu). POD#2 (3/3). C2D1 = 5/11", ["6/2 (Thu)", "3/3", "5/11"]),
        ("Opened 27MAR, expires 2019-Mar-04", ["27MAR", "2019-Mar-04"]),
        ("Surgery was moved from March 13th to the 5th.", ["March 13th to the 5th"]),
        ("LMP 3/2, EDC 10/12. Scan of 062418", ["3/2", "10/12", "062418"]),
        ("her ninety-second birthday. At 94, she gardens. Pt's age (93)", ["ninety-second", "94", "93"]),
        ("At 94% she is well. Father made it to 96, mother only to 71.", ["96"]),
    ],
)
def test_days_and_ages_that_nothing_labels(text: str, phi: list[str]) -> None:
    assert sorted(found(text)) == sorted(phi)


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("DOB: 05 / 27 / 1948", ["05 / 27 / 1948"]),
        ("DOB 5 - 27 - 1948, D.O.B. 27 . 05 . 1948", ["5 - 27 - 1948", "27 . 05 . 1948"]),
        ("Date of admission: 7 / 9 / 21", ["7 / 9 / 21"]),
        ("discharged on 11 / 30 / 2020, seen 2021/ 06/ 08", ["11 / 30 / 2020", "2021/ 06/ 08"]),
        ("from 7 /9/ 2021 - 7 / 12 / 2021", ["7 /9/ 2021", "7 / 12 / 2021"]),
        ("DOS 7/ 9/21 to 7/ 12/21", ["7/ 9/21", "7/ 12/21"]),
        ("last visit 7 / 9 / 21; 7 / 9 / 21 08:30", ["7 / 9 / 21", "7 / 9 / 21 08:30"]),
        ("2021 - 06 - 08 and 2021 – 06 – 08", ["2021 - 06 - 08", "2021 – 06 – 08"]),
        ("7 - Jun - 2021, Jun / 8 / 21", ["7 - Jun - 2021", "Jun / 8 / 21"]),
        ("2021 - Jun - 08", ["2021 - Jun - 08"]),
        ("0 5 / 2 7 / 1 9 4 8", ["0 5 / 2 7 / 1 9 4 8"]),
        ("DOB: |0|5|/|2|7|/|1|9|4|8|", ["0|5|/|2|7|/|1|9|4|8"]),
        ("Birth date\n05\n27\n1948\nSex", ["05\n27\n1948"]),
        ("seen 7 /\n9 / 2021", ["7 /\n9 / 2021"]),
        ("Adm 9/11. Staples out 9-17", ["9/11", "9-17"]),
    ],
)  # fmt: skip
def test_a_day_goes_however_its_parts_stand_apart(text: str, phi: list[str]) -> None:
    assert found(text) == phi


@pytest.mark.parametrize(
    "text",
    [
        "Pain 3 / 4, strength 5 / 5 / 5, BP 120 / 80, vision 20 / 40 and 6 / 18, a ratio of 1 / 2 / 10.",
        "Dosing 1 - 2 - 1, then 2 - 4 - 10; 5 - 10 mg; 10 - 20 - 30; G 4 / P 2 / 1; Apgars 8 / 9 / 10.",
        "Grade 3.\n4. 2010: a stroke. Levels 4 - 5 - 2000 mL; 13 / 14 / 2020; 0 / 4 / 2020; 4 / 32 / 2020.",
        "Take 2 - may repeat. Grade 4. May repeat. Figure 1 . 2 . 10 shows it; removed 3-4 sutures.",
        "LMP 2010, 3-4 weeks; the end date is 2 2; DOE 1 - 2 blocks; birth date unknown, 4 siblings",
        "Scored 4 / 5 / 22 on strength; 2 / 3 / 12 of the items; 10 / 12 / 14 mm.",
    ],
)
def test_what_is_counted_stays_with_spaces_around_its_signs(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "phi"),
    [
        ("ninetytwo years old; age is ninetyseven", ["ninetytwo", "ninetyseven"]),
        ("a hundred-year-old; one-hundred-and-two years old", ["a hundred", "one-hundred-and-two"]),
        ("hundred-year-old woman, 9O years old, age 1O2", ["hundred", "9O", "1O2"]),
        ("in his mid-nineties; a late-nineties lady; woman in the early nineties", ["nineties"] * 3),
        ("Trained in the mid-nineties; sats mid-nineties; hundreds of cells; a hundred tablets", []),
    ],
)
def test_an_age_of_ninety_goes_in_one_word_and_as_a_scanner_reads_it(text: str, phi: list[str]) -> None:
    assert found(text) == phi
