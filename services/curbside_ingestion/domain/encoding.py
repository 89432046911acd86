"""From bytes to characters: what is text, in which encoding, and what only pretends to be."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final

from curbside import spelling
from curbside_ingestion.domain.problems import BinaryReport, EmptyReport, TruncatedReport, WrongEncoding

# Prefixes of formats that are no plain text (or text in a structure of its own), and their names.
_SIGNATURES: Final = (
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP, DOCX or XLSX"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "DOC or XLS"),
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"\x7fELF", "ELF"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"{\\rtf", "RTF"),
    (b"MSH|", "HL7 v2"),
    (b"<?xml", "XML"),
)
_PREFIXES: Final = tuple(prefix for prefix, _ in _SIGNATURES)
_DICOM_OFFSET: Final = 128  # DICOM PS3.10: a preamble of 128 bytes, then "DICM"

# UTF-32's little-endian mark begins with UTF-16's, so it stands first.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Charsets that a sender may declare. ISO 8859-1 is read as its superset windows-1252, as in the WHATWG
# Encoding Standard: what is labelled Latin-1 holds curly quotes and dashes from it.
_CHARSETS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf-16": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    "iso-8859-15": "iso8859-15",
}
# What a document may say of itself beyond these, and what charset-normalizer is let choose from.
_HINTED: Final = {
    "windows-1250": "cp1250",
    "iso-8859-2": "iso8859-2",
    "windows-1251": "cp1251",
    "koi8-r": "koi8-r",
    "windows-1253": "cp1253",
    "windows-1254": "cp1254",
    "macintosh": "mac-roman",
    "ibm850": "cp850",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "euc-kr": "cp949",
}
# What windows-1252 makes of other charsets: signs and low quotes between letters, four letters beyond ASCII
# in a row, a capital beyond ASCII after a small letter. An apostrophe or a dash between letters is its own.
_STRANGE: Final = re.compile(
    r"[^\W\d_][\u00a1-\u00a9\u00ab-\u00ac\u00ae-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7"
    r"\u201a\u201c-\u201e\u0192\u2020\u2021\u02c6\u2030\u2039\u203a\u20ac\u02dc\u2122][^\W\d_]"
    r"|[\u00c0-\u00ff]{4}|[a-z][\u00c0-\u00d6\u00d8-\u00de\u0160\u0152\u017d\u0178]"
)
_SAMPLE: Final = 65_536  # bytes; charset-normalizer tries each charset on all it is given
_MAX_CHAOS: Final = 0.05  # its own measure of a wrong guess; it accepts up to 0.2
_SINGLE_BYTE: Final = ("cp1252", "iso8859-15")
# C0 and C1 but for white space. C1 (0x80 to 0x9F) is what binary becomes in ISO 8859; 0x85 ends a line.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_PLAIN: Final = bytes(byte for byte in range(128) if not _CONTROL.match(chr(byte)))
# 1 %: text that went through a terminal or a printer holds a few control characters, a binary file many.
_MAX_CONTROL_SHARE: Final = 0.01
_CONVERT: Final = "Convert it to UTF-8, or declare its charset in Content-Type."
# UAX #15, "Stream-Safe Text Format": no language puts more than 30 marks on a character, and putting them in
# order takes time by the square of their number. A row of what is no letter, digit or space may hold them.
_MOST_MARKS: Final = 30
_ROW_OF_MARKS: Final = re.compile(rf"[^\w\s\x00-\u02ff]{{{_MOST_MARKS + 1},}}")


def refuse_other_formats(head: bytes, field: str) -> None:
    """Raise BinaryReport naming the format where `head`, a content's first bytes, is no plain text."""
    name = None
    if head.startswith(_PREFIXES):
        name = next(name for prefix, name in _SIGNATURES if head.startswith(prefix))
    elif head[_DICOM_OFFSET : _DICOM_OFFSET + 4] == b"DICM":
        name = "DICOM"
    if name is not None:
        raise BinaryReport(
            f"{field} is {name}, not text",
            field=field,
            mend="Send the report's text as TXT, CSV, JSON or NDJSON, not compressed.",
        )


def decode(data: bytes, *, charset: str | None = None, field: str = "body") -> str:
    """The characters of `data`: by its byte order mark, else by `charset`, else as UTF-8.

    Bytes that are no UTF-8 stay in the text as lone surrogates (PEP 383), so that only the row that
    holds one is refused: `curbside_ingestion.domain.report` does that. Raises BinaryReport,
    EmptyReport, TruncatedReport (it ends within a character) or WrongEncoding.
    """
    if not data.strip():
        raise EmptyReport(f"{field} is empty", field=field, mend="Send at least one report.")
    refuse_other_formats(data[: _DICOM_OFFSET + 4], field)
    mark, encoding = next(
        ((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", _declared(charset))
    )
    data = data[len(mark) :]
    if not data:
        raise EmptyReport(
            f"{field} is a byte order mark alone", field=field, mend="Send at least one report."
        )
    if encoding in _SINGLE_BYTE and _is_utf8_beyond_ascii(data):
        # Read as declared it would be "MÃ¼ller", which de-identification would not find by "Müller".
        raise WrongEncoding(
            f"Content-Type declares a single-byte charset, and {field} is UTF-8",
            field="Content-Type",
            mend="Declare charset=utf-8, or no charset.",
        )
    if not encoding.startswith(("utf-16", "utf-32")) and b"\x00" in data:
        raise BinaryReport(
            f"{field} holds NUL bytes, so it is binary or UTF-16 without its byte order mark",
            field=field,
            mend="Send text in UTF-8.",
        )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if error.end >= len(data) and error.reason in ("unexpected end of data", "truncated data"):
            raise TruncatedReport(
                f"{field} ends within a character: it was cut off", field=field, mend="Send it whole."
            ) from None
        if encoding != "utf-8":
            raise WrongEncoding(
                f"{field} is not in the charset that it declares", field=field, mend=_CONVERT
            ) from None
    text = data.decode("utf-8", "surrogateescape")
    refuse_controls(text, field)
    return text


def refuse_controls(text: str, field: str) -> None:
    """Raise BinaryReport where `text` holds NUL, or more control characters than any report does."""
    if text.isascii() and not text.encode().translate(None, _PLAIN):
        return
    first = _CONTROL.search(text)
    if first is None:
        return
    if "\x00" in text or len(_CONTROL.findall(text)) > _MAX_CONTROL_SHARE * len(text):
        raise BinaryReport(
            f"{field} is binary: it holds NUL or many control characters",
            field=field,
            mend="Send the report's text.",
        )


def refuse_broken_characters(text: str, field: str) -> None:
    """Raise WrongEncoding or TruncatedReport where a character of `text` was lost on its way."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WrongEncoding(
            f"{field} holds bytes that are not UTF-8, or half of a surrogate pair", field=field, mend=_CONVERT
        ) from None
    if text.rstrip().endswith("\N{REPLACEMENT CHARACTER}"):
        raise TruncatedReport(
            f"{field} ends with a replacement character (U+FFFD): it was cut off",
            field=field,
            mend="Send it whole.",
        )
    if "\N{REPLACEMENT CHARACTER}" in text:
        # A name with a lost letter is a name that de-identification may not find.
        raise WrongEncoding(
            f"{field} holds replacement characters (U+FFFD): it was decoded wrongly before it came here",
            field=field,
            mend="Export it again as UTF-8.",
        )


def composed(text: str, field: str) -> str:
    """`text` in Unicode's form C without widthless characters, so that a name is spelt in one way.

    The original keeps its own. Lone surrogates stay, to be refused. Raises WrongEncoding where more than
    30 marks stand on one character.
    """
    if text.isascii():
        return text  # it has one form
    for row in _ROW_OF_MARKS.finditer(text):
        if sum(map(bool, map(unicodedata.combining, row[0]))) > _MOST_MARKS:
            raise WrongEncoding(
                f"{field} holds a character with more than {_MOST_MARKS} marks on it",
                field=field,
                mend="Export it again as UTF-8.",
            )
    return spelling.composed(text)


def _is_utf8_beyond_ascii(data: bytes) -> bool:
    if data.isascii():
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _declared(charset: str | None) -> str:
    if charset is None:
        return "utf-8"
    try:
        return _CHARSETS[charset.strip().strip('"').casefold()]
    except KeyError:
        raise WrongEncoding(
            "the declared charset is not one that Curbside reads",
            field="Content-Type",
            mend=f"Use UTF-8; {', '.join(sorted(_CHARSETS))} are read too.",
        ) from None


def decode_unlabelled(data: bytes, *, hint: str | None = None, field: str = "body") -> str:
    """The characters of a document that nobody declared: by its byte order mark, by where its NULs stand, as
    UTF-8, by `hint` (what it says of itself), as windows-1252, and by what charset-normalizer makes of it.

    Raises BinaryReport, EmptyReport, TruncatedReport or WrongEncoding.
    """
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", ""))
    data = data[len(mark) :]
    if not data.strip(b"\x00 \t\r\n\x0b\x0c\x1c"):
        raise EmptyReport(f"{field} is empty", field=field, mend="Send a report.")
    if encoding not in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be") and b"\x00" in data:
        data = data.rstrip(b"\x00") if b"\x00" not in data.rstrip(b"\x00") else data
        encoding = _by_nuls(data, field) if b"\x00" in data else encoding
    try:
        return data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if error.end >= len(data) and error.reason in ("unexpected end of data", "truncated data"):
            raise TruncatedReport(
                f"{field} ends within a character: it was cut off", field=field, mend="Send it whole."
            ) from None
    wrong = WrongEncoding(f"{field} is in no charset that can be told", field=field, mend=_CONVERT)
    loose = data.decode("utf-8", "surrogateescape")
    broken = sum("\udc80" <= character <= "\udcff" for character in loose)
    # Bytes that make characters of UTF-8 more often than not are UTF-8 that was damaged.
    if encoding or sum(character > "\x7f" for character in loose) >= 2 * broken:
        raise wrong
    for name in (_CHARSETS.get((hint or "").casefold()) or _HINTED.get((hint or "").casefold()), "cp1252"):
        try:
            text = data.decode(name) if name and name != "utf-8" else ""
        except (UnicodeDecodeError, LookupError):
            continue
        if text and (name != "cp1252" or not _STRANGE.search(text)):
            return text
    return _by_statistics(data, wrong)


def _by_nuls(data: bytes, field: str) -> str:
    """UTF-16 or UTF-32 without its mark: Latin text has its NULs in the same place of every unit."""
    size = len(data)
    counts = [data[start::4].count(0) for start in range(4)]
    even, odd = counts[0] + counts[2], counts[1] + counts[3]
    encoding = ""
    if size % 4 == 0 and min(counts[1:]) > 0.2 * size and counts[0] == 0:
        encoding = "utf-32-le"
    elif size % 4 == 0 and min(counts[:3]) > 0.2 * size and counts[3] == 0:
        encoding = "utf-32-be"
    elif size % 2 == 0 and even <= 0.01 * odd:
        encoding = "utf-16-le"
    elif size % 2 == 0 and odd <= 0.01 * even:
        encoding = "utf-16-be"
    text = data.decode(encoding, "replace") if encoding else "\x00"
    # A binary file has NULs too; read as UTF-16 it has characters that nobody assigned.
    strange = sum(
        unicodedata.category(c) in ("Cn", "Co", "Cs") or _CONTROL.match(c) is not None for c in text
    )
    if strange > _MAX_CONTROL_SHARE * len(text):
        raise BinaryReport(
            f"{field} holds NUL bytes, so it is binary", field=field, mend="Send text in UTF-8."
        )
    return encoding


def _by_statistics(data: bytes, wrong: WrongEncoding) -> str:
    from charset_normalizer import from_bytes

    head = data[:_SAMPLE]
    best = from_bytes(head, cp_isolation=sorted(set(_HINTED.values()))).best()
    if best is None or best.chaos > _MAX_CHAOS or best.coherence <= 0:
        raise wrong
    try:
        return data.decode(best.encoding)
    except (UnicodeDecodeError, LookupError):
        raise wrong from None
