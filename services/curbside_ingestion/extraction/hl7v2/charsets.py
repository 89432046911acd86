"""The characters of one message: by MSH-18, unless the bytes say otherwise."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from curbside_ingestion.extraction.found import UnreadableDocument, UnsupportedDocument

# HL7 table 0211, alternate character sets. Latin-1 is read as its superset windows-1252: domain/encoding.
_SINGLE_BYTE: Final = MappingProxyType(
    {
        "ASCII": "cp1252",
        "": "cp1252",
        "8859/1": "cp1252",
        **{f"8859/{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 15)},
    }
)
_MULTI_BYTE: Final = MappingProxyType(
    {
        "ISO IR87": "iso2022_jp",
        "ISO IR159": "iso2022_jp_1",
        "JAS2020": "iso2022_jp",
        "GB 18030-2000": "gb18030",
        "GB18030": "gb18030",
        "KS X 1001": "euc_kr",
        "BIG-5": "big5",
        "BIG5": "big5",
        "CNS 11643-1992": "big5",
    }
)
_UTF8: Final = ("UNICODE UTF-8", "UTF-8", "UTF8", "UNICODE", "UNICODE UTF-16", "UNICODE UTF-32", "ISO IR14")
# Names that are in no table and in many messages.
_ALIASES: Final = MappingProxyType(
    {
        "ISO-8859-1": "8859/1",
        "ISO8859-1": "8859/1",
        "ISO 8859-1": "8859/1",
        "LATIN1": "8859/1",
        "LATIN-1": "8859/1",
        "WINDOWS-1252": "8859/1",
        "CP1252": "8859/1",
        "ANSI": "8859/1",
        "US-ASCII": "ASCII",
        "ISO-8859-15": "8859/15",
        "ISO-8859-2": "8859/2",
        "GB 18030": "GB18030",
    }
)
_MULTI_BYTE_CHARACTER: Final = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}")


def text_of(message: bytes) -> str:
    """The message's characters. Raises UnreadableDocument where some of them are lost."""
    declared = _declared(message)
    if declared in _MULTI_BYTE:
        return _decode(message, _MULTI_BYTE[declared])
    # What is valid UTF-8 is UTF-8, whatever it says: read as Latin-1, "Müller" would be "MÃ¼ller".
    try:
        return message.decode()
    except UnicodeDecodeError:
        pass
    if declared not in _SINGLE_BYTE and declared not in _UTF8:
        raise UnsupportedDocument(
            "MSH-18 names a charset that Curbside does not read",
            field="MSH-18",
            mend="Send UNICODE UTF-8 or 8859/1.",
        )
    if declared not in _SINGLE_BYTE or not declared:
        # Neither wholly UTF-8 nor anything else: reading it as Latin-1 would spoil names that are UTF-8.
        others = len(_MULTI_BYTE_CHARACTER.sub(b"", message).translate(None, bytes(range(128))))
        if _MULTI_BYTE_CHARACTER.search(message) and others <= len(_MULTI_BYTE_CHARACTER.findall(message)):
            raise UnreadableDocument(
                "the message is UTF-8 with broken characters", field="MSH-18", mend="Send it again as UTF-8."
            )
    return _decode(message, _SINGLE_BYTE.get(declared, "cp1252"))


def _declared(message: bytes) -> str:
    """MSH-18, its first repetition: the others need escapes (2.15.9.18)."""
    fields = message[: message.find(b"\r")].decode("latin-1").split(chr(message[3]))
    value = fields[17] if len(fields) > 17 else ""
    repetition = fields[1][1:2] if len(fields) > 1 else ""
    first = value.split(repetition)[0] if repetition else value
    name = first.partition("^")[0].strip().strip('"').upper()
    return _ALIASES.get(name, name)


def _decode(message: bytes, encoding: str) -> str:
    try:
        return message.decode(encoding)
    except UnicodeDecodeError:
        raise UnreadableDocument(
            "the message is not in the charset that it declares",
            field="MSH-18",
            mend="Send UNICODE UTF-8, or declare the charset.",
        ) from None
