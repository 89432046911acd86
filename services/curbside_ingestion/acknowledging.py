"""The answer to an HL7 v2 message: ACK, in original and in enhanced mode (v2.5.1, 2.9). No clock, no socket.

A sender repeats a message until it is answered with AA or CA, and drops its copy then. So AA and CA are said
only of what is durable; both say the same here, because what is read from a message is kept with it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

Code = Literal["AA", "AE", "AR"]

# HL7 table 0357, message error condition codes.
ERRORS: Final = MappingProxyType(
    {
        "0": "Message accepted",
        "100": "Segment sequence error",
        "101": "Required field missing",
        "102": "Data type error",
        "103": "Table value not found",
        "104": "Value too long",
        "199": "Other HL7 error",
        "200": "Unsupported message type",
        "201": "Unsupported event code",
        "202": "Unsupported processing id",
        "203": "Unsupported version id",
        "204": "Unknown key identifier",
        "205": "Duplicate key identifier",
        "206": "Application record locked",
        "207": "Application internal error",
    }
)
_ACCEPTS: Final = MappingProxyType({"AA": "CA", "AE": "CE", "AR": "CR"})  # table 0008
_HEADER_BYTES: Final = 8_192  # of a message; what a header that is longer says is not echoed
_LONGEST: Final = 200  # characters of a field that is echoed; MSH-10 has 199 from v2.7 on
_LONGEST_TEXT: Final = 250  # ERR-8
_STANDARD: Final = "|^~\\&"
_DEFAULT_VERSION: Final = "2.5.1"
_VERSION: Final = re.compile(r"2\.(\d{1,2})(?:\.\d{1,2})?")


@dataclass(frozen=True)
class _Header:
    """What an answer needs of an MSH; empty where the message has none, or one that is broken."""

    marks: str = _STANDARD
    fields: tuple[str, ...] = ()

    def field(self, number: int) -> str:
        """MSH-`number` as it was sent, without control characters: an answer is one line per segment."""
        text = self.fields[number - 1] if number <= len(self.fields) else ""
        return text if len(text) <= _LONGEST else ""

    @property
    def version(self) -> str:
        version = self.field(12).partition(self.marks[1])[0]
        return version if _VERSION.fullmatch(version) else _DEFAULT_VERSION

    @property
    def minor(self) -> int:
        found = _VERSION.fullmatch(self.version)
        return int(found[1]) if found else 0


def acknowledgement(
    message: bytes,
    code: Code,
    *,
    at: datetime,
    text: str = "",
    error_code: str = "0",
    control_id: str = "",
) -> bytes:
    """The answer to `message`, not framed. Empty where the sender asks for none (MSH-15 and MSH-16, 2.9.3).

    `text` says why, without PHI; `error_code` is one of `ERRORS`. `at` is now, with an offset. `control_id`
    is the answer's own; without one it is made of the message and the time.
    """
    header = _header(message)
    said = _mode(code, header.field(15), header.field(16))
    if not said:
        return b""
    field, component, repetition, escape, sub = tuple(header.marks)
    identifier = control_id or hashlib.sha256(message + at.isoformat().encode()).hexdigest()[:20]
    event = header.field(9).split(component)[1:2]
    kind = component.join(["ACK", *(one for one in event if re.fullmatch(r"[A-Z0-9]{3}", one))])
    if header.minor >= 4 and component in kind:  # MSH-9.3 is of v2.3.1 on, and required from v2.5 on
        kind += f"{component}ACK"
    sent = f"{at:%Y%m%d%H%M%S}{at:%z}"[:19]
    processing = header.field(11) or "P"
    sender = (header.field(5) or "CURBSIDE", header.field(6), header.field(3), header.field(4))
    msh = ["MSH", f"{component}{repetition}{escape}{sub}", *sender, sent, "", kind, identifier, processing]
    msh.append(header.version)
    why = _escaped(text, header.marks)
    msa = ["MSA", said, header.field(10)]
    segments = [msh, msa]
    if said in ("AA", "CA"):
        pass
    elif header.minor >= 5:  # 2.15.5 ERR-3, ERR-4, ERR-8; MSA-3 is deprecated in favour of it
        number = error_code if error_code in ERRORS else "207"
        coded = component.join((number, ERRORS[number], "HL70357"))
        segments.append(["ERR", "", "", coded, "E", "", "", "", why])
    else:
        msa.append(why)
    answer = "".join(field.join(segment) + "\r" for segment in segments)
    if not answer.isascii():
        msh += [""] * 5 + ["UNICODE UTF-8"]
        answer = "".join(field.join(segment) + "\r" for segment in segments)
    return answer.encode()


def _mode(code: Code, accept: str, application: str) -> str:
    """The code to say: by original mode where both conditions are empty, else by the one that holds."""
    if not accept and not application:
        return code
    if _holds(accept, code):
        return _ACCEPTS[code]
    return code if _holds(application, code) else ""


def _holds(condition: str, code: Code) -> bool:
    """HL7 table 0155: always, never, on error or rejection, on success; an empty one is never (2.9.3)."""
    return {"AL": True, "ER": code != "AA", "SU": code == "AA"}.get(condition.upper(), False)


def _header(message: bytes) -> _Header:
    """The MSH of a message however broken, or of none. A batch's header is not echoed."""
    head = message[:_HEADER_BYTES]
    start = re.search(rb"(?:^|[\r\n\x0b]|\xef\xbb\xbf)(MSH[^\w\s\x00-\x1f])", head)
    if start is None:
        return _Header()
    line = re.split(rb"[\r\n]", head[start.start(1) :], maxsplit=1)[0]
    text = line.decode("utf-8", "replace")
    text = "".join(character for character in text if character.isprintable() and character != "\ufffd")
    fields = (text[3], *text.split(text[3])[1:])
    marks = fields[0] + fields[1] + _STANDARD[len(fields[1]) + 1 :]
    usable = len(set(marks[:5])) == 5 and not any(one.isalnum() or one.isspace() for one in marks)
    if not usable or len(fields[1]) > 5:
        return _Header()
    return _Header(marks[:5], fields)


def _escaped(text: str, marks: str) -> str:
    """`text` on one line, its separators escaped (2.7.1), as short as ERR-8."""
    field, component, repetition, escape, sub = tuple(marks)
    letters = {escape: "E", field: "F", component: "S", repetition: "R", sub: "T"}
    plain = "".join(character if character.isprintable() else " " for character in text)[:_LONGEST_TEXT]
    return "".join(f"{escape}{letters[one]}{escape}" if one in letters else one for one in plain)
