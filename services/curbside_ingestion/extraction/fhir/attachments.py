"""An attachment's text: its bytes decoded, held against what it says of them, and read by their content."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from typing import Final

from curbside.errors import BadInput
from curbside_ingestion.domain.encoding import decode
from curbside_ingestion.domain.problems import DigestMismatch
from curbside_ingestion.extraction.documents import read_text
from curbside_ingestion.extraction.fhir.bundle import Entry, Reading
from curbside_ingestion.extraction.fhir.tree import Tree, text_at
from curbside_ingestion.extraction.found import (
    DocumentText,
    EmptyDocument,
    Kind,
    MissingContent,
    OversizedDocument,
    UnreadableDocument,
    UnsafeDocument,
)
from curbside_ingestion.extraction.sniffing import kind_of

# Which of several equivalent forms is read: the one whose text is surest. R4 DiagnosticReport.presentedForm:
# "Multiple formats are allowed but they SHALL be semantically equivalent."
_PREFERRED: Final = (
    Kind.TEXT,
    Kind.HTML,
    Kind.CDA,
    Kind.DOCX,
    Kind.RTF,
    Kind.PDF,
    Kind.TIFF,
    Kind.PNG,
    Kind.JPEG,
)
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]+)", re.I)
_SCAN: Final = ("application/pdf", "image/")
_BLANKS: Final = re.compile(r"\s+")
_DECLARATION: Final = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.I)


def read_best(attachments: list[tuple[str, Tree]], reading: Reading) -> DocumentText:
    """The text of the first of the equivalent `attachments`, each with its path, that can be read.

    Raises the first one's problem where none can. One that is not what its hash says raises at once.
    """
    contents: list[tuple[int, str, bytes]] = []
    problems: list[BadInput] = []
    for path, attachment in attachments:
        try:
            data = _octets(path, attachment, reading)
            contents.append((_PREFERRED.index(kind_of(data)), path, data))
        except DigestMismatch:
            raise
        except ValueError:
            problems.append(_unreadable(f"{path} is a document within a document", path))
        except BadInput as problem:
            problems.append(_at(problem, path))
    for _, path, data in sorted(contents, key=lambda content: content[0]):
        try:
            return read_text(data, reading.library.limits)
        except BadInput as problem:
            problems.append(_at(problem, path))
    raise problems[0]


def read_narrative(div: str, path: str, reading: Reading) -> str:
    """The text of a narrative's XHTML. R4 §2.4: a `div`, with no entities but XML's and no DTD."""
    if _DECLARATION.search(div):
        raise UnsafeDocument(f"{path} declares an entity", field=path, mend="Send the characters themselves.")
    if not div.lstrip().startswith("<div"):
        raise _unreadable(f"{path} is no div", path)
    try:
        return read_text(div.encode(), reading.library.limits).text.strip()
    except UnicodeEncodeError:
        raise _unreadable(f"{path} holds half of a surrogate pair", path) from None
    except BadInput as problem:
        raise _at(problem, path) from None


def decoded(data: str, path: str, reading: Reading) -> bytes:
    """The bytes of a base64Binary. R4 §2.24.0.1: white space may stand in it."""
    reading.library.budget.spend(len(data))
    try:
        found = base64.b64decode(_BLANKS.sub("", data), validate=True)
    except (binascii.Error, ValueError):
        raise _unreadable(f"{path} is not base64", path) from None
    return _unpacked(found, path, reading) if found.startswith(_GZIP) else found


def _octets(path: str, attachment: Tree, reading: Reading) -> bytes:
    declared = text_at(attachment, "contentType")
    data = text_at(attachment, "data")
    if data:
        octets = decoded(data, f"{path}.data", reading)
        _check(path, attachment, octets, data)
    else:
        url = text_at(attachment, "url")
        if not url:
            raise MissingContent(f"{path} holds no data", field=path, mend="Send its content as data.")
        binary = reading.find(url)
        if binary is None or binary.kind != "Binary" or not text_at(binary.resource, "data"):
            raise MissingContent(
                f"{path} points to what is not in the bundle, and nothing is fetched",
                field=f"{path}.url",
                mend="Send its content as data, or the Binary in the same bundle.",
            )
        octets, declared = binary_octets(binary, reading)
        _check(path, attachment, octets, "")
    return _as_declared(octets, declared, path)


def binary_octets(binary: Entry, reading: Reading) -> tuple[bytes, str]:
    """What a Binary holds, and as what it declares it."""
    resource = reading.valid(binary)
    return decoded(text_at(resource, "data"), "Binary.data", reading), text_at(resource, "contentType")


def _as_declared(octets: bytes, declared: str, path: str) -> bytes:
    """`octets`, in UTF-8 where they are text of another declared charset.

    One word as a PDF or image is what a system left that had no file ("pdfInBase64Binary"), and no report.
    """
    if kind_of(octets) is not Kind.TEXT:
        return octets
    if declared.casefold().startswith(_SCAN) and len(octets.split()) < 2:
        raise MissingContent(
            f"{path} holds one word in a file's place", field=path, mend="Send the file itself as data."
        )
    charset = _CHARSET.search(declared)
    return octets if charset is None else decode(octets, charset=charset[1], field=path).encode()


def _check(path: str, attachment: Tree, octets: bytes, encoded: str) -> None:
    """Attachment.size and .hash (SHA-1). Some senders count base64's characters, or write the hash in hex."""
    size = attachment.get("size")
    if isinstance(size, int) and size not in (len(octets), len(encoded)):
        raise _unreadable(f"{path} is not of the size that it says: it was cut off or changed", path)
    given = _BLANKS.sub("", text_at(attachment, "hash"))
    digest = hashlib.sha1(octets, usedforsecurity=False)
    forms = {base64.b64encode(digest.digest()).decode(), digest.hexdigest()}
    forms.add(base64.b64encode(digest.hexdigest().encode()).decode())
    if given and given not in forms and given.casefold() != digest.hexdigest():
        raise DigestMismatch(
            f"{path} is not what its hash says", field=f"{path}.hash", mend="Send it again, or without hash."
        )


def _unpacked(octets: bytes, path: str, reading: Reading) -> bytes:
    limit = reading.library.limits.max_unpacked_bytes
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        found = stream.decompress(octets, limit + 1)
    except zlib.error:
        raise _unreadable(f"{path} is damaged gzip", path) from None
    if len(found) > limit:
        raise OversizedDocument(f"{path} unpacks to too much", field=path, mend="Send one report in it.")
    if not stream.eof:
        raise _unreadable(f"{path} is gzip that was cut off", path)
    if not found:
        raise EmptyDocument(f"{path} is empty", field=path, mend="Send its content.")
    reading.library.budget.spend(len(found))
    return found


def _at(problem: BadInput, path: str) -> BadInput:
    """The same problem, naming where it was."""
    if path in problem.message:
        return problem
    return type(problem)(f"{path}: {problem.message}", field=path, mend=problem.mend)


def _unreadable(message: str, path: str) -> UnreadableDocument:
    return UnreadableDocument(message, field=path, mend="Send its content as it is, in base64.")
