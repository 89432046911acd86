"""HL7 v2: messages become reports with what is known of their patients; bad ones are refused by name."""

from __future__ import annotations

import base64
import random
import re
from pathlib import Path
from typing import Any

import pytest

from curbside.errors import BadInput
from curbside_ingestion.domain.report import read_submission
from curbside_ingestion.extraction import documents
from curbside_ingestion.extraction.found import (
    DocumentText,
    EmptyDocument,
    Extraction,
    Kind,
    Limits,
    MissingContent,
    NoReport,
    OversizedDocument,
    Quality,
    UnreadableDocument,
    UnsupportedDocument,
)
from curbside_ingestion.extraction.hl7v2 import extract

MSH = r"MSH|^~\&|RIS|NORTH|CURBSIDE|X|20260301140500-0500||ORU^R01^ORU_R01|77|P|2.5.1"
PID = (
    "PID|1||99^^^X^PI~4711007^^^NORTH^MR||Katzenbach^Wolfgang^A^Jr^^^L~Katz^Wolf||19520304|M|Wolfi^Wolf"
    "||12 Elm Row^Apt 4^Springfield^IL^62701||(217)555-0101^PRN^PH^w.katz@example.org^^217^5550101|||||"
    "ACC900111|123-45-6789"
)
OBR = "OBR|1|PL55501|FI88802|71020^CT CHEST^L|||202602281200|||||||||301^Okonkwo^Ada^^^Dr||||||||RAD|F"
BODY = "OBX|1|TX|71020&GDT^CT||A 5 mm nodule.||||||F\rOBX|2|TX|71020&IMP^CT||Benign.||||||F"


def message(*segments: str, header: str = MSH) -> bytes:
    return ("\r".join((header, *segments)) + "\r").encode()


def mdm(trigger: str, txa: str, *observations: str) -> bytes:
    return message(
        PID, txa, *observations, header=MSH.replace("ORU^R01^ORU_R01", f"MDM^{trigger}^MDM_{trigger}")
    )


def rows(data: bytes) -> list[dict[str, Any]]:
    return [found.row for found in extract(data).found]


def row(*segments: str) -> dict[str, Any]:
    (only,) = rows(message(PID, *segments))
    return only


def text(*observations: str) -> str:
    """What the observations come to, under an OBR without a name."""
    return str(row("OBR|1||FI88802", *observations)["text"])


def problems(extraction: Extraction) -> list[type[BaseException]]:
    return [type(refused.problem) for refused in extraction.refused]


def test_an_obr_with_its_observations_is_a_report() -> None:
    report = row(OBR, BODY)
    assert report["text"] == "EXAMINATION: CT CHEST\nFINDINGS:\nA 5 mm nodule.\nIMPRESSION:\nBenign."
    assert report["external_id"] == "FI88802-71020"
    assert report["patient_id"] == "4711007"
    assert report["status"] == "final"
    assert report["authored_at"] == "2026-02-28T12:00:00-05:00"
    assert read_submission(report).type == "radiology"


def test_what_the_segments_know_is_known() -> None:
    nk1 = "NK1|1|Katzenbach^Lena|SPO|9 Oak St^^Salem^MA^01970|^PRN^CP^^^978^5550199"
    known = row(nk1, "PV1|1|I|||||7^Brown^Ed||||||||||||V900222", OBR, BODY + "|||||9^Ito^Ken")["known"]
    assert known["names"][:2] == ["Wolfgang A Katzenbach Jr", "Wolf Katz"]
    assert known["relatives"] == ["Lena Katzenbach"]
    assert {"Ed Brown", "Ada Okonkwo", "Ken Ito"} <= set(known["staff"])
    assert known["mrns"] == ["4711007"]
    assert {"ACC900111", "123-45-6789", "V900222", "FI88802", "PL55501"} <= set(known["numbers"])
    assert known["dates_of_birth"] == ["1952-03-04"]
    assert known["addresses"][:2] == ["12 Elm Row, Apt 4, Springfield, IL 62701", "12 Elm Row"]
    assert {"(217)555-0101", "217-5550101", "978-5550199"} <= set(known["phones"])
    assert known["emails"] == ["w.katz@example.org"]


def test_no_list_of_the_known_is_longer_than_a_report_may_have() -> None:
    many = "\r".join(f"NK1|{n}|Katzenbach^Lena{n}" for n in range(200))
    assert len(read_submission(row(many, OBR, BODY)).known.relatives) == 50


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n", "\r\n\r\n"])
@pytest.mark.parametrize(
    "frame", ["{}", "\x0b{}\x1c\r", "\ufeff{}", "{}\x1a", "FHS|^~\\&|A\rBHS|^~\\&|A\r{}BTS|1\rFTS|1\r"]
)
def test_framing_and_line_endings_change_nothing(ending: str, frame: str) -> None:
    plain = message(PID, OBR, BODY)
    framed = frame.format(plain.decode()).replace("\r", ending).replace("\x1c" + ending, "\x1c\r")
    (found,) = extract(framed.encode()).found
    assert found.row == rows(plain)[0]
    assert found.original == plain


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("8859/1", "latin-1"),
        ("", "cp1252"),
        ("UNICODE UTF-8", "utf-8"),
        ("8859/1", "utf-8"),
        ("UNICODE UTF-8", "cp1252"),
        ("8859/2", "iso8859-2"),
        ("GB 18030-2000", "gb18030"),
        ("", "utf-16"),
        ("", "utf-16-le"),
    ],
)
def test_a_name_survives_its_charset(declared: str, encoding: str) -> None:
    header = f"{MSH}||||||{declared}"
    data = "\r".join((header, PID.replace("Katzenbach", "Müller"), OBR, BODY)).encode(encoding)
    assert rows(data)[0]["known"]["names"][0] == "Wolfgang A Müller Jr"


def test_what_is_half_utf8_is_refused() -> None:
    data = message(PID.replace("Katzenbach", "Müller"), OBR, BODY) + b"NTE|1||caf\xe9"
    assert problems(extract(data)) == [UnreadableDocument]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (r"a\.br\b", "a\nb"),
        (r"a\.sp2\b", "a\n\nb"),
        (r"a\.sp9999\b", "a" + "\n" * 10 + "b"),
        (r"5\S\10 \T\ \F\ \R\ \E\x", r"5^10 & | ~ \x"),
        (r"\H\bold\N\ \.in+4\in", "bold in"),
        (r"M\XC3\\XBC\ller, M\XFC\ller, \X0D0A\x", "Müller, Müller,\nx"),
        (r"\E\T\E\ stays", r"\T\ stays"),
        (r"C:\temp\x", r"C:\temp\x"),
        ("A&P ^ 2~next", "A&P ^ 2\nnext"),
    ],
)
def test_escapes_are_read_once(sent: str, read: str) -> None:
    assert text(f"OBX|1|FT|||{sent}||||||F") == read


def test_other_separators_are_obeyed() -> None:
    swap = str.maketrans("|^~\\&", "#*!%$")
    (report,) = rows(message(PID, OBR, BODY).decode().translate(swap).encode())
    assert report == rows(message(PID, OBR, BODY))[0]


def test_a_change_of_charset_within_a_field_is_refused() -> None:
    data = message(PID, OBR, r"OBX|1|TX|||\C2842\xyz||||||F")
    assert problems(extract(data)) == [UnsupportedDocument]


@pytest.mark.parametrize(
    ("observation", "line"),
    [
        (
            "OBX|1|NM|2345-7^Glucose^LN||182|mg/dL^^UCUM|70-99|H|||F",
            "Glucose: 182 mg/dL (reference 70-99) [H]",
        ),
        ("OBX|1|SN|1^Titre^L||>^100||||||F", "Titre: >100"),
        ("OBX|1|SN|1^Ratio^L||^1^:^128||||||F", "Ratio: 1:128"),
        ("OBX|1|CWE|1^Culture^L||112283007^E. coli^SCT||||||F", "Culture: E. coli"),
        ("OBX|1|DT|1^Drawn^L||20260102||||||F", "Drawn: 2026-01-02"),
        ("OBX|1|ST|^^^9^Colour^L||yellow||||||F", "Colour: yellow"),
        ("OBX|1|TX|1^Note^L||one||||||F\rOBX|2|TX|1^Note^L||two||||||F", "Note:\none\ntwo"),
        ("OBX|1|TX|1^Note^L|2|two||||||F\rOBX|2|TX|1^Note^L|1|one||||||F", "Note:\none\ntwo"),
        ("OBX|1|TX|59776-5^x^LN||Clear.||||||F", "FINDINGS:\nClear."),
        ("OBX|1|TX|1&IMP^x||IMPRESSION: None.||||||F", "IMPRESSION: None."),
        ("OBX|1|NM|1^Hb^L||9||||||F\rNTE|1||Repeated.~Twice.", "Hb: 9\nRepeated.\nTwice."),
        ("OBX|1|NM|1^Hb^L||9||||||W\rOBX|2|NM|1^Hb^L||12||||||C", "Hb: 12"),
        ("OBX|1|TX|||broken\nin the sender's\nfield||||||F", "broken\nin the sender's\nfield"),
    ],
)
def test_observations_are_readable_lines(observation: str, line: str) -> None:
    assert text(observation) == line


@pytest.mark.parametrize(
    ("said", "observed", "status"),
    [
        ("F", "F", "final"),
        ("P", "F", "preliminary"),
        ("C", "F", "amended"),
        ("F", "C", "amended"),
        ("X", "F", "entered-in-error"),
        ("", "P", "preliminary"),
        ("", "F", "final"),
        ("?", "F", "preliminary"),
    ],
)
def test_a_status_is_the_standards(said: str, observed: str, status: str) -> None:
    assert row(f"{OBR[:-1]}{said}", f"OBX|1|TX|||x y||||||{observed}")["status"] == status


def test_a_report_whose_results_are_all_wrong_is_a_retraction() -> None:
    report = row(OBR, "OBX|1|TX|||Another patient's.||||||W")
    assert (report["text"], report["status"], report["retraction"]) == ("", "entered-in-error", True)


def test_reports_that_share_an_order_number_are_told_apart() -> None:
    second = OBR.replace("71020^CT CHEST", "74150^CT ABDOMEN")
    reports = rows(message(PID, OBR, BODY, second, BODY, second, BODY))
    assert [report["external_id"] for report in reports] == [
        "FI88802-71020",
        "FI88802-74150",
        "FI88802-74150-2",
    ]


def test_a_patients_reports_never_take_the_next_patients_names() -> None:
    other = "PID|2||5550042^^^X^MR||Ito^Hana"
    first, second = rows(message(PID, OBR, BODY, other, OBR, BODY))
    assert first["patient_id"] == "4711007"
    assert second["patient_id"] == "5550042"
    assert second["known"]["names"] == ["Hana Ito"]
    assert "Hana Ito" not in first["known"]["names"]


TXA = "TXA|1|DS|TX|20260228120000|301^Okonkwo^Ada|||||||DOC900333|DOC900222||||{completion}||{available}"


@pytest.mark.parametrize(
    ("trigger", "completion", "available", "status"),
    [
        ("T02", "AU", "AV", "final"),
        ("T02", "LA", "", "final"),
        ("T02", "DI", "AV", "preliminary"),
        ("T04", "LA", "AV", "final"),
        ("T06", "AU", "AV", "final"),
        ("T08", "AU", "AV", "amended"),
        ("T10", "AU", "AV", "amended"),
        ("T02", "AU", "CA", "entered-in-error"),
        ("T11", "AU", "AV", "entered-in-error"),
    ],
)
def test_a_document_has_the_status_of_its_event(
    trigger: str, completion: str, available: str, status: str
) -> None:
    (report,) = rows(
        mdm(trigger, TXA.format(completion=completion, available=available), "OBX|1|TX|||Went home.||||||F")
    )
    assert report["status"] == status
    assert report["external_id"] == "DOC900333"
    assert read_submission({k: v for k, v in report.items() if k != "replaces"}).type == "discharge"
    assert report.get("replaces") == ("DOC900222" if trigger == "T10" else None)


def test_a_cancelled_document_needs_no_text() -> None:
    (report,) = rows(mdm("T11", TXA.format(completion="AU", available="CA")))
    assert report["retraction"] is True
    assert report["text"] == ""


def test_a_notification_without_content_is_no_report() -> None:
    assert problems(extract(mdm("T01", TXA.format(completion="AU", available="AV")))) == [EmptyDocument]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is given to the readers of documents, who answer with its length and confidence 0.9."""
    given: list[bytes] = []

    def read_text(data: bytes, limits: Limits) -> DocumentText:
        given.append(data)
        return DocumentText(f"read {len(data)} bytes", Kind.PDF, Quality(0.9, 3, 1))

    monkeypatch.setattr(documents, "read_text", read_text)
    return given


PDF = b"%PDF-1.7 " + bytes(range(256))


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (f"X^AP^PDF^Base64^{base64.b64encode(PDF).decode()}", PDF),
        (f"X^IM^JPEG^base64^{base64.encodebytes(PDF).decode()}", PDF),
        (f"^TEXT^PDF^A^{base64.b64encode(PDF).decode()}", PDF),
        (f"{base64.b64encode(PDF).decode()}", PDF),
        (f"^AP^RTF^Hex^{PDF.hex()}", PDF),
        ("^TEXT^PLAIN^A^Seen \\T\\ well. A & B", b"Seen & well. A & B"),
        ("^TEXT^PLAIN^quoted-printable^M=C3=BCller", "Müller".encode()),
        ("^multipart^x^A^MIME-Version: 1.0\\.br\\Content-Type: text/xml\\.br\\\\.br\\<a/>", b"<a/>"),
    ],
)
def test_a_document_within_is_decoded_whatever_it_says(value: str, content: bytes, read: list[bytes]) -> None:
    (found,) = extract(message(PID, OBR, f"OBX|1|ED|PDF^Report||{value}||||||F")).found
    assert read == [content]
    assert str(found.row["text"]).endswith(f"read {len(content)} bytes")
    assert found.quality == Quality(0.9, 3, 1)


@pytest.mark.parametrize(
    "value",
    [
        "^AP^PDF^Base64^<Base64 encoded>",
        "^AP^PDF^Base64^pdfInBase64Binary!",
        "^AP^PDF^Hex^xyz",
        "X^AP^PDF^Base64^",
    ],
)
def test_a_document_that_is_none_is_named_beside_the_text(value: str) -> None:
    extraction = extract(message(PID, OBR, BODY, f"OBX|3|ED|1^PDF||{value}||||||F"))
    assert problems(extraction) == [MissingContent]
    assert extraction.refused[0].place == "message 1, OBR 1, OBX 3"
    assert len(extraction.found) == 1


def test_a_pointer_is_never_followed() -> None:
    extraction = extract(message(PID, OBR, "OBX|1|RP|1^PDF||https://example.org/a.pdf^X||||||F"))
    assert problems(extraction) == [MissingContent]
    assert not extraction.found


@pytest.mark.parametrize("kind", ["ADT^A01", "ACK^R01", "VXU^V04", "SIU^S12", "ZZZ", "DFT^P03"])
def test_other_messages_are_refused_by_name(kind: str) -> None:
    extraction = extract(message(PID, header=MSH.replace("ORU^R01^ORU_R01", kind)))
    assert problems(extraction) == [NoReport]
    assert kind[:3] in extraction.refused[0].problem.message


@pytest.mark.parametrize(("status", "count"), [("F", 1), ("", 0), ("O", 0)])
def test_an_order_is_a_report_where_it_holds_results(status: str, count: int) -> None:
    data = message(PID, OBR[:-1] + status, BODY, header=MSH.replace("ORU^R01^ORU_R01", "OML^O21"))
    assert len(extract(data).found) == count


def test_specimens_and_orders_stand_where_their_message_puts_them() -> None:
    header = MSH.replace("ORU^R01^ORU_R01", "OUL^R22^OUL_R22")
    data = message(PID, "SPM|1|S90001^S90002", OBR, "ORC|RE|||G90003", BODY, header=header)
    (report,) = rows(data)
    assert {"G90003", "S90001", "S90002"} <= set(report["known"]["numbers"])


@pytest.mark.parametrize(
    ("segment", "exclusions"),
    [
        ("ARV|1|A|PSYTHPN", ["psychotherapy"]),
        ("ARV|1|A|ETH~HIV", ["42cfr2", "restricted"]),
        ("ARV|1|D|HIV", None),
        ("ARV|1|A|DEM", None),
        ("ARV|1|A|||||V", ["restricted"]),
        ("PD1|" + "|" * 11 + "Y", ["restricted"]),
        ("PV1|1|I||||||||||||||VIP", None),
    ],
)
def test_restrictions_by_the_standards_codes_become_exclusions(
    segment: str, exclusions: list[str] | None
) -> None:
    assert row(segment, OBR, BODY).get("exclusions") == exclusions


def test_good_messages_come_out_of_a_file_with_bad_ones() -> None:
    good = message(PID, OBR, BODY)
    extraction = extract(good + b"MSH|^^^^|bad\r" + good + message(PID, OBR) + b"\x00\x00")
    assert [found.place for found in extraction.found] == ["message 1, OBR 1", "message 3, OBR 1"]
    assert problems(extraction) == [UnreadableDocument, EmptyDocument]


def test_segments_that_no_rule_reads_are_counted() -> None:
    assert extract(message(PID, "ZPI|a", "ZPI|b", OBR, BODY)).dropped == {"ZPI": 2}


@pytest.mark.parametrize("data", [b"", b"\x0b\x1c\r", b"FHS|^~\\&|\rFTS|0", b"PID|1", b"\x00" * 99])
def test_what_holds_no_message_is_empty(data: bytes) -> None:
    with pytest.raises(EmptyDocument):
        extract(data)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (MSH.encode(), NoReport),
        (b"MSH|", UnreadableDocument),
        (b"MSHAbcdeA\rPID", UnreadableDocument),
        (b"MSH|^^^^|x", UnreadableDocument),
        (message("PID\x00|1", OBR), UnreadableDocument),
        (message("PID|||" + "~" * 1_000_000, OBR), OversizedDocument),
        (message(PID, OBR, "OBX|1|TX|||" + "five " * 1_000_001), OversizedDocument),
        (message(*["NK1|1|a^b"] * 600, OBR, BODY), OversizedDocument),
    ],
)
def test_hostile_messages_are_refused(data: bytes, problem: type[BaseException]) -> None:
    assert problems(extract(data)) == [problem]


def test_a_message_of_too_many_segments_is_refused() -> None:
    with pytest.raises(OversizedDocument):
        extract(message(*["OBX"] * 30_000))


def test_a_million_escapes_are_read() -> None:
    assert text("OBX|1|FT|||" + r"\.br\x" * 300_000).count("x") == 300_000


def real_files(shared: Path) -> list[Path]:
    return [
        path
        for path in sorted((shared / "data" / "hl7v2").rglob("*"))
        if path.suffix in (".hl7", ".txt") and path.is_file()
    ]


def test_every_real_message_is_read(shared: Path) -> None:
    found = refused = 0
    for path in real_files(shared):
        extraction = extract(path.read_bytes())
        assert {problem.code for _, problem in ((r.place, r.problem) for r in extraction.refused)} <= {
            "document.no-report",  # orders
            "document.empty",  # an OBR without OBX
            "document.content-missing",  # "<Base64 encoded>"
        }
        for report in extraction.found:
            if "retraction" not in report.row:
                assert read_submission(report.row).patient_id is not None
        found, refused = found + len(extraction.found), refused + len(extraction.refused)
    assert (found, refused) == (123, 11)


def test_mutated_real_messages_are_read_or_refused(shared: Path) -> None:
    paths, chance = real_files(shared), random.Random(5)
    for _ in range(150):
        data = bytearray(chance.choice(paths).read_bytes()[:20_000])
        for _ in range(chance.choice((1, 5, 40))):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randrange(1, 200)]
                case 2:
                    data[at:at] = chance.choice(
                        (b"\r", b"|", b"\\", b"^", b"~&", b"\x0b", b"\x1c\r", b"\nMSH|")
                    )
                case 3:
                    data[at:at] = data[: chance.randrange(1, 300)]
            data = data or bytearray(b"M")
        try:
            extraction = extract(bytes(data))
        except BadInput:
            continue
        assert all(isinstance(refused.problem, BadInput) for refused in extraction.refused)
        for found in extraction.found:
            assert re.search(r"\w", str(found.row["text"])) or found.row["retraction"]
