"""Conditional random fields that tell identifiers by the words, shapes and places around them.

What a rule has no form for, a line of other people's habits, still looks like the lines it was fitted on.
`benchmarks/deid_tagger.py` fits them, on made-up names alone; features.py says what they see. There are
two, of the families that there were (data/tagger.json says how many) and of those that were written first:
what the surer one says counts, for each leaves what the other finds.

Lafferty, McCallum and Pereira 2001; CRFsuite (Okazaki 2007, BSD).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from curbside.phi import Category
from curbside_deidentification.domain.features import features, tokens
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.searching import Searched

_DATA: Final = Path(__file__).with_name("data")
TAGGER_FILES: Final = (_DATA / "tagger.crfsuite", _DATA / "tagger_first.crfsuite")
# What each of them was fitted on.
SOURCES_FILE: Final = _DATA / "tagger.json"
OUTSIDE: Final = "O"
# Coarser than the categories: what stands around an account number stands around a policy number.
KINDS: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "N": Category.NAME,
        "L": Category.LOCATION,
        "F": Category.FACILITY,
        "D": Category.DATE,
        "A": Category.AGE,
        "T": Category.PHONE,
        "I": Category.OTHER_ID,
    }
)
# A token that is less likely part of an identifier is taken for none.
FAINT: Final = 0.01
# Tokens that are weighed together; a longer text is read in as many pieces.
SEQUENCE: Final = 400
# The tagger was fitted on notes and on texts without identifiers together. In a text with so many tokens of
# which it is sure, and so many by the word, the odds of each other one are higher than in both; in a longer
# one without any they are lower.
_SURE: Final = 0.97
_SURE_TOKENS: Final = 3
_SURE_BY_WORD: Final = 0.02
_ODDS_AMONG_MANY: Final = 4.0
_LONG: Final = 80  # words
_ODDS_AMONG_NONE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Tagged:
    """A token that may be part of an identifier: `text[start:end]`, and how probably."""

    start: int
    end: int
    category: Category
    probability: float


class Tagger:
    """The fitted models. Loaded when they are first asked, in each process for itself."""

    def __init__(self, paths: Sequence[Path] = TAGGER_FILES) -> None:
        self._paths = paths

    def read(self, text: str, lexicon: Lexicon) -> Sequence[Tagged]:
        """The tokens of `text` that are part of an identifier with a probability of FAINT or more.

        A text that is `Searched` is read once, however many ask.
        """
        if isinstance(text, Searched):
            return text.once(self, lambda: [*self._read(text, lexicon)])
        return [*self._read(text, lexicon)]

    def _read(self, text: str, lexicon: Lexicon) -> Iterator[Tagged]:
        found = tokens(text)
        of_all = features(found, lexicon)
        for begin in range(0, len(found), SEQUENCE):
            for model in self._models:
                model.set(of_all[begin : begin + SEQUENCE])
            for i, token in enumerate(found[begin : begin + SEQUENCE]):
                probability = 1 - min(model.marginal(OUTSIDE, i) for model in self._models)
                if probability >= FAINT and not token[0].isspace():
                    yield Tagged(token.start(), token.end(), self._category(i), probability)

    def _category(self, i: int) -> Category:
        shares = dict.fromkeys(KINDS, 0.0)
        for model in self._models:
            for label in model.labels():
                if label != OUTSIDE:
                    shares[label[-1]] += model.marginal(label, i)
        return KINDS[max(shares, key=shares.__getitem__)]

    @cached_property
    def _models(self) -> Sequence[Any]:
        from pycrfsuite import Tagger as Model  # only workers need it

        models = [Model() for _ in self._paths]
        for model, path in zip(models, self._paths, strict=True):
            model.open(str(path))
        return models


def by_density(text: str, tagged: Sequence[Tagged]) -> Iterable[Tagged]:
    """`tagged`, each as probable as it is in a text with so many that are sure."""
    sure = sum(token.probability >= _SURE for token in tagged)
    words = text.count(" ")
    if sure >= _SURE_TOKENS and sure >= _SURE_BY_WORD * words:
        odds = _ODDS_AMONG_MANY
    elif not sure and words >= _LONG:
        odds = _ODDS_AMONG_NONE
    else:
        return tagged
    return (
        replace(token, probability=odds * token.probability / (1 + (odds - 1) * token.probability))
        for token in tagged
    )
