"""Word lists that tell a name from a medical or plain word. Sources: data/NOTICE."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).with_name("data")
WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

# Words of a place of care that say nothing of which one: "General Hospital" is no name.
GENERIC: Final = frozenset(
    """
    the a an our this that local outside another other general regional community county university
    teaching medical health healthcare care hospital hospitals clinic clinics center centre system
    emergency urgent primary family outpatient inpatient day surgery surgical cancer heart pain wound
    nursing home rehab rehabilitation physical therapy imaging radiology pathology laboratory oncology
    cardiology orthopedic pediatric neurology dermatology urology prenatal antenatal women's children's
    women children specialty referring mental behavioral dental eye sleep memory coumadin
    anticoagulation diabetes follow-up discharge admission during at in of and for to from on department
    service institute associates physicians practice pharmacy public national state private academic
    tertiary free walk-in management pulmonary medicine treatment residential counseling counselling
    chiropractic rehab renal dialysis fertility infusion endoscopy allergy asthma gastroenterology
    endocrinology nephrology rheumatology hematology infectious disease trauma stroke breast vein
    vascular spine hand foot ankle ambulatory recovery crisis walk resident continuity transplant burn
    birth birthing newborn neonatal geriatric ostomy lipid hypertension headache seizure epilepsy weight
    bariatric my his her their another each any some new same local large small first last well good
    student health allied home mental psychiatric military va acute critical intensive
    """.split()  # noqa: SIM905
)


def _lines(name: str) -> frozenset[str]:
    return frozenset((_DATA / name).read_text("utf-8").split())


@dataclass(frozen=True)
class Lexicon:
    """`words` are never names by themselves; `given` are given names that are no words; a
    token with one of `endings` is a medical word that no list need hold ("-ectomy").

    `forenames` and `surnames` are frequent ones, words among them ("Rose", "Hand"): evidence where a name
    must stand, and none by themselves. `eponyms` are surnames that mostly name an instrument or a sign."""

    words: frozenset[str]
    given: frozenset[str]
    endings: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    forenames: frozenset[str] = frozenset()
    surnames: frozenset[str] = frozenset()
    eponyms: frozenset[str] = frozenset()
    # Of a document alone, beside `words`; and what was asked in it so far, for most words are asked often.
    own: frozenset[str] = frozenset()
    _general: Lexicon | None = field(default=None, compare=False, repr=False)
    _asked: dict[str, bool] | None = field(default=None, compare=False, repr=False)

    def is_word(self, token: str) -> bool:
        """Whether `token`, in any case, or each part of a hyphenated one, is a word of the vocabulary."""
        if self._asked is None:
            return self._is_word(token)
        known = self._asked.get(token)
        if known is None:
            known = self._asked[token] = self._is_word(token)
        return known

    def _is_word(self, token: str) -> bool:
        token = token.casefold().removesuffix("'s").removesuffix("’s").strip("'’.")
        if token in self.given:
            return False
        if self._listed(token) or len(token) < 2 or (len(token) > 6 and token.endswith(self.endings)):
            return True
        if self._derived(token):
            return True
        parts = token.split("-")
        return len(parts) > 1 and all(len(part) < 2 or self.is_word(part) for part in parts)

    def _derived(self, token: str) -> bool:
        """A plural of a word, or a word behind one of `prefixes` ("nontender", "transthoracic")."""
        if len(token) > 4 and token.endswith("s") and self._listed(token[:-1]):
            return True
        return any(
            token.startswith(prefix) and len(token) - len(prefix) > 3 and self._listed(token[len(prefix) :])
            for prefix in self.prefixes
        )

    def _listed(self, token: str) -> bool:
        return token in self.words or token in self.own

    def is_given(self, token: str) -> bool:
        return token.casefold().removesuffix("'s").removesuffix("’s") in self.given

    def with_words(self, words: Iterable[str]) -> Lexicon:
        """This vocabulary with `words` for one document; what it is asked lives as long as that."""
        own = self.own | {word.casefold() for word in words}
        return replace(self, own=own, _general=self.general, _asked={})

    @property
    def general(self) -> Lexicon:
        """This vocabulary without the words of the document."""
        return self._general or self


@cache
def load_lexicon() -> Lexicon:
    return Lexicon(
        _lines("vocabulary.txt") | _lines("trade_names.txt"),
        _lines("given_names.txt"),
        forenames=_lines("frequent_given_names.txt"),
        surnames=_lines("frequent_surnames.txt"),
    )


@cache
def abbreviations() -> frozenset[str]:
    """Abbreviations of medicine, its trades and its papers, of two to eight letters."""
    return _lines("abbreviations.txt")


@cache
def towns() -> frozenset[str]:
    """The towns and states of data/places.txt, as they are written."""
    return frozenset((_DATA / "places.txt").read_text("utf-8").splitlines())


@cache
def town_states() -> Mapping[str, frozenset[str]]:
    """The states that a town of data/us_towns.txt is in, by its name as `town_key` spells it.

    Many are plain words ("Mobile", "Reading"), so a name proves nothing without its state or a word before it
    that places somebody.
    """
    states: dict[str, frozenset[str]] = {}
    for line in (_DATA / "us_towns.txt").read_text("utf-8").splitlines():
        name, _, listed = line.partition("|")
        key = town_key(name)
        states[key] = states.get(key, frozenset()) | frozenset(listed.split())
    return states


_SHORTENED: Final = {"saint": "st", "sainte": "ste", "fort": "ft", "mount": "mt", "point": "pt"}


def town_key(name: str) -> str:
    """`name` in small letters with one spelling of "St.", "Saint" and the like."""
    words = name.casefold().replace("’", "'").replace("-", " ").split()
    return " ".join(_SHORTENED.get(word.strip("."), word.strip(".")) for word in words)


def longest_town(phrase: str) -> int:
    """How many characters of `phrase`, from its beginning and in whole words, are a listed town's name."""
    ends = [len(phrase), *(space.start() for space in re.finditer(r"[ ]", phrase))]
    return max((end for end in ends if town_key(phrase[:end]) in town_states()), default=0)


@cache
def small_zip_areas() -> frozenset[str]:
    """The first three digits of ZIP codes where 20,000 people live or fewer, or nobody was counted."""
    return _lines("small_zip_areas.txt")
