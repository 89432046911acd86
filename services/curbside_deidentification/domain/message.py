"""What of an HL7 v2 message a machine wrote, and what people did. HL7 v2.5.1, sections 2.5 and 7.4.2."""

from __future__ import annotations

import re
from typing import Final

# A message begins with its header, alone or in a file's or a batch's.
_BEGINNING: Final = re.compile(r"\s{0,20}(?:[BF]HS\|[^\r\n]{0,2000}\s{1,4}){0,2}MSH\|")
_HEADER: Final = re.compile(r"(?<![^\r\n])(?:MSH|FHS|BHS)\|")
# Every segment but notes and results in words.
_CODED: Final = re.compile(r"(?<![^\r\n])(?!NTE\||OBX\|[^|\r\n]*\|(?:TX|FT|ST)\|)[A-Z][A-Z\d]{2}\|[^\r\n]*")
_COMPONENT: Final = re.compile(r"[^|^&~\r\n]+")


def is_message(text: str) -> bool:
    return _BEGINNING.match(text) is not None


def prose(text: str) -> str:
    """The components of three words and more: codes, names and numbers are of no language."""
    return "\n".join(part for part in _COMPONENT.findall(text) if part.strip().count(" ") > 1)


def coded_segments(text: str) -> list[range]:
    """Where they stand in `text`, if a message is in it."""
    if not _HEADER.search(text):
        return []
    return [range(*match.span()) for match in _CODED.finditer(text)]


def without_coded(text: str) -> str:
    return _CODED.sub("", text)
