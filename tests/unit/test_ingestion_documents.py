"""Documents of every kind become text, or a named problem; nothing in them is followed."""

from __future__ import annotations

import io
import random
import zipfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curbside.errors import BadInput
from curbside_ingestion.domain.problems import BinaryReport, TruncatedReport, WrongEncoding
from curbside_ingestion.domain.report import read_submission
from curbside_ingestion.extraction import cda, docx, html, plain, rtf
from curbside_ingestion.extraction.found import (
    EmptyDocument,
    EncryptedDocument,
    Limits,
    MissingContent,
    OversizedDocument,
    UnreadableDocument,
    UnsafeDocument,
    UnsupportedDocument,
)

SENTENCE = "José Müller hat Schmerzen, 37 °C.\nKein Befund."
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def word(body: str, **parts: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", f"<w:document {W}><w:body>{body}</w:body></w:document>")
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def document(body: str = "", header: str = "") -> bytes:
    section = "<structuredBody><component><section><title>Findings</title><text>Clear.</text></section>"
    body = body or f"{section}</component></structuredBody>"
    return (
        f'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3" extension="D-1"/>{header}'
        f"<component>{body}</component></ClinicalDocument>"
    ).encode()


def nested(content: bytes, attributes: str = 'representation="B64"') -> bytes:
    return document(f"<nonXMLBody><text {attributes}>{b64encode(content).decode()}</text></nonXMLBody>")


@pytest.mark.parametrize(
    "charset",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1252"],
)
def test_text_of_any_charset_is_the_same_text(charset: str) -> None:
    assert plain.read_text(SENTENCE.encode(charset)).text == SENTENCE


@pytest.mark.parametrize(
    "data", [b"\x00abc\x00\x00de\x01" * 9, bytes(range(256)) * 9, b"\x00\x01\x02\x03" * 99]
)
def test_binary_is_no_text(data: bytes) -> None:
    with pytest.raises(BinaryReport):
        plain.read_text(data)


@pytest.mark.parametrize("data", ["Müller and é".encode()[:-1], "Müller, José".encode() + b"\xff."])
def test_text_that_is_cut_off_or_mixed_is_refused(data: bytes) -> None:
    with pytest.raises((TruncatedReport, WrongEncoding)):
        plain.read_text(data)


def test_html_keeps_columns_apart_and_follows_and_runs_nothing() -> None:
    text = html.read_text(
        b"<html><head><meta charset=latin1><title>t</title></head><p style='margin-left:9999999em'>M\xfcller"
        b"<script>x()</script><img src='http://x/'><a href='data:text/html,y'>link</a>"
        b"<table><tr><td>Name</td><td>Jane</td></tr></table>"
    ).text
    assert text.startswith("Müller")
    assert "Name  Jane" in text
    assert "x()" not in text
    assert "http" not in text
    assert len(text) < 99


def test_html_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(UnreadableDocument):
        html.read_text(b"<div>" * 240 + b"x")


def test_rtf_keeps_headers_and_code_pages_and_leaves_out_what_is_embedded() -> None:
    text = rtf.read_text(
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}}{\header Doe, Jane\par}"
        rb"M\'fcller \u233?x\par "
        rb"{\pict\bin4 }}}}}{\field{\*\fldinst HYPERLINK secret}{\fldrslt link}}\par "
        rb"Name:\cell Jane\cell F\cell\row Na\cell 140\cell\row}"
    ).text
    lines = [line for line in text.split("\n") if line]
    assert lines == ["Doe, Jane", "Müller éx", "link", "Name: Jane | F", "Na | 140"]


@pytest.mark.parametrize(
    "body",
    ["{" * 600 + "x" + "}" * 600, r"\u99999999 x", r"\uc x", "{x", r"\bin99999 x", r"\'81", r"\u-10179?x"],
)
def test_rtf_that_is_broken_is_refused_by_name(body: str) -> None:
    with pytest.raises(UnreadableDocument):
        rtf.read_text(b"{\\rtf1 " + body.encode() + b"}")


def test_docx_reads_in_order_without_what_was_deleted() -> None:
    cells = "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in ("Name:", "Jane", "F"))
    rows = f"<w:tr>{cells}</w:tr>"
    text = docx.read_text(
        word(
            paragraph("First")
            + f"<w:sdt><w:sdtContent><w:tbl>{rows}</w:tbl></w:sdtContent></w:sdt>"
            + "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
            + "<w:ins><w:r><w:t>kept</w:t></w:r></w:ins>"
            + "<w:r><w:rPr><w:vanish/></w:rPr><w:t> hidden</w:t></w:r>"
            + f"<w:r><w:pict><w:txbxContent>{paragraph('box')}</w:txbxContent></w:pict></w:r></w:p>",
            **{
                "word/_rels/document.xml.rels": '<R><r Type="x/header" Target="header1.xml"/>'
                '<r Type="x/footnotes" Target="/word/notes.xml"/></R>',
                "word/header1.xml": f"<w:hdr {W}>{paragraph('Head')}</w:hdr>",
                "word/notes.xml": f"<w:footnotes {W}>{paragraph('Note')}</w:footnotes>",
            },
        )
    ).text
    assert [line for line in text.split("\n") if line] == [
        "Head", "First", "Name: Jane | F", "kept hidden", "box", "Note",
    ]  # fmt: skip


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


def test_docx_that_is_unsafe_or_holds_no_text_is_refused() -> None:
    with pytest.raises(OversizedDocument):
        docx.read_text(word(paragraph("x" * 900_000)), Limits(max_unpacked_bytes=100_000))
    with pytest.raises(UnsafeDocument):
        docx.read_text(word(paragraph("x"), **{"../../etc/passwd": "x"}))
    with pytest.raises(UnsafeDocument):
        docx.read_text(
            word(
                paragraph("x"),
                **{
                    "word/_rels/document.xml.rels": '<R><r Type="x/header" Target="h.xml"/></R>',
                    "word/h.xml": f"{BOMB}<hdr>&b;</hdr>",
                },
            )
        )
    with pytest.raises(EmptyDocument, match="1 images"):
        docx.read_text(word(paragraph("1"), **{"word/media/image1.png": b"x"}))
    with pytest.raises(EncryptedDocument):
        docx.read_text(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 99)
    with pytest.raises(UnreadableDocument):
        docx.read_text(word(paragraph("x"))[:-30])


def test_cda_becomes_one_report_with_whom_its_header_names() -> None:
    header = (
        '<title>Discharge Summary</title><effectiveTime value="201308010500-0800"/>'
        '<recordTarget><patientRole><id root="2.16.840.1.113883.4.1" extension="111-22-3333"/>'
        '<id root="9.9" extension="M12345" assigningAuthorityName="North MRN"/>'
        "<addr><streetAddressLine>1 Oak St</streetAddressLine><city>Salem</city><state>OR</state></addr>"
        '<telecom value="tel:+1(555)555-2003"/><telecom value="mailto:jane@example.org"/>'
        '<telecom nullFlavor="UNK"/>'
        "<patient><name><prefix>Dr.</prefix><given>Jane</given><given>Q</given><family>Doe</family></name>"
        '<birthTime value="19750501"/></patient></patientRole></recordTarget>'
        "<author><assignedAuthor><assignedPerson><name>Ann Lee</name></assignedPerson>"
        "</assignedAuthor></author>"
        '<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.3" extension="D-0"/></parentDocument>'
        "</relatedDocument>"
    )
    row = cda.extract(document(header=header)).found[0].row
    assert row == {
        "text": "FINDINGS:\nClear.",
        "status": "amended",
        "external_id": "1.2.3^D-1",
        "replaces": "1.2.3^D-0",
        "patient_id": "M12345",
        "type": "Discharge Summary",
        "authored_at": "2013-08-01T05:00:00-08:00",
        "known": {
            "names": ["Jane Q Doe", "Jane Doe"],
            "staff": ["Ann Lee"],
            "mrns": ["M12345"],
            "numbers": ["111-22-3333"],
            "dates_of_birth": ["1975-05-01"],
            "addresses": ["1 Oak St, Salem, OR", "1 Oak St"],
            "phones": ["+1(555)555-2003"],
            "emails": ["jane@example.org"],
        },
    }


@pytest.mark.parametrize(
    ("value", "read"),
    [("20130801", "2013-08-01"), ("201308010500", "2013-08-01"), ("2013", None), ("20139901", None)],
)
def test_an_effective_time_is_no_more_exact_than_it_is_known(value: str, read: str | None) -> None:
    row = cda.extract(document(header=f'<effectiveTime value="{value}"/>')).found[0].row
    assert row.get("authored_at") == read


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<section xmlns='urn:hl7-org:v3'/>", UnsupportedDocument),
        (BOMB.encode() + document(), UnsafeDocument),
        (b'<!DOCTYPE a SYSTEM "http://x/y.dtd">' + document(), UnsafeDocument),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + document(), UnsafeDocument),
        (document()[:-30], UnreadableDocument),
        (document("<a>" * 300 + "</a>" * 300), BadInput),
        (document("<structuredBody/>"), EmptyDocument),
        (document('<nonXMLBody><text><reference value="x.pdf"/></text></nonXMLBody>'), MissingContent),
        (document('<nonXMLBody><text representation="B64">JVBER</text></nonXMLBody>'), UnreadableDocument),
        (nested(document()), UnsupportedDocument),
        (document(header="<recordTarget/><recordTarget/>"), UnsupportedDocument),
    ],
)
def test_cda_that_is_none_or_unsafe_is_refused_by_name(data: bytes, problem: type[BadInput]) -> None:
    with pytest.raises(problem):
        cda.extract(data)


def test_what_an_unstructured_document_embeds_is_read_by_its_own_kind() -> None:
    assert cda.extract(nested(SENTENCE.encode())).found[0].row["text"] == SENTENCE
    assert cda.extract(nested(b"{\\rtf1 No nodule.}")).found[0].row["text"] == "No nodule."


def test_every_real_structured_cda_is_a_report(shared: Path) -> None:
    files = sorted((shared / "data/ccda/Documents").rglob("*.[xX][mM][lL]"))
    assert len(files) == 12
    for file in files:
        row: dict[str, Any] = dict(cda.extract(file.read_bytes()).found[0].row)
        row.pop("replaces", None)
        assert read_submission(row, closed=True).patient_id


@pytest.mark.parametrize(
    ("pattern", "read"),
    [
        ("ccda/Documents/Diag*/*.xml", cda.extract),
        ("docx_ocr/docx/template_1_*1.docx", docx.read_text),
        ("docx_ocr/docx/template_12_*1.docx", docx.read_text),
        ("ccda/Documents/Diag*/*.xml", html.read_text),
        ("docx_ocr/truth/*/template_1_sample_1_*.txt", plain.read_text),
        ("docx_ocr/truth/*/template_1_sample_1_*.txt", lambda data: rtf.read_text(b"{\\rtf1 " + data + b"}")),
    ],
)
def test_a_damaged_file_is_read_or_refused_by_name(
    shared: Path, pattern: str, read: Callable[[bytes], object]
) -> None:
    whole = next((shared / "data").glob(pattern)).read_bytes()
    chance = random.Random(7)
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read(bytes(data[: chance.randint(1, len(data))] if chance.random() < 0.3 else data))
        except BadInput:
            continue
