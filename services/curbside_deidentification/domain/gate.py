"""What the statistical model says is a person or a place, held against the vocabulary.

A general NER model takes drugs, headings and findings for names: of 1,267 candidates in 300 reports of
MTSamples, 166 pass. A candidate is kept from its first to its last token that no vocabulary knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import WORD, Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.spans import Span

TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_CAPITALISED: Final = re.compile(r"(?=[^\W\d_a-z])[^\W\d_]+(?:['’-][^\W\d_]+)*")
# A dose, a code or a list marker in the candidate: no person is called "Remeron 15 mg".
_DIGIT: Final = re.compile(r"\d")

# What an eponym stands before.
_EPONYMOUS: Final = re.compile(
    r"['’]s?\s+(?:sign|test|disease|syndrome)|[ -](?:sign|test|disease|syndrome|catheter|"
    r"stain|tube|drain|retractor|clamp|forceps|suture|needle|procedure|maneuver|position|"
    r"incision|classification|score|scale|criteria|fracture|reflex|tumor|tumour|ligament|"
    r"tendon|lymphoma|cell|cells|repair|graft|valve|line|pump|stent|screw|plate|nail|"
    r"blade|bandage|dressing|gauze|hernia|cyst|node|pouch|loop|ring|triangle|canal|duct|"
    r"bodies|space|approach|technique|operation|method|formula|agar|virus|fever|"
    r"contracture|ulcer|esophagus|thyroiditis|palsy|phenomenon|anomaly|malformation|"
    r"deformity|nodule|metastasis|shunt|cannula|scissors|splints?|t-tubes?|"
    r"elevator|speculum|rongeur|holder|stand|index|stitch|stockings?|collar|brace|prosthesis|anastomosis|pressures?|physiology|"
    r"dysplasia|dystrophy|variant)\b",
    re.IGNORECASE,
)

# A whole word in lower case; a part of an address ("leopold.bell@…") proves nothing.
_LOWER: Final = re.compile(r"(?<![\w@./-])[^\W\d_A-Z]+(?![\w@/]|[.-]\w)")

# Words that stand next to a name and not in one; the others are names, too: "Will", "May".
BETWEEN_NAMES: Final = NEVER_NAME - {"may", "will", "do", "can", "in", "so", "no", "an", "a", "i", "rn"}
_CALLED: Final = re.compile(
    r"(?<!\w)(?:[Pp]t|[Mm]r|[Mm]rs|[Mm]s|[Dd]r)\.?[ ]([^\W\d_A-Z]{2,20})(?:[ ]([^\W\d_A-Z]{2,20}))?(?!\w)"
)


def document_lexicon(text: str, lexicon: Lexicon) -> Lexicon:
    """`lexicon` with the words that this document also writes in lower case: they are no names in it."""
    lower = {word for word in _LOWER.findall(text) if len(word) > 3}
    # A frequent name that somebody wrote in small letters is no word for it, nor what stands behind "pt".
    called = {word for match in _CALLED.finditer(text) for word in match.groups() if word}
    return lexicon.with_words(lower - lexicon.words - lexicon.forenames - lexicon.surnames - called)


def trim_to_name(text: str, start: int, end: int, lexicon: Lexicon) -> tuple[int, int] | None:
    """The part of the candidate from its first to its last token that is no word of the vocabulary.

    A vocabulary word next to such a token stays in it when both are capitalised alike ("Robert White").
    None where every token is a word.
    """
    words = list(TOKEN.finditer(text, start, end))
    never = [i for i, word in enumerate(words) if word[0].casefold() in BETWEEN_NAMES]
    evidence = [
        i
        for i, word in enumerate(words)
        if i not in never and len(word[0]) > 1 and word[0][0].isupper() and not lexicon.is_word(word[0])
    ]
    if not evidence:
        return None
    # What is never a part of a name ends one: "Feldmann DOB".
    words = words[: next((i for i in never if i > evidence[0]), len(words))]
    first, last = evidence[0], max(i for i in evidence if i < len(words))
    if lexicon.is_given(words[last][0]) and last + 1 < len(words) and _surname_like(words[last + 1][0]):
        last += 1
    # Initials belong to the name on either side of it.
    while first > 0 and len(words[first - 1][0]) == 1 and text[words[first - 1].end()] != "/":  # "/s/ Osgood"
        first -= 1
    while last + 1 < len(words) and len(words[last + 1][0]) == 1:
        last += 1
    stop = words[last].end()
    if len(words[last][0]) == 1 and stop < len(text) and text[stop] == ".":
        stop += 1
    return words[first].start(), stop


def is_abbreviation(candidate: str, lexicon: Lexicon) -> bool:
    """Whether every part of `candidate` stands in capitals and none is a given name."""
    words = [word for word in TOKEN.findall(candidate) if len(word) > 1]
    return all(word.isupper() and not lexicon.is_given(word) for word in words)


def before_eponym(text: str, end: int) -> bool:
    """Whether what ends at `end` names a sign, a disease or an instrument: "Babinski sign"."""
    return _EPONYMOUS.match(text, end) is not None


def _surname_like(word: str) -> bool:
    return len(word) > 2 and word[0].isupper()


def may_hold_name(text: str, lexicon: Lexicon) -> bool:
    """Whether `gate` could let any candidate in `text` through:

    it needs a capitalised word that is not in the
    vocabulary, and of words in capitals two, or a given name."""
    capitals = 0
    for word in _CAPITALISED.findall(text):
        if lexicon.is_word(word):
            continue
        if not word.isupper() or lexicon.is_given(word):
            return True
        capitals += 1
    return capitals > 1


def gate(candidates: Iterable[Span], text: str, lexicon: Lexicon) -> Iterator[Span]:
    """The candidates that may be names or places, trimmed; a line break ends a candidate."""
    for candidate in candidates:
        for line in re.finditer(r"[^\r\n]+", text[candidate.start : candidate.end]):
            start, end = candidate.start + line.start(), candidate.start + line.end()
            trimmed = trim_to_name(text, start, end, lexicon)
            if trimmed is None:
                continue
            kept = text[slice(*trimmed)]
            if _DIGIT.search(kept) or not _name_like(kept, text, trimmed[0], candidate.category, lexicon):
                continue
            yield replace(candidate, start=trimmed[0], end=trimmed[1])


def _name_like(kept: str, text: str, start: int, category: Category, lexicon: Lexicon) -> bool:
    words = [word for word in WORD.findall(kept) if len(word) > 1]
    if not words or not words[0][0].isupper():
        return False
    if any(lexicon.is_given(word) for word in words):
        return True
    if all(word.isupper() for word in words):
        # Capitals without a given name are abbreviations and headings: EOMI, PERRLA, S1.
        return category is not Category.NAME and len(words) > 1
    if before_eponym(text, start + len(kept)):
        return False
    # A single token is the model's weakest evidence: it must look like a name in letters, too.
    return len(words) > 1 or (len(words[0]) >= 3 and words[0][1:].islower())
