"""Names and places that the statistical model sees. 45 CFR 164.514(b)(2)(i)(A) and (B).

spaCy's `en_core_web_md` (MIT; trained on OntoNotes 5, LDC2013T19), its entity recogniser alone: tagger,
parser and lemmatiser take time and feed nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from curbside.phi import Category
from curbside_deidentification.domain.gate import gate, may_hold_name
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

# ORG, NORP, DATE and others of the model's labels are left out: they mark findings, peoples and durations.
_CATEGORIES: Final = {
    "PERSON": Category.NAME,
    "GPE": Category.LOCATION,
    "LOC": Category.LOCATION,
    "FAC": Category.LOCATION,
}
# 0.6: the model's spans carry no confidence of their own; a pattern that overlaps one knows better.
_SCORE: Final = 0.6
# A sentence, or a piece of one of at most 400 characters: the model looks four tokens to either side.
_PIECE: Final = re.compile(
    r"[^\n\r]{1,400}?(?:[.!?;](?=\s{1,4}[A-Z])|(?=[\n\r])|$)|[^\n\r]{1,400}(?!\w)|[^\n\r]{1,400}"
)
_PIECES_AT_ONCE: Final = 64


class Statistical:
    """What the model takes for a person or a place, as far as the vocabulary lets it.

    A piece of the text where the gate would let nothing through is not read at all: "proven free".
    """

    def __init__(self, model: Any) -> None:
        """`model` is a spaCy pipeline with an entity recogniser."""
        self._model = model

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        [candidates] = self.candidates([(text, lexicon)])
        return gate(candidates, text, lexicon)

    def candidates(self, texts: Sequence[tuple[str, Lexicon]]) -> list[list[Span]]:
        """What the model says of the pieces that may hold a name, for each text and before the gate.

        Many small pieces at once cost the model less than each alone, whichever texts they are of.
        """
        found: list[list[Span]] = [[] for _ in texts]
        read = (
            (text[start:end], (number, start))
            for number, (text, lexicon) in enumerate(texts)
            for start, end in pieces(text, lexicon)
        )
        for document, (number, start) in self._model.pipe(read, as_tuples=True, batch_size=_PIECES_AT_ONCE):
            for entity in document.ents:
                category = _CATEGORIES.get(entity.label_)
                if category is not None:
                    place = start + entity.start_char, start + entity.end_char
                    found[number].append(Span(*place, category, _SCORE, "Statistical"))
        return found


def pieces(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Where the pieces that may hold a name begin and end; neighbours in a line are one."""
    begin = end = 0
    for match in _PIECE.finditer(text):
        if not may_hold_name(match[0], lexicon):
            continue
        if end and match.start() == end and end - begin < 400:
            end = match.end()
            continue
        if end:
            yield begin, end
        begin, end = match.span()
    if end:
        yield begin, end
