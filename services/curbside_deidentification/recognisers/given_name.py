"""Names with a known given name in them: "Mary Hotchkinson". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.gate import BETWEEN_NAMES, TOKEN, before_eponym
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.names import FULL, SUFFIX


class GivenName(WordRecogniser):
    """A given name of data/given_names.txt next to another part of a name."""

    category = Category.NAME
    pattern = re.compile(rf"(?<![\w-])(?P<phi>{FULL}{SUFFIX})(?![\w-])")

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        words = list(TOKEN.finditer(match.string, *match.span("phi")))
        first = next((i for i, word in enumerate(words) if lexicon.is_given(word[0])), None)
        if first is None or first == len(words) - 1:
            return None
        end = words[first].end()
        if before_eponym(match.string, end):
            return None
        for word in words[first + 1 :]:
            if word[0].casefold() in BETWEEN_NAMES or match.string[word.end() : word.end() + 1] == ":":
                break
            if word[0].isupper() and len(word[0]) > 1 and lexicon.is_word(word[0]):
                # Capitals throughout: "PETER WHITE", and not "PETER PLAYS".
                bare = word[0].casefold()
                if bare not in lexicon.surnames and bare not in lexicon.eponyms:
                    break
            # "Peter White" is a name; "Peter Chest" is not likely one, and "Peter CHEST" is a new heading.
            if word[0].isupper() and len(word[0]) > 2 and not words[first][0].isupper():
                break
            end = word.end()
        return (words[first].start(), end) if end > words[first].end() else None
