"""From what was sent to single messages whose segments end in CR: framing, batches, line endings, junk."""

from __future__ import annotations

import re
from typing import Final

from curbside_ingestion.extraction.found import EmptyDocument, Limits, OversizedDocument, UnreadableDocument

_UTF16: Final = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"M\x00S\x00H\x00", "utf-16-le"),
    (b"\x00M\x00S\x00H", "utf-16-be"),
)
_BOM: Final = b"\xef\xbb\xbf"
# MLLP release 1: <SB> is VT, <EB><CR> is FS CR. VT and FS within a text are left alone.
_FRAMES: Final = re.compile(rb"\x0b+(?=(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS))|\x1c+(?=[\r\n\x0b\x00\x1a]|$)")
# A file that was put behind another, which had no line end.
_GLUED: Final = re.compile(rb"(?<=[^\r])(?=MSH\|\^~\\&)")
_SEGMENT: Final = re.compile(rb"[A-Z][A-Z0-9]{2}")
# 2.10.3 (v2.5.1): segments of the batch protocol, which hold no report.
_BATCH: Final = (b"FHS", b"BHS", b"BTS", b"FTS")
_PADDING: Final = b"\x00\x1a\x04"  # NUL, Ctrl-Z and EOT at an end: padding of files and serial lines


def messages_of(data: bytes, limits: Limits) -> list[bytes]:
    """The messages of `data`, each from its MSH on, each segment ended by CR.

    A line that begins no segment is the rest of the one before, behind LF: senders break lines within OBX-5.
    """
    data = _GLUED.sub(b"\r", _FRAMES.sub(b"\r", _plain(data)))
    messages: list[list[list[bytes]]] = []  # of segments, of lines
    separator, open_message = b"|", False
    for line in re.split(rb"\r\n|\n|\r", data):
        line = line.removeprefix(_BOM).strip(_PADDING)
        name = line[:3]
        if name == b"MSH" and len(line) > 3:
            separator, open_message = line[3:4], True
            messages.append([[line]])
        elif name in _BATCH and line[3:4] in (b"", separator):
            open_message = False
        elif open_message and line.strip():
            if _SEGMENT.match(line) and line[3:4] in (b"", separator):
                messages[-1].append([line])
            else:
                messages[-1][-1].append(line)
        if len(messages) > limits.max_parts or (messages and len(messages[-1]) > limits.max_parts):
            raise OversizedDocument(
                f"the document has more than {limits.max_parts} messages, or a message as many segments",
                field="body",
                mend="Send it in several files.",
            )
    if not messages:
        raise EmptyDocument("the document holds no HL7 message", field="MSH", mend="Begin each with MSH.")
    return [b"".join(b"\n".join(lines) + b"\r" for lines in segments) for segments in messages]


def _plain(data: bytes) -> bytes:
    """`data` in a charset whose ASCII is ASCII: UTF-16 and UTF-32 become UTF-8."""
    for mark, encoding in _UTF16:
        if data.startswith(mark):
            try:
                return data.decode(encoding).removeprefix("\ufeff").encode()
            except (UnicodeDecodeError, UnicodeEncodeError):
                raise UnreadableDocument(
                    f"the document is not whole {encoding.upper()}", field="body", mend="Send it in UTF-8."
                ) from None
    return data
