"""OBX-5 of type ED (encapsulated data): a document within a message, read whatever its subtype says."""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import quopri
import re
from typing import Final

from curbside_ingestion.extraction import documents
from curbside_ingestion.extraction.found import DocumentText, Limits, MissingContent, OversizedDocument
from curbside_ingestion.extraction.hl7v2.segments import Segment

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
# Base64 that says it is text ("A", or nothing) is told from words by its length.
_LEAST_UNLABELLED: Final = 64
_MIME: Final = re.compile(rb"\s*(?:MIME-Version|Content-Type|Content-Transfer-Encoding):", re.I)


def read_encapsulated(observation: Segment, limits: Limits) -> DocumentText:
    """The text of the document in OBX-5 (2.A.24 ED: source, type, subtype, encoding, data).

    Raises MissingContent where the data is none, and what `documents.read_text` raises.
    """
    value = observation.first(5)
    encoding, data = value.get(4).casefold(), value.whole(5)
    if not data and len(value) == 1:  # senders put the data alone
        data = value.whole(1)
    content = _decoded(data, encoding)
    if not content:
        raise MissingContent(
            "the encapsulated data is empty, or is not in the encoding that it names",
            field="OBX-5.5",
            mend="Send the document itself in Base64.",
        )
    if len(content) > limits.max_unpacked_bytes:
        raise OversizedDocument(
            "the encapsulated data is too large", field="OBX-5.5", mend="Send it in parts."
        )
    return documents.read_text(_inner(content), limits)


def _decoded(data: str, encoding: str) -> bytes:
    """The bytes; none where `data` is not in `encoding` (table 0299: A, Hex, Base64; MIME's by its name)."""
    packed = re.sub(r"\s+", "", data)
    if encoding in ("base64", "b64"):
        return _from_base64(packed)
    if encoding == "hex":
        return bytes.fromhex(packed) if _HEX.fullmatch(packed) else b""
    if encoding == "quoted-printable":
        return quopri.decodestring(data.encode())
    if len(packed) >= _LEAST_UNLABELLED and " " not in data.strip() and (unlabelled := _from_base64(packed)):
        return unlabelled
    return data.encode()


def _from_base64(packed: str) -> bytes:
    if not _BASE64.fullmatch(packed):
        return b""
    try:
        return base64.b64decode(packed.rstrip("=") + "=" * (-len(packed.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _inner(content: bytes) -> bytes:
    """The first part with a body of a MIME package, as IHE's MDM carries a CDA; else `content`."""
    if not _MIME.match(content):
        return content
    message = email.message_from_bytes(content, policy=email.policy.compat32)
    for part in message.walk():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes) and payload.strip():
            return payload
    return content
