"""How names of people are written, and what is kept of a candidate for one.

Recognisers of names find candidates by what stands around them: titles, credentials, labels, kinship,
initials. 45 CFR 164.514(b)(2)(i)(A).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from curbside.phi import Category
from curbside_deidentification.domain.gate import BETWEEN_NAMES, TOKEN, is_abbreviation, trim_to_name
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.domain.spans import Span

# One part of a name: Smith, O'Brien, McDonald, Lopez-Garcia, SMITH, or an initial. Bounded, so that a
# long row of hyphens costs no time. Before a slash and a figure stands a sex: "OSGOOD RUTH F/58".
PART: Final = (
    r"(?:(?:[A-Z][a-z]?['’])?[A-Z][^\W\d_]{1,40}(?:[-’'][A-Z][^\W\d_]{1,40}){0,4}"
    r"(?:-[a-z]{2,12}(?!\w))?|[A-Z]\.(?=[ ,A-Z)]|$)|"
    r"[A-Z]\b(?![.'’-]?\w|/\d))"
)
PARTICLE: Final = r"(?:(?:van|von|de|del|della|der|den|la|le|di|da|dos|bin|ibn|al|el|ter)\s)"
NAME: Final = rf"{PART}(?:[ ]{{1,2}}{PARTICLE}{{0,2}}{PART}){{0,3}}"
FULL: Final = rf"{PART}(?:[ ]{{1,2}}{PARTICLE}{{0,2}}{PART}){{1,3}}"
LAST_FIRST: Final = rf"{PARTICLE}{{0,2}}{PART}(?:[ -]{PART})?,[ ]?{PART}(?:[ ]{PART}){{0,2}}"
SUFFIX: Final = r"(?:,?\s(?:Jr|Sr|II|III|IV)\b\.?)?"
CREDENTIAL: Final = (
    r"(?:M\.?D\b|D\.?O\b|R\.?N\b|N\.?P\b|P\.?A\b|PA-C\b|APRN|ARNP|CRNA|CNM|LPN|BSN|MSN|DNP|Ph\.?D\b|PharmD|"
    r"Pharm\.D|D\.?D\.?S\b|DPM|DPT|PT\b|OT\b|RT\b|SLP|LCSW|MSW|FACS|FACC|FACP|FRCS|FRCPC|"
    r"M\.?B\.?B\.?S|MPH|R\.?D\b|O\.?D\b|D\.?C\b|Psy\.?D)"
)
TITLES: Final = (
    r"(?:Drs?|DRS?|Doctor|Mr|MR|Mrs|MRS|Ms|MS|Miss|Prof|Professor|Nurse|Sister|Rev|Reverend|"
    r"Father|Officer|Sgt|Capt|Pastor|Rabbi|Sir|Madam|Dame|Judge)"
)
ROLES: Final = (
    r"patient(?:'s)?(?:\s+name)?|pt(?:\s+name)?|name|first\s+name|last\s+name|full\s+name|"
    r"maiden\s+name|alias|a\.?k\.?a\.?|"
    r"attending(?:\s+(?:physician|surgeon|md|radiologist|pathologist))?|(?:referring|"
    r"ordering|requesting|consulting|primary(?:\s+care)?|admitting|dictating|treating|"
    r"responsible|interpreting|reading|supervising|collecting|performing)"
    r"(?:\s+(?:physician|provider|doctor|clinician|md|surgeon|radiologist|pathologist))?|"
    r"physician|provider|doctor|clinician|surgeon|assistant|first\s+assistant|"
    r"anesthesiologist|anaesthetist|radiologist|pathologist|cytotechnologist|resident|"
    r"fellow|intern|nurse|technologist|tech|therapist|dietitian|consultant|PCP|"
    r"cc|attn|to|from|re|author|transcriptionist|scribe|witness(?:ed\s+by)?|prepared\s+(?:for|by)|"
    r"(?:electronically\s+)?(?:signed|cosigned|dictated|transcribed|reported|read|"
    r"interpreted|reviewed|verified|attested|authenticated|approved|finalized|edited|"
    r"performed|ordered|requested|referred|completed|documented|entered|submitted|"
    r"collected)(?:\s+and\s+(?:signed|interpreted|reported|verified|authenticated))?\s+by|"
    r"e-signed(?:\s+by)?|signature|emergency\s+contact|next\s+of\s+kin|NOK|guardian|"
    r"guarantor|subscriber|mother|father|spouse|wife|husband|son|daughter|sister|brother|"
    r"caregiver|contact(?:\s+person)?"
)
KIN: Final = (
    r"wife|husband|spouse|partner|fianc[eé]e?|son|daughter|mother|father|mom|dad|brother|"
    r"sister|aunt|uncle|niece|nephew|cousin|"
    r"grandmother|grandfather|grandson|granddaughter|grandparent|stepson|stepdaughter|"
    r"roommate|neighbor|neighbour|friend|girlfriend|boyfriend|caregiver|caretaker|guardian"
)


class NameRecogniser(WordRecogniser):
    """A candidate keeps the parts from its first to its last that is no word of the vocabulary."""

    category = Category.NAME
    # Behind a label a name may stand in capitals; elsewhere a lone word in capitals is an abbreviation.
    labelled: ClassVar[bool] = False
    # The pattern says where the name begins and ends: one part that is no word vouches for the others.
    whole: ClassVar[bool] = False

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        start, end = match.span("phi")
        kept = self.trimmed(match.string, start, end, lexicon)
        if kept is None or (not self.labelled and is_abbreviation(match.string[slice(*kept)], lexicon)):
            return None
        return kept

    def trimmed(self, text: str, start: int, end: int, lexicon: Lexicon) -> tuple[int, int] | None:
        kept = trim_to_name(text, start, end, lexicon)
        if kept is not None and self.whole and _plausible(text[start:end], lexicon):
            return without_labels(text, start, max(kept[1], end))
        return kept

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        """As every recogniser does, but looking again at what is left of a match.

        In capitals one match reaches over two names: "DR. OSGOOD AND DR. LIND".
        """
        at = 0
        while (match := self.pattern.search(text, at)) is not None:
            kept = self.bounds(match, lexicon)
            at = max(match.end() if kept is None else min(kept[1], match.end()), match.start() + 1)
            if kept is not None:
                yield Span(*kept, self.category, self.score, type(self).__name__)


def without_labels(text: str, start: int, end: int) -> tuple[int, int]:
    """`start` to `end` without what is no part of a name at either side: "Per Ruth Vanterpool", "… DOB"."""
    words = list(TOKEN.finditer(text, start, end))
    if text[end : end + 1] == ":" and len(words) > 1:
        words.pop()  # the next label of a line
        end = words[-1].end()
    names = [i for i, word in enumerate(words) if word[0].casefold() not in BETWEEN_NAMES]
    if not names:
        return start, end
    behind = next((i for i in range(names[0], len(words)) if i not in names), None)
    return (
        words[names[0]].start() if names[0] else start,
        end if behind is None else words[behind - 1].end(),
    )


def _plausible(candidate: str, lexicon: Lexicon) -> bool:
    """Whether all of `candidate` may be one name: four parts at most, and no label behind its comma
    ("Quatremer, MRN")."""
    behind = TOKEN.findall(candidate.partition(",")[2])
    labels = behind and len(behind[0]) > 1 and lexicon.is_word(behind[0])
    return len(TOKEN.findall(candidate)) <= 4 and not labels
