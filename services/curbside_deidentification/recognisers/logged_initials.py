"""Initials of who did or charted something, in logs and at an entry's end. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME, words
from curbside_deidentification.domain.spans import Span

_THINGS: Final = words("abbreviations")
_BOUND: Final = r"(?=[.,;)\]]?(?:[ \t]{0,3}(?:[\r\n]|\Z)|[ \t])|[.,;)\]])"
_INITIALS: Final = r"[A-Z]{3}|[A-Z]\.[A-Z]\.(?:[A-Z]\.)?"
# What staff do whose initials stand behind it, and marks for who did it.
_DONE: Final = (
    r"checked|verified|ck(?:'?d)?|chk(?:'?d)?|rechecked|filled|counted|recounted|posted|noted|"
    r"ordered|witness|"
    r"charted|hung|spiked|primed|dispensed|compounded|labeled|tubed|scanned|keyed|"
    r"entered|resulted|logged|initialed|initials?(?:\s?here)?|staff|tech|aide|minutes|counts|"
    r"cosigned|co-signed|cosign|edited|transcribed|faxed|mailed|rounds|wasted?|deduct|auth|rep|"
    r"clerk|operator|phleb|"
    r"typed|voice\sfile\s\w+"
)
_BEHIND: Final = re.compile(
    rf"(?<![\w-])(?i:{_DONE})(?:[ ]?[:,#-])?[ ]{{1,2}}(?P<one>{_INITIALS})(?:/(?P<two>[A-Z]{{2,4}}))?"
    r"(?![\w/&-]|[ ](?:[a-z]{4,}|-))"
)
# Two capitals are initials behind who does it, at the end of what is said.
_TWO: Final = re.compile(
    r"\b(?i:tech(?:nologist|nician)?|sonographer|phlebotomist|initials?|operator|scribe|typist|recorder|sitter)"
    r"[ :]{1,2}(?P<one>[A-Z]{2})(?=[.,;)]?[ ]{0,2}(?:[\r\n]|\Z)|[.;)])"
)
# An entry that begins with a time of day, and ends with who made it.
_ENTRY: Final = re.compile(
    r"(?m:^)[>*\[( \t]{0,6}(?:\d{1,2}[-/]\d{1,2}(?:[-/]\d{2,4})?[ ,]{1,2})?\d{1,2}:?\d\d[^\r\n]{3,300}?"
    r"[\w%.,;)\]]-?[ ]{1,3}[-–—/]?[ ]?(?P<one>[A-Z]{3})[ \t.]{0,3}(?m:$)"
)
_LAST: Final = re.compile(
    r"(?:[a-z\d][.!?;)][ ]{1,2}|(?m:^)[ \t]{0,4}[-–—~/]{1,2}[ ]?|"
    r"[.!?][ ]{0,2}[-–—~/]{1,2}[ ]?)(?P<one>[A-Z]{3})[ \t]{0,4}(?=[\r\n]|\Z)"
)
_TIMED: Final = re.compile(
    rf"(?:(?:\d{{1,2}}:\d\d|(?<![\d.])[0-2]\d[0-5]\d)(?:[ ]?[AaPp]\.?[Mm]\.?)?"
    rf"[ ]?[(\[](?P<one>{_INITIALS})[)\]]"
    r"|(?:@[ ]?\d{1,2}:?\d\d|(?<=[ ])\d{1,2}:\d\d)[ ](?P<at>[A-Z]{3})(?=[ ]{0,2}(?:[.;][ ]|\.?[\r\n]|\.?\Z))"
    rf"|[(\[](?P<dotted>[A-Z]\.[A-Z]\.(?:[A-Z]\.)?)[)\]](?=:|[ ](?:at|on|from)[ ])"
    rf"|(?<=[a-z\d][ ])(?P<dated>[A-Z]{{3}})"
    rf"(?=[ ,]{{1,2}}\d{{1,2}}/\d{{1,2}}(?:/\d{{2,4}})?[ ]?@?[ ]?(?:\d{{1,2}}:?\d\d)?\b))"
)


class LoggedInitials:
    """Three capitals, or letters with full stops, that no vocabulary knows: behind what was done, at the end
    of an entry that begins with its time, at the end of a note. Found once, they are found everywhere."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        found: set[str] = set()
        for pattern in (_BEHIND, _TWO, _ENTRY, _LAST, _TIMED):
            for match in pattern.finditer(text):
                groups = [group for group, value in match.groupdict().items() if value]
                wanted = [group for group in groups if _are_initials(match[group], lexicon)]
                for group in wanted:
                    found.add(match[group])
                    yield _span(match.start(group), match.end(group))
        again = sorted(re.escape(one) for one in found if "." not in one)
        if again:
            for match in re.finditer(rf"(?<![\w.-])(?:{'|'.join(again)})(?![\w-])", text):
                yield _span(*match.span())


def _are_initials(written: str, lexicon: Lexicon) -> bool:
    bare = written.replace(".", "").casefold()
    if bare in _THINGS or bare in NEVER_NAME or bare in _NO_PERSON:
        return False
    return "." in written or not lexicon.is_word(written)


_NO_PERSON: Final = words("no_initials") | words("no_person")


def _span(start: int, end: int) -> Span:
    return Span(start, end, Category.NAME, 0.8, "LoggedInitials")
