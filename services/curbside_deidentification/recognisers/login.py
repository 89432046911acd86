"""Logins of staff, where a name is signed: "RN: rvanterpool2". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser

_ROLE: Final = (
    r"RN|LPN|LVN|CNA|PCT|MA|CMA|RMA|NP|FNP|PA(?:-C)?|MD|DO|RT|RRT|PT|OT|SLP|RD|MSW|LCSW|CM|PharmD|RPh|CRNA|CNM|"
    r"EMT|MT|MLS|tech(?:nician|nologist)?|nurse|provider|author|scribe|clerk|typist|initials|signature|sig|staff"
)
_BY: Final = (
    r"(?:chart|document|record|enter|fil|edit|modif|creat|sign|e-?sign|co-?sign|verif|result|releas|perform|"
    r"collect|acknowledg|review|scrib|order|schedul|dispens|administer|giv|witness|complet|updat|print|scann|"
    r"approv|attest|authenticat|authoriz|not|log|key|typ|draw|triag|room|check)(?:i?ed|en|n)?(?:\s(?:in|on|out))?\s"
    r"by"
)
_WRITTEN_BY: Final = (
    r"chart(?:ed|ing)|documented|entered|e-?signed|co-?signed|signed|recorded|verified|scribed|typed"
)
# "r.vanterpool", "rvanterpool2", "vanterpool_r".
_LOGIN: Final = r"[a-z]{1,24}(?:[._][a-z]{1,24}){0,2}\d{0,5}"
_PART: Final = re.compile(r"[a-z]+")
_SHORTEST: Final = 5


class Login(WordRecogniser):
    """In small letters behind "by:" or a role, or behind two dashes or before a role where a note ends.

    A part of it is no word: "RN: aware", "Collected by: midstream" and "--c.diff" name nobody. Behind a role
    or a dash, where findings stand too, a figure or a point shows that it is a login.
    """

    category = Category.NAME
    score = 0.85
    pattern = re.compile(
        rf"(?:(?P<by>\b(?i:{_BY})\b\s?[:=]\s{{0,2}}|\b(?i:{_WRITTEN_BY})\sby\s)|"
        rf"(?:\b(?:{_ROLE}|(?i:per|user|entered|signed|logged))\s|\[(?=[a-z]+\d+\])|(?<=\s)-)"
        r"(?=[a-z]{5}[a-z]*\d)|"
        rf"\b(?i:{_ROLE})\s?[:=]\s{{0,2}}|(?:--|~)\s?|"
        rf"(?:\n|\b(?:signed|by)\s)(?=[a-z]{{1,3}}\.[a-z]+,?\s(?:{_ROLE})\b))"
        rf"(?P<phi>(?<![\w.@/]){_LOGIN})(?![\w@/-]|\.\w)"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        login = match["phi"]
        if match["by"] is None and login.isalpha():
            return None
        # What the document writes in small letters it holds for a word: of a login that says nothing.
        parts = [part for part in _PART.findall(login) if len(part) > 3]
        if len(login) < _SHORTEST or all(_is_word(part, lexicon.general) for part in parts):
            return None
        return match.span("phi")


def _is_word(part: str, lexicon: Lexicon) -> bool:
    """Or two in one: "midstream"."""
    return lexicon.is_word(part) or any(
        lexicon.is_word(part[:at]) and lexicon.is_word(part[at:]) for at in range(3, len(part) - 2)
    )
