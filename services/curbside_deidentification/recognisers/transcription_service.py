"""Who typed a report, where that is a firm: "Quill Typing". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import CAP

# What laboratories type and cells transcribe.
_LABORATORY: Final = frozenset(
    """
    tissue hla blood molecular dna rna viral cross abo strain gene genetic phage serologic reverse rt rh
    """.split()  # noqa: SIM905
)


class TranscriptionService(WordRecogniser):
    """Capitalised words that end in what such firms do, at a line's beginning or behind who did it."""

    category = Category.FACILITY
    score = 0.8
    pattern = re.compile(
        r"(?:(?<!\w)(?i:by|from|of|at|with|via)[ ]|(?m:^)[ \t]{0,8})(?:the[ ])?"
        rf"(?P<phi>(?P<own>{CAP}(?:[ ](?:&[ ])?{CAP}){{0,2}}?)[ ](?:Typing|Transcription|Transcribers|"
        r"Dictation|Scribes)(?:,?[ ](?:Services?|Associates|Group|Company|Solutions|Inc|LLC|Ltd|Corp|"
        r"Co)\b\.?)*)(?![\w'’:-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        own = {word.casefold() for word in re.findall(CAP, match["own"])}
        named = own - {"medical", "the", "end", "start", "voice"} - NEVER_NAME
        return None if not named or own & _LABORATORY else match.span("phi")
