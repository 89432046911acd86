"""Towns with their state. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon, town_key, town_states
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.domain.replacement.words import states
from curbside_deidentification.recognisers.writing.addresses import TOWN
from curbside_deidentification.recognisers.writing.places import BEFORE, STATE, STATE_NAME, all_words

_PLACED: Final = re.compile(r"\b(?i:in|near|from|of|at|to|outside|around|through)[ ]{1,2}$")
_ABBREVIATIONS: Final = {name.casefold(): abbreviation for name, abbreviation in states().items()}


class TownAndState(WordRecogniser):
    """ "Springfield, IL 62704" and "Springfield, IL". Abbreviations that are also words, credentials or
    conditions (MD, PA, MS, OR, IN, …) count only with a ZIP behind them, or a town that is in that state.

    A town may be a plain word ("Mobile, AL"): then the list of towns or the word before must say so.
    """

    category = Category.LOCATION
    score = 0.9
    pattern = re.compile(
        rf"{BEFORE}(?P<phi>(?P<town>{TOWN})(?P<comma>[ ]?,)?[ ]{{1,2}}(?P<state>{STATE}|{STATE_NAME})\b\.?"
        r"(?P<zip>,?\s{1,3}\d{5}(?:-\d{4})?)?)(?![\w-])"
    )
    _AMBIGUOUS: ClassVar = frozenset(
        "MD PA MS MA ME OR IN OK HI AL CO DE ID LA MT NE ND SC VA VI WA CT AR PR DC RI".split()  # noqa: SIM905
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        if match["zip"] and len(match["state"]) == 2:
            return match.span("phi")
        town, state = match["town"], match["state"]
        known = _listed(town, state)
        if known is not None and match["comma"]:
            return match.start("town") + known, match.end("phi")
        if not match["comma"]:
            return None
        words = all_words(town, lexicon)
        if all(word.casefold().strip(".") in GENERIC for word in town.split()):
            return None
        placed = _PLACED.search(match.string, max(0, match.start() - 12), match.start()) is not None
        ambiguous = state in self._AMBIGUOUS
        named = (not words and (placed or not ambiguous)) or (placed and not ambiguous)
        return match.span("phi") if named else None


def _listed(town: str, state: str) -> int | None:
    """Where in `town` the name begins of a town that lies in `state`: other words may precede."""
    abbreviation = _ABBREVIATIONS.get(state.casefold(), state)
    for start in (0, *(space.end() for space in re.finditer(r"[ ]", town))):
        if abbreviation in town_states().get(town_key(town[start:]), frozenset()):
            return start
    return None
