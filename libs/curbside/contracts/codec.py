"""The codec of PHI: how a text, its known identifiers and its time lie in the PHI zone and cross gRPC.

This is one of the few files where `.reveal()` is legal: the bytes it makes go into an encrypted blob or
to a de-identification worker, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from google.protobuf.message import DecodeError

from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.errors import BadInput
from curbside.phi import PhiText


class UnreadablePhiDocument(BadInput):
    code = "phi.unreadable-document"


@dataclass(frozen=True)
class KnownIdentifiers:
    """What the source already says of patient, relatives and staff. Every value is PHI."""

    names: tuple[PhiText, ...] = ()
    nicknames: tuple[PhiText, ...] = ()
    relatives: tuple[PhiText, ...] = ()
    staff: tuple[PhiText, ...] = ()
    mrns: tuple[PhiText, ...] = ()
    numbers: tuple[PhiText, ...] = ()
    dates_of_birth: tuple[PhiText, ...] = ()
    addresses: tuple[PhiText, ...] = ()
    phones: tuple[PhiText, ...] = ()
    emails: tuple[PhiText, ...] = ()


@dataclass(frozen=True)
class PhiDocument:
    text: PhiText
    known: KnownIdentifiers = KnownIdentifiers()
    # RFC 3339 with the source's offset. A date of an encounter is PHI: 45 CFR 164.514(b)(2)(i)(C).
    authored_at: PhiText | None = None


def to_message(document: PhiDocument) -> pb.PhiDocument:
    known = {
        kind: [value.reveal() for value in values] for kind, values in vars(document.known).items() if values
    }
    return pb.PhiDocument(
        text=document.text.reveal(),
        known=pb.KnownIdentifiers(**known),
        authored_at=document.authored_at.reveal() if document.authored_at is not None else "",
    )


def from_message(message: pb.PhiDocument) -> PhiDocument:
    known = {
        field.name: tuple(PhiText(value) for value in getattr(message.known, field.name))
        for field in fields(KnownIdentifiers)
    }
    authored_at = PhiText(message.authored_at) if message.authored_at else None
    return PhiDocument(PhiText(message.text), KnownIdentifiers(**known), authored_at)


def to_bytes(document: PhiDocument) -> bytes:
    return to_message(document).SerializeToString()


def from_bytes(data: bytes) -> PhiDocument:
    message = pb.PhiDocument()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise UnreadablePhiDocument("the blob is not a PHI document") from None
    return from_message(message)
