"""A text with its spans replaced by policy, and a text with surrogates turned back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Final

from curbside.phi import CODE_LENGTH, CODE_LETTERS, PLACEHOLDER, Category
from curbside_deidentification.domain.composed import typed
from curbside_deidentification.domain.replacement.dates import (
    shifted_mention,
    tells_high_age,
    writes_day_first,
    years_of,
)
from curbside_deidentification.domain.replacement.keyed import Keyed
from curbside_deidentification.domain.replacement.ledger import Ledger
from curbside_deidentification.domain.replacement.mapping import SubjectMapping, SubjectSecrets, folded
from curbside_deidentification.domain.replacement.names import cased, name_surrogate, name_words
from curbside_deidentification.domain.replacement.numbers import number_surrogate
from curbside_deidentification.domain.replacement.places import (
    facility_surrogate,
    generalised_age,
    generalised_place,
    place_surrogate,
)
from curbside_deidentification.domain.replacement.policy import Action, ReplacementPolicy
from curbside_deidentification.domain.spans import Span, count_by_category

# A telephone of seven digits has a hundred fictional ones: so many draws find a free one while there is any.
_ATTEMPTS: Final = 64
_GENERALISED_AGE: Final = "90 or older"


@dataclass(frozen=True, slots=True)
class Replaced:
    """`text` has surrogates where there were spans; `mapping` is the one that was given and what is new."""

    text: str = field(repr=False)
    mapping: SubjectMapping
    counts: Mapping[str, int]


def replace(
    text: str,
    spans: Sequence[Span],
    policy: ReplacementPolicy,
    secrets: SubjectSecrets,
    mapping: SubjectMapping,
    *,
    reference_year: int | None,
    avoid: Iterable[str] = (),
) -> Replaced:
    """`text` with each of `spans` (disjoint, in order) replaced by `policy`; all between them is unchanged.

    The same `secrets`, `mapping` and text give the same. `reference_year` is when the text was written: it
    completes a month and day, and tells whether a year says that somebody is 90. `avoid` are identifiers of
    the patient that no surrogate may equal.
    """
    if any(later.start < earlier.end for earlier, later in pairwise(spans)):
        raise ValueError("spans to replace are disjoint and in order")
    mentions = [(span.category, text[span.start : span.end]) for span in spans]
    dates = [mention for category, mention in mentions if category is Category.DATE]
    writer = _Writer(
        policy,
        secrets,
        Keyed(secrets.key),
        Ledger(mapping, text, avoid),
        reference_year,
        writes_day_first(dates),
    )
    # Whole names first where they get surrogates: they say which of their words is the surname, and what an
    # initial stands for. All else in the order of the text.
    drawn = policy.rules[Category.NAME].action is Action.SURROGATE
    in_order = sorted(
        dict.fromkeys(mentions),
        key=lambda said: -len(said[1].split()) if drawn and said[0] is Category.NAME else 0,
    )
    written = {mention: writer.written(*mention) for mention in in_order}
    pieces: list[str] = []
    reached = 0
    for span, mention in zip(spans, mentions, strict=True):
        new = written[mention]
        if span.category is Category.AGE and folded(text[span.start :]).startswith(_GENERALISED_AGE):
            new = mention[1]  # it says so already
        pieces += (text[reached : span.start], new)
        reached = span.end
    return Replaced("".join((*pieces, text[reached:])), writer.ledger.mapping(), count_by_category(spans))


def restore(text: str, *mappings: SubjectMapping, tags: bool = True) -> str:
    """`text` with every surrogate of `mappings` that stands in it by itself turned back, and nothing else.

    A surrogate that stands for two things is left: nobody could tell for which. So are all in brackets
    without `tags`.
    """
    originals: dict[str, set[str]] = {}
    back: dict[str, str] = {}
    for mapping in mappings:
        for _, original, surrogate in mapping.pairs():
            originals.setdefault(surrogate, set()).add(folded(original))
            back.setdefault(surrogate, original)
    words: dict[str, set[str]] = {}
    for mapping in mappings:
        for surrogate, word in _words_back(mapping):
            back.setdefault(surrogate, word)
            words.setdefault(surrogate, set()).add(folded(word))
    originals = words | originals
    sure = [
        surrogate
        for surrogate, stands_for in originals.items()
        if len(stands_for) == 1 and (tags or not PLACEHOLDER.fullmatch(surrogate))
    ]
    if not sure:
        return text
    alternatives = "|".join(map(_by_itself, sorted(sure, key=len, reverse=True)))
    return re.sub(alternatives, lambda found: back[found[0]], text)


@dataclass(frozen=True)
class _Writer:
    """What stands for a mention, by the policy."""

    policy: ReplacementPolicy
    secrets: SubjectSecrets
    keyed: Keyed
    ledger: Ledger
    reference_year: int | None
    day_first: bool

    def written(self, category: Category, mention: str) -> str:
        if PLACEHOLDER.fullmatch(mention):
            return mention
        rule = self.policy.rules[category]
        plain = f"[{rule.tag}]"
        if rule.action is Action.YEAR:
            return years_of(mention, self.reference_year) or plain
        if rule.action is Action.GENERALISE:
            return generalised_age(mention) if category is Category.AGE else generalised_place(mention, plain)
        if rule.action is Action.TAG and not self.policy.numbered:
            return plain
        known = self.ledger.mention(category, mention)
        if rule.action is Action.SHIFT:
            # Moved by a year at most, it would tell what "90 or older" beside it does not.
            if tells_high_age(mention, self.reference_year):
                return plain
            moved = shifted_mention(
                mention, self.secrets.date_offset, self.reference_year, day_first=self.day_first
            )
            # Not `known`: what a date becomes hangs on nothing but the offset.
            return self.ledger.keep(category, mention, moved) if moved is not None else plain
        if known is not None and (rule.writes(known) or (self.policy.numbered and rule.is_tag(known))):
            return known
        new = None
        if rule.action is Action.SURROGATE:
            new = self._surrogate(category, mention)
        elif rule.action is Action.PSEUDONYM:
            new = self._pseudonym(category, mention, rule.tag)
        if new is None and not self.policy.numbered:
            return plain
        return self.ledger.keep(category, mention, new or self._numbered_tag(mention, rule.tag))

    def _surrogate(self, category: Category, mention: str) -> str | None:
        draw = {
            Category.NAME: name_surrogate,
            Category.LOCATION: place_surrogate,
            Category.FACILITY: facility_surrogate,
        }.get(category, partial(number_surrogate, category))
        read = typed(mention)
        for attempt in range(_ATTEMPTS):
            new = draw(read, self.keyed, self.ledger, attempt)
            if new is not None and new != mention and self.ledger.allows(mention, new):
                return new
        return None

    def _pseudonym(self, category: Category, mention: str, tag: str) -> str | None:
        for attempt in range(_ATTEMPTS):
            draws = self.keyed.numbers("pseudonym", category, folded(mention), attempt)
            code = "".join(CODE_LETTERS[next(draws) % len(CODE_LETTERS)] for _ in range(CODE_LENGTH))
            if self.ledger.allows(mention, f"[{tag}_{code}]"):
                return f"[{tag}_{code}]"
        return None

    def _numbered_tag(self, mention: str, tag: str) -> str:
        number = 1
        while True:
            new = f"[{tag}]" if number == 1 else f"[{tag}_{number}]"
            if self.ledger.allows(mention, new) and self.ledger.is_free(mention, new):
                return new
            number += 1


def _words_back(mapping: SubjectMapping) -> Iterable[tuple[str, str]]:
    """Each word of a surrogate name with the word that it stands for: an answer may say the surname alone."""
    spelled: dict[str, str] = {}
    for original in mapping.mentions.get(Category.NAME, {}):
        for word in name_words(original):
            if not word.isupper() or folded(word) not in spelled:
                spelled[folded(word)] = word
    for name, surrogates in mapping.parts.get(Category.NAME, {}).items():
        for surrogate in surrogates:
            for form in (surrogate, surrogate.upper(), surrogate.lower()):
                yield form, cased(spelled.get(name, name), form)


def _by_itself(surrogate: str) -> str:
    before = r"(?<!\w)" if surrogate[0].isalnum() else ""
    after = r"(?!\w)" if surrogate[-1].isalnum() else ""
    return before + re.escape(surrogate) + after
