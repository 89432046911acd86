"""Escape sequences, HL7 v2.5.1, 2.7, read in one pass.

python-hl7 has a reader of its own, which writes the field into the log where a sequence is unknown, and makes
`\\.sp1000000000\\` as long as it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from curbside_ingestion.extraction.found import UnsupportedDocument

_MOST_SKIPPED: Final = 10  # lines or columns that one sequence may skip
_LONGEST: Final = 64  # characters of a sequence that is no hexadecimal
_LINES: Final = re.compile(r"\.(?:br|sp|ce)\+?(\d{0,4})", re.I)
_COLUMNS: Final = re.compile(r"\.sk\+?(\d{0,4})", re.I)
_LAYOUT: Final = re.compile(r"\.(?:fi|nf|in|ti)[+-]?\d{0,4}", re.I)
_CHARSET: Final = re.compile(r"C[0-9A-F]{4}|M[0-9A-F]{4}(?:[0-9A-F]{2})?", re.I)
_CONTROLS: Final = {code: None for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n"}


@dataclass(frozen=True)
class Delimiters:
    """MSH-1 and MSH-2. `truncation` is of v2.7 on, and empty before."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    truncation: str = ""

    def unescape(self, text: str) -> str:
        """`text` without escapes; what is no sequence of the standard (`C:\\temp\\x`) stays as it is."""
        escape = self.escape
        if not escape or escape not in text:
            return text
        e = re.escape(escape)
        pattern = rf"((?:{e}X(?:[0-9A-Fa-f]{{2}})+{e})+)|{e}([^{e}\r\n]{{1,{_LONGEST}}}){e}"
        return re.sub(pattern, self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        if match[1]:  # sequences side by side are bytes of one text: \XC3\\XBC\ is ü
            return _from_hexadecimal("".join(part[1:] for part in match[1].split(self.escape) if part))
        sequence = match[2]
        characters = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
            "P": self.truncation,
            "H": "",  # highlighting, and its end
            "N": "",
        }
        if sequence in characters:
            return characters[sequence]
        if lines := _LINES.fullmatch(sequence):
            return "\n" * min(int(lines[1] or 1) or 1, _MOST_SKIPPED)
        if columns := _COLUMNS.fullmatch(sequence):
            return " " * min(int(columns[1] or 1), _MOST_SKIPPED)
        if _LAYOUT.fullmatch(sequence):
            return ""
        if _CHARSET.fullmatch(sequence):
            # Read on in the old charset, names would be lost to de-identification.
            raise UnsupportedDocument(
                "the message changes its charset within a field",
                field="MSH-18",
                mend="Send it as UNICODE UTF-8 throughout.",
            )
        return match[0]


def _from_hexadecimal(digits: str) -> str:
    data = bytes.fromhex(digits)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace").replace("\ufffd", "")
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
