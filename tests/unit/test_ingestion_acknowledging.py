"""Acknowledgements of HL7 v2: in the sender's separators and version, for any message however broken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside_ingestion.acknowledging import Code, acknowledgement

AT = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)
MSH = r"MSH|^~\&|RIS|NORTH|BOX|SOUTH|20260301||ORU^R01^ORU_R01|77|T|{version}|||{accept}|{application}"


def sent(version: str = "2.5.1", accept: str = "", application: str = "") -> bytes:
    return MSH.format(version=version, accept=accept, application=application).encode() + b"\rPID|1\r"


def answer(message: bytes, code: Code = "AA", **options: Any) -> list[list[str]]:
    """Segments and fields of the answer; of MSH, from the separators on."""
    lines = acknowledgement(message, code, at=AT, **options).decode().removesuffix("\r").split("\r")
    return [line.split(lines[0][3]) for line in lines]


def test_an_answer_goes_back_to_its_sender() -> None:
    msh, msa = answer(sent(), control_id="A1")
    assert msh[2:6] == ["BOX", "SOUTH", "RIS", "NORTH"]
    assert msh[6:] == ["20260301140500+0000", "", "ACK^R01^ACK", "A1", "T", "2.5.1"]
    assert msa == ["MSA", "AA", "77"]


def test_what_is_wrong_stands_in_err_of_new_versions() -> None:
    _, msa, err = answer(sent(), "AE", text="No PID | here", error_code="101")
    assert msa == ["MSA", "AE", "77"]
    assert err == ["ERR", "", "", "101^Required field missing^HL70357", "E", "", "", "", r"No PID \F\ here"]


def test_what_is_wrong_stands_in_msa_of_old_versions() -> None:
    msh, msa = answer(sent("2.3"), "AR", text="No PID")
    assert msh[8] == "ACK^R01"
    assert msa == ["MSA", "AR", "77", "No PID"]


@pytest.mark.parametrize(
    ("accept", "application", "code", "said"),
    [
        ("", "", "AA", "AA"),
        ("AL", "NE", "AA", "CA"),
        ("AL", "AL", "AE", "CE"),
        ("AL", "", "AR", "CR"),
        ("NE", "AL", "AA", "AA"),
        ("ER", "NE", "AE", "CE"),
        ("ER", "NE", "AA", None),
        ("SU", "NE", "AA", "CA"),
        ("SU", "ER", "AE", "AE"),
        ("NE", "NE", "AE", None),
        ("", "NE", "AA", None),
    ],
)
def test_the_mode_is_the_senders(accept: str, application: str, code: Code, said: str | None) -> None:
    message = sent(accept=accept, application=application)
    if said is None:
        assert acknowledgement(message, code, at=AT) == b""
    else:
        assert answer(message, code)[1][1] == said


def test_the_senders_separators_are_spoken() -> None:
    message = rb"MSH#*!%@#RIS#NORTH#BOX#SOUTH###ORU*R01#77#P#2.5" + b"\r"
    msh, msa, err = answer(message, "AE", text="a#b*c", error_code="207")
    assert msh[1] == "*!%@"
    assert msa[2] == "77"
    assert err[3] == "207*Application internal error*HL70357"
    assert err[8] == "a%F%b%S%c"


@pytest.mark.parametrize(
    "message", [b"", b"PID|1", b"MSH", b"MSH|", b"MSH|^^^^|x", b"\x00\xff" * 50, b"MSHA"]
)
def test_a_message_without_a_usable_header_is_answered_too(message: bytes) -> None:
    msh, msa, err = answer(message, "AR", error_code="100")
    assert msh[:3] == ["MSH", r"^~\&", "CURBSIDE"]
    assert msa == ["MSA", "AR", ""]
    assert err[3].startswith("100^")


def test_control_characters_are_never_echoed() -> None:
    message = sent().replace(b"77", b"7\x1c\x0b\x007").replace(b"RIS", "RÍS\x85".encode())
    data = acknowledgement(message, "AE", at=AT, text="a\rMSA|AA\x0b")
    assert not set(data) & ({*range(0x20)} - {0x0D})
    assert data.count(b"\rMSA") == 1
    assert b"|77\r" in data
    assert "UNICODE UTF-8" in data.decode()


@given(st.binary(max_size=400), st.sampled_from(["AA", "AE", "AR"]), st.text(max_size=300))
def test_any_bytes_are_answered_in_whole_segments(message: bytes, code: Code, text: str) -> None:
    data = acknowledgement(b"MSH|^~\\&|" + message, code, at=AT, text=text)
    lines = data.decode().split("\r")
    assert data == b"" or [line[:3] for line in lines if line] in (["MSH", "MSA"], ["MSH", "MSA", "ERR"])
