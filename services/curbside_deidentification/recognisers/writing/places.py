"""How places are written: states, streets, kinds of facilities, and what is kept of a candidate.

45 CFR 164.514(b)(2)(i)(B).
"""

from __future__ import annotations

from typing import Final

from curbside_deidentification.domain.lexicon import Lexicon

# USPS Publication 28, appendix B: two-letter state and possession abbreviations.
STATE: Final = (
    "(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|"
    "P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY])"
)
# USPS Publication 28, appendix C1: street suffixes in use.
STREET: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Court|Ct|Place|Pl|"
    r"Circle|Cir|Way|Terrace|Ter|"
    r"Parkway|Pkwy|Highway|Hwy|Square|Sq|Trail|Trl|Loop|Crescent|Cres|Alley|Plaza|Pike|"
    r"Turnpike|Row|Path|Ridge|Run|Crossing|Heights|Hollow|Mews|Close)"
)
# Bounded, and begun only where a word begins: a long row of "A-" or "A'" costs no time.
CAP: Final = r"[A-Z][^\W\d_]{0,40}(?:['’&-][^\W\d_]{1,40}){0,4}"
BEFORE: Final = r"(?<![\w.'’&-])"


def all_words(phrase: str, lexicon: Lexicon) -> bool:
    """Whether every word of `phrase` is in the vocabulary."""
    return all(lexicon.is_word(word.strip(".,")) for word in phrase.split())


def opens_line(text: str, at: int) -> bool:
    """Whether a line begins at `at`: a facility's name may stand there whatever its words."""
    return text[:at].rstrip(" \t").endswith("\n") or not text[:at].strip()
