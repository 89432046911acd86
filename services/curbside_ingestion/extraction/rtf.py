"""RTF 1.9.1 as text, by striprtf, after what it cannot bear or would leave out has been put right."""

from __future__ import annotations

import re
from typing import Final

from striprtf.striprtf import font_table_group, rtf_to_text

from curbside_ingestion.domain.encoding import refuse_broken_characters, refuse_controls
from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    DocumentText,
    EmptyDocument,
    Kind,
    Limits,
    OversizedDocument,
    UnreadableDocument,
)
from curbside_ingestion.extraction.markup import joined_cells, tidy

_TOKEN: Final = re.compile(
    r"\\([A-Za-z]{1,32})(-?\d{1,10})? ?|\\'[0-9A-Fa-f]{2}|\\(.)|([{}])|[^\\{}]+|.", re.S
)
_MAX_DEPTH: Final = 500
_MAX_BAD_FONTS: Final = 200
# Groups that hold no text of the report, or the twin of one that does.
_LEFT_OUT: Final = frozenset(
    [
        "pict",
        "object",
        "objdata",
        "fldinst",
        "shprslt",
        "nonshppict",
        "info",
        "stylesheet",
        "themedata",
        "colorschememapping",
        "datastore",
        "annotation",
        "atnid",
        "atnauthor",
        "comment",
        "deleted",
        "sp",
        "bkmkstart",
        "bkmkend",
    ]
)
# striprtf leaves these out; they hold text, which `\par` in their place sets apart.
_KEPT: Final = frozenset(
    [
        "header",
        "headerl",
        "headerr",
        "headerf",
        "footer",
        "footerl",
        "footerr",
        "footerf",
        "footnote",
        "shp",
        "shpinst",
        "shptxt",
        "do",
        "dptxbxtext",
    ]
)
_CELL: Final = "\ue000"  # private use: striprtf writes `|`, which may stand in the text


def read_text(data: bytes, limits: Limits = DEFAULT_LIMITS) -> DocumentText:
    """The text of `data`, with headers, footers, footnotes and text boxes; no pictures or objects."""
    try:
        text: str = rtf_to_text(_plain(data, limits), encoding="cp1252", errors="strict")  # type: ignore[no-untyped-call]
        text = text.encode("utf-16", "surrogatepass").decode("utf-16")  # \u writes pairs of surrogates
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
        raise UnreadableDocument(
            "the RTF holds characters that are in no charset", field="body", mend="Save it anew."
        ) from None
    lines = text.split("\n")
    text = "\n".join(joined_cells(line.split(_CELL)) if _CELL in line else line for line in lines)
    refuse_controls(text, "body")
    refuse_broken_characters(text, "body")
    text = tidy(text, limits)
    if not any(map(str.isalnum, text)):
        raise EmptyDocument("the RTF holds no text", field="body", mend="Send one that does.")
    return DocumentText(text, Kind.RTF)


def _plain(data: bytes, limits: Limits) -> str:
    """`data` without binary and embedded parts, with the groups that striprtf would leave out kept."""
    if not data.startswith(b"{\\rtf"):
        raise UnreadableDocument("the document is no RTF", field="body", mend="Save it anew.")
    if len(data) > limits.max_unpacked_bytes:
        raise OversizedDocument("the RTF is too large", field="body", mend="Send one report at a time.")
    source = data.decode("latin-1")
    out: list[str] = []
    depth = position = 0
    skipping = 0  # the depth of the group that is left out
    while match := _TOKEN.match(source, position):
        position = match.end()
        word, argument, _, brace = match.groups()
        if word == "bin":
            position += max(0, int(argument or 0))
            continue
        if brace == "{":
            depth += 1
        elif brace == "}":
            depth -= 1
        if depth > _MAX_DEPTH:
            raise UnreadableDocument("the RTF is nested too deeply", field="body", mend="Save it anew.")
        if skipping:
            if depth < skipping:
                skipping = 0
                out.append("}")
        elif word in _LEFT_OUT and not (word == "deleted" and argument == "0"):
            skipping = depth
        elif word in _KEPT:
            if out and out[-1] == "\\*":
                out.pop()
            out.append("\\par ")
        elif word in ("cell", "nestcell"):
            out.append(_CELL)
        elif not word and not brace and not match[0].startswith("\\"):
            out.append(re.sub(r"[\x80-\xff]", lambda found: f"\\'{ord(found[0]):02x}", match[0]))
        else:
            out.append(match[0])
        if brace and depth <= 0:
            break
    if depth > 0 or position > len(source):
        raise UnreadableDocument(
            "the RTF ends within a group: it was cut off", field="body", mend="Send it whole."
        )
    plain = "".join(out)
    fonts: str = font_table_group(plain)  # type: ignore[no-untyped-call]
    # striprtf looks for each font's charset and end to the table's end: 12 s for 20,000 that have none.
    if (
        len(re.findall(r"\\f\d", fonts))
        > 2 * min(fonts.count("\\fcharset"), fonts.count(";")) + _MAX_BAD_FONTS
    ):
        raise UnreadableDocument("the RTF's font table is broken", field="body", mend="Save it anew.")
    return plain
