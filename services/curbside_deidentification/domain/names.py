"""Recognisers of names by what stands around them: titles, credentials, labels, kinship, initials.

45 CFR 164.514(b)(2)(i)(A). Found without a statistical model, and gated by the vocabulary so that headings,
drugs and eponyms stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.spans import Span

# One part of a name: Smith, O'Brien, McDonald, Lopez-Garcia, SMITH, or an initial. Bounded, so that a
# long row of hyphens costs no time.
_PART: Final = (
    r"(?:(?:[A-Z][a-z]?['’])?[A-Z][^\W\d_]{1,40}(?:[-’'][A-Z][^\W\d_]{1,40}){0,4}|[A-Z]\.(?=[ ,A-Z)]|$)|"
    r"[A-Z]\b(?![.'’-]?\w))"
)
_PARTICLE: Final = r"(?:(?:van|von|de|del|della|der|den|la|le|di|da|dos|bin|ibn|al|el|ter)\s)"
_NAME: Final = rf"{_PART}(?:[ ]{{1,2}}{_PARTICLE}{{0,2}}{_PART}){{0,3}}"
_FULL: Final = rf"{_PART}(?:[ ]{{1,2}}{_PARTICLE}{{0,2}}{_PART}){{1,3}}"
_LAST_FIRST: Final = rf"{_PARTICLE}{{0,2}}{_PART}(?:[ -]{_PART})?,[ ]?{_PART}(?:[ ]{_PART}){{0,2}}"
_SUFFIX: Final = r"(?:,?\s(?:Jr|Sr|II|III|IV)\b\.?)?"
_CREDENTIAL: Final = (
    r"(?:M\.?D\b|D\.?O\b|R\.?N\b|N\.?P\b|P\.?A\b|PA-C\b|APRN|ARNP|CRNA|CNM|LPN|BSN|MSN|DNP|Ph\.?D\b|PharmD|"
    r"Pharm\.D|D\.?D\.?S\b|DPM|DPT|PT\b|OT\b|RT\b|SLP|LCSW|MSW|FACS|FACC|FACP|FRCS|FRCPC|"
    r"M\.?B\.?B\.?S|MPH|R\.?D\b|O\.?D\b|D\.?C\b|Psy\.?D)"
)
_TITLES: Final = (
    r"(?:Drs?|DR|Doctor|Mr|MR|Mrs|MRS|Ms|MS|Miss|Prof|Professor|Nurse|Sister|Rev|Reverend|"
    r"Father|Officer|Sgt|Capt|Pastor|Rabbi|Sir|Madam|Dame|Judge)"
)
_ROLES: Final = (
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
_KIN: Final = (
    r"wife|husband|spouse|partner|fianc[eé]e?|son|daughter|mother|father|mom|dad|brother|"
    r"sister|aunt|uncle|niece|nephew|cousin|"
    r"grandmother|grandfather|grandson|granddaughter|grandparent|stepson|stepdaughter|"
    r"roommate|neighbor|neighbour|friend|girlfriend|boyfriend|caregiver|caretaker|guardian"
)


@dataclass(frozen=True)
class _Rule:
    """A pattern whose group `phi` is a name; `sure` ones need no proof from the vocabulary."""

    name: str
    pattern: re.Pattern[str]
    score: float
    sure: bool = False
    # Behind a label a name may stand in capitals; elsewhere a lone word in capitals is an abbreviation.
    labelled: bool = False
    # The pattern says where the name begins and ends: one part that is no word vouches for the others.
    whole: bool = False


_RULES: Final = (
    _Rule(
        "TitledName",
        re.compile(rf"\b{_TITLES}\b\.?\s{{1,2}}(?:and\s(?:Mrs|Mr|Dr)\.?\s)?(?P<phi>{_NAME}{_SUFFIX})"),
        0.95,
        sure=True,
        labelled=True,
        whole=True,
    ),
    _Rule(
        "CredentialedName",
        re.compile(
            rf"(?<![\w-])(?P<phi>{_NAME}{_SUFFIX})(?=(?:,\s{{0,2}}|"
            rf"\s{{1,2}})\(?{_CREDENTIAL}(?![\w]))"
        ),
        0.9,
        whole=True,
    ),
    _Rule(
        "CredentialedLastFirst",
        re.compile(rf"(?<![\w-])(?P<phi>{_LAST_FIRST})(?=(?:,\s{{0,2}}|\s{{1,2}})\(?{_CREDENTIAL}(?![\w]))"),
        0.9,
        whole=True,
    ),
    _Rule(
        "LabelledLastFirst",
        re.compile(rf"(?i:\b(?:{_ROLES}))[ \t]{{0,3}}[:=][ \t]{{0,20}}(?P<phi>{_LAST_FIRST}{_SUFFIX})"),
        0.93,
        labelled=True,
        whole=True,
    ),
    _Rule(
        "LabelledName",
        re.compile(
            rf"(?i:\b(?:{_ROLES}))[ \t]{{0,3}}[:=][ \t]{{0,20}}(?:{_TITLES}\.?\s)?(?P<phi>{_NAME}{_SUFFIX})"
        ),
        0.92,
        labelled=True,
        whole=True,
    ),
    _Rule(
        "SignedName",
        re.compile(
            rf"(?i:\b(?:signed|dictated|transcribed|read|interpreted|verified|attested|"
            rf"authenticated|cosigned|electronically\s+signed|seen|evaluated|examined|referred|"
            rf"followed|managed|performed|treated|prescribed|discussed|reviewed|staffed)\s+(?:by|"
            rf"with))\s{{1,3}}(?:{_TITLES}\.?\s)?(?P<phi>{_NAME}{_SUFFIX})"
        ),
        0.88,
        whole=True,
    ),
    _Rule(
        "Salutation",
        re.compile(rf"\b(?:Dear|Sincerely,?|Regards,?|Attn:?)\s{{1,4}}(?:{_TITLES}\.?\s)?(?P<phi>{_NAME})"),
        0.85,
        whole=True,
    ),
    _Rule(
        "NamedPerson",
        re.compile(
            rf"(?i:\b(?:named|name\s+is|called|goes\s+by|known\s+as|nicknamed|prefers|"
            rf"on\s+behalf\s+of))\s{{1,2}}[\"“']?(?P<phi>{_NAME})"
        ),
        0.85,
        whole=True,
    ),
    _Rule(
        "Kin", re.compile(rf"(?i:\b(?:{_KIN}))(?:,|:|\s\(|\s?[-–])?\s{{0,2}}[\"“(]?(?P<phi>{_NAME})"), 0.85
    ),
    _Rule(
        "PatientName",
        re.compile(
            rf"(?i:\b(?:patient|pt|mr|male|female|man|woman|boy|girl|gentleman|lady|client|infant|"
            rf"baby|case\s+of))(?:,|:|\s\(|\s?[-–])?\s{{1,2}}[\"“(]?(?P<phi>{_NAME})"
        ),
        0.85,
        whole=True,
    ),
    _Rule(
        "NameWithInitial",
        re.compile(r"(?<![\w.-])(?P<phi>[A-Z][a-z]{2,14}\s[A-Z]\.?)(?=[\s,;:)?!'’]|$)"),
        0.8,
        whole=True,
    ),
    _Rule(
        "InitialWithName",
        re.compile(r"(?<![\w./-])(?P<phi>(?:[A-Z]\.\s?){1,2}[A-Z][a-z]{2,}(?:-[A-Z][a-z]+)?)\b"),
        0.8,
    ),
)
_GIVEN_NAME: Final = re.compile(rf"(?<![\w-])(?P<phi>{_FULL}{_SUFFIX})(?![\w-])")
# "WHITCOMBE, BERTIL A", and not one of a longer list of abbreviations.
_CAPITALS: Final = re.compile(
    r"(?<![\w,-])(?<!, )(?P<phi>[A-Z]['’]?[A-Z]{3,}(?:-[A-Z]{2,})?,[ ]?[A-Z]{4,}(?:[ ][A-Z]\b\.?)?)(?![\w,-])"
)
_LAST_FIRST_ANYWHERE: Final = re.compile(rf"(?<![\w-])(?P<phi>{_LAST_FIRST})(?![\w-])")
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def find_names(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """Names by context. A candidate keeps the parts from its first to its last non-word; `sure` ones
    (behind a title) are kept whole while they are capitalised."""
    for rule in _RULES:
        for match in rule.pattern.finditer(text):
            start, end = match.span("phi")
            if rule.sure:
                trimmed = _titled(text, start, end, lexicon)
            else:
                trimmed = trim_to_name(text, start, end, lexicon)
                if trimmed is not None and rule.whole and _plausible(match["phi"], lexicon):
                    trimmed = start, max(trimmed[1], end)
            if trimmed is not None and (rule.labelled or not _abbreviation(text[slice(*trimmed)], lexicon)):
                yield Span(*trimmed, Category.NAME, rule.score, rule.name)
    yield from _by_given_name(text, lexicon)


def _by_given_name(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """ "Mary Hotchkinson" and "HOTCHKINSON, MARY": a given name next to another part of a name."""
    for match in _GIVEN_NAME.finditer(text):
        words = list(_TOKEN.finditer(text, *match.span("phi")))
        first = next((i for i, word in enumerate(words) if lexicon.is_given(word[0])), None)
        if first is None or first == len(words) - 1:
            continue
        end = words[first].end()
        for word in words[first + 1 :]:
            # "Peter White" is a name; "Peter Chest" is not likely one, and "Peter CHEST" is a new heading.
            if word[0].isupper() and len(word[0]) > 2 and not words[first][0].isupper():
                break
            end = word.end()
        yield Span(words[first].start(), end, Category.NAME, 0.85, "GivenName")
    for match in _CAPITALS.finditer(text):
        if not any(lexicon.is_word(part) for part in _TOKEN.findall(match["phi"]) if len(part) > 1):
            yield Span(*match.span("phi"), Category.NAME, 0.8, "CapitalLastFirst")
    for match in _LAST_FIRST_ANYWHERE.finditer(text):
        last_name = _TOKEN.findall(match["phi"])[0]
        comma = match["phi"].index(",")
        behind = [word[0] for word in _TOKEN.finditer(match["phi"], comma)]
        if behind and lexicon.is_given(behind[0]) and not lexicon.is_word(last_name):
            yield Span(*match.span("phi"), Category.NAME, 0.85, "LastFirst")


def _titled(text: str, start: int, end: int, lexicon: Lexicon) -> tuple[int, int] | None:
    """The name behind a title: its first part whatever it is, further parts while they are no plain words
    or the one before is none; "Dr. Smith Cardiology" ends at Smith."""
    words = list(_TOKEN.finditer(text, start, end))
    if not words or (lexicon.is_word(words[0][0]) and words[0][0].casefold() in _NEVER_AFTER_TITLE):
        return None
    last = words[0]
    for word in words[1:]:
        if word[0].casefold() in GENERIC:
            break
        if len(word[0]) > 1 and lexicon.is_word(word[0]) and lexicon.is_word(last[0]) and len(last[0]) > 1:
            break
        last = word
    stop = last.end()
    return start, stop + (stop < end and text[stop] == "." and len(last[0]) == 1)


# "MS" is also multiple sclerosis and "Nurse" and "Father" are words: what follows them then is a plain word.
_NEVER_AFTER_TITLE: Final = frozenset(
    """
    is was has had the a an and or of in on at for with patient diagnosis relapse treatment plaques
    lesions practitioner manager call notes note states reports history exam contrast i ii iii iv
    """.split()  # noqa: SIM905
)


def trim_to_name(text: str, start: int, end: int, lexicon: Lexicon) -> tuple[int, int] | None:
    """The part of the candidate from its first to its last token that is no word of the vocabulary.

    A vocabulary word next to such a token stays in it when both are capitalised alike ("Robert White").
    None where every token is a word.
    """
    words = list(_TOKEN.finditer(text, start, end))
    evidence = [i for i, word in enumerate(words) if len(word[0]) > 1 and not lexicon.is_word(word[0])]
    if not evidence:
        return None
    first, last = evidence[0], evidence[-1]
    if lexicon.is_given(words[last][0]) and last + 1 < len(words) and _surname_like(words[last + 1][0]):
        last += 1
    # Initials belong to the name on either side of it.
    while first > 0 and len(words[first - 1][0]) == 1:
        first -= 1
    while last + 1 < len(words) and len(words[last + 1][0]) == 1:
        last += 1
    stop = words[last].end()
    if len(words[last][0]) == 1 and stop < len(text) and text[stop] == ".":
        stop += 1
    return words[first].start(), stop


def _plausible(candidate: str, lexicon: Lexicon) -> bool:
    """Whether all of `candidate` may be one name: four parts at most, and no label behind its comma
    ("Quatremer, MRN")."""
    behind = _TOKEN.findall(candidate.partition(",")[2])
    labels = behind and len(behind[0]) > 1 and lexicon.is_word(behind[0])
    return len(_TOKEN.findall(candidate)) <= 4 and not labels


def _abbreviation(candidate: str, lexicon: Lexicon) -> bool:
    words = [word for word in _TOKEN.findall(candidate) if len(word) > 1]
    return all(word.isupper() and not lexicon.is_given(word) for word in words)


def _surname_like(word: str) -> bool:
    return len(word) > 2 and word[0].isupper()


def repetitions(text: str, names: list[Span], lexicon: Lexicon) -> Iterator[Span]:
    """Further mentions of names already found: each part of three letters or more that is no plain word.

    Notes introduce "Robert Feldmann" once and write "Feldmann" from then on.
    """
    parts: set[str] = set()
    for span in names:
        for word in _TOKEN.findall(text[span.start : span.end]):
            if len(word) >= 3 and not lexicon.is_word(word):
                parts.add(word.casefold().removesuffix("'s").removesuffix("’s"))
    if not parts:
        return
    for match in _TOKEN.finditer(text):
        word = match[0]
        bare = word.removesuffix("'s").removesuffix("’s")
        if word[0].isupper() and bare.casefold() in parts:
            yield Span(match.start(), match.start() + len(bare), Category.NAME, 0.7, "RepeatedName")
