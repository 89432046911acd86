"""Names found once are found everywhere in the document. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

from collections.abc import Iterator

from curbside.phi import Category
from curbside_deidentification.domain.gate import TOKEN
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span


def repetitions(text: str, names: list[Span], lexicon: Lexicon) -> Iterator[Span]:
    """Further mentions of names already found: each part of three letters or more that is no plain word.

    Notes introduce "Robert Feldmann" once and write "Feldmann" from then on.
    """
    parts: set[str] = set()
    for span in names:
        for word in TOKEN.findall(text[span.start : span.end]):
            if len(word) >= 3 and not lexicon.is_word(word):
                parts.add(word.casefold().removesuffix("'s").removesuffix("’s"))
    if not parts:
        return
    for match in TOKEN.finditer(text):
        word = match[0]
        bare = word.removesuffix("'s").removesuffix("’s")
        if word[0].isupper() and bare.casefold() in parts:
            yield Span(match.start(), match.start() + len(bare), Category.NAME, 0.7, "RepeatedName")
