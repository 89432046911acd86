"""Names behind a title: "Dr. Osgood", "Mr. White". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from typing import Final

from curbside_deidentification.domain.gate import BETWEEN_NAMES, TOKEN
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.recognisers.writing.names import NAME, SUFFIX, TITLES, NameRecogniser

# "MS" is also multiple sclerosis and "Nurse" and "Father" are words: what follows them then is a plain word.
_NEVER_AFTER_TITLE: Final = frozenset(
    """
    is was has had the a an and or of in on at for with patient diagnosis relapse treatment plaques
    lesions practitioner manager call notes note states reports history exam contrast i ii iii iv
    """.split()  # noqa: SIM905
)


class TitledName(NameRecogniser):
    """The first part behind a title is a name whatever it is; further ones while they are no plain words."""

    score = 0.95
    labelled = True
    # At a line's end MS and MR are initials, sclerosis or a scan, unless a full stop shortens them.
    pattern = re.compile(
        rf"\b{TITLES}\b(?:\.\s{{1,2}}|(?:[^\S\r\n]|(?<!\bMS)(?<!\bMR)\s){{1,2}})(?:and\s(?:Mrs|Mr|Dr)\.?\s)?"
        rf"(?P<phi>{NAME}{SUFFIX})"
    )

    def trimmed(self, text: str, start: int, end: int, lexicon: Lexicon) -> tuple[int, int] | None:
        """The name behind a title: its first part whatever it is, further parts while they are no plain words
        or the one before is none; "Dr. Smith Cardiology" ends at Smith."""
        words = list(TOKEN.finditer(text, start, end))
        if not words or (lexicon.is_word(words[0][0]) and words[0][0].casefold() in _NEVER_AFTER_TITLE):
            return None
        last = words[0]
        for word in words[1:]:
            if word[0].casefold() in GENERIC or word[0].casefold() in BETWEEN_NAMES:
                break
            if (
                len(word[0]) > 1
                and lexicon.is_word(word[0])
                and lexicon.is_word(last[0])
                and len(last[0]) > 1
                and not _frequent(last[0], word[0], lexicon)
            ):
                break
            last = word
        stop = last.end()
        return start, stop + (stop < end and text[stop] == "." and len(last[0]) == 1)


def _frequent(given: str, surname: str, lexicon: Lexicon) -> bool:
    """Whether both are frequent names, although they are words: "Dr. Rose Banks"."""
    surname = surname.casefold()
    return given.casefold() in lexicon.forenames and (
        surname in lexicon.surnames or surname in lexicon.eponyms
    )
