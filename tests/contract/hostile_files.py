"""Files that are made to hurt whoever reads them, and what each is answered.

The table of docs/formats.md is this one.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from curbside.testing.intake import papers

WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
LAUGHS: Final = "".join(
    f'<!ENTITY l{level} "{f"&l{level - 1};" * 10 if level else "ha"}">' for level in range(10)
)
MEGA: Final = 1_000_000
READ: Final = "read"  # as what it is, with nothing of it run or fetched


@dataclass(frozen=True)
class Hostile:
    """`make` is given a URL at which nothing may be fetched.

    `answer` is the problem's code, the code of HL7's acknowledgement, or READ. With `later` the document is
    acknowledged first, and then rejected for that reason.
    """

    make: Callable[[str], bytes]
    media: str
    answer: str
    path: str = "v1/reports"
    later: bool = False


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return packed.getvalue()


def overlapped(times: int) -> bytes:
    """A ZIP whose directory names the same megabyte `times` times. D. Fifield, "A better zip bomb", 2019."""
    one = zipped({"a.txt": b"a" * MEGA})
    start = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    directory = one[start:end] * times
    tail = bytearray(one[end:])
    struct.pack_into("<HHII", tail, 8, times, times, len(directory), start)
    return one[:start] + directory + bytes(tail)


def nested_zip(levels: int) -> bytes:
    inner = zipped({"a.txt": b"0" * 10 * MEGA})
    for level in range(levels):
        inner = zipped({f"{level}-{copy}.zip": inner for copy in range(10)})
    return inner


def gzips(levels: int) -> bytes:
    data = b"\x00" * 220 * MEGA
    for _ in range(levels):
        data = gzip.compress(data)
    return data


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *more: bytes, rows: bytes = b"\0") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + data + chunk(b"IEND", b"")


def tiff(pages: int) -> bytes:
    """Pages of 8 by 8 pixels that are all of the same strip."""
    out = bytearray(b"II*\x00\x48\x00\x00\x00" + bytes(range(64)))
    for page in range(pages):
        tags = ((256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, 64))
        out += struct.pack("<H", len(tags))
        out += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        following = len(out) + 4 if page < pages - 1 else 0
        out += struct.pack("<I", following)
    return bytes(out)


def pdf(objects: list[str], size: int | None = None) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(out)
    count = size or len(objects) + 1
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer<</Root 1 0 R/Size {count}>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def stream(body: str, entries: str = "") -> str:
    return f"<</Length {len(body)}{entries}>>stream\n{body}\nendstream"


def drawing(form: int, inner: int) -> str:
    return stream(
        "/X Do " * 40, f"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X {inner} 0 R>>>>"
    )


def endless_drawings(_: str) -> bytes:
    """A page that draws a form 40 times, which draws the next 40 times, and so on: 40 to the eighth."""
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>/Contents 4 0 R>>"
    forms = [drawing(number, number + 1) for number in range(5, 13)]
    last = stream("0 0 m 9 9 l S", "/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    return pdf(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 1/Kids[3 0 R]>>",
            page,
            stream("/X Do"),
            *forms,
            last,
        ]
    )


def drawing_of_itself(_: str) -> bytes:
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</XObject<</X 4 0 R>>>>/Contents 5 0 R>>"
    itself = stream(
        "/X Do /X Do", "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 4 0 R>>>>"
    )
    return pdf(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 1/Kids[3 0 R]>>",
            page,
            itself,
            stream("/X Do"),
        ]
    )


def pages_of_themselves(_: str) -> bytes:
    return pdf(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 9/Kids[2 0 R 2 0 R]/Parent 2 0 R>>"])


def scripted_pdf(trap: str) -> bytes:
    words = "BT /F 12 Tf 72 700 Td (FINDINGS: Lungs are clear.) Tj ET"
    script = f"/OpenAction<</S/JavaScript/JS(while\\(true\\){{app.launchURL\\('{trap}'\\)}})>>"
    program = "<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/Launch/F(/bin/sh)>>>>"
    link = f"/AA<</O<</S/URI/URI({trap})>>>>/Annots[{program}]"
    return pdf(
        [
            f"<</Type/Catalog/Pages 2 0 R{script}>>",
            "<</Type/Pages/Count 1/Kids[4 0 R]>>",
            "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>/Contents 5 0 R"
            f"{link}>>",
            stream(words),
        ]
    )


def docx(document: str, parts: Mapping[str, str] | None = None) -> bytes:
    files = {"word/document.xml": document, **(parts or {})}
    return zipped({name: part.encode() for name, part in files.items()})


def body(text: str) -> str:
    return (
        f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>'
    )


def docx_outside(trap: str) -> bytes:
    kinds = ("header", "footer", "attachedTemplate", "image", "subDocument", "aFChunk", "oleObject")
    relations = "".join(
        f'<Relationship Id="r{kind}" Type="{OFFICE}/{kind}" Target="{trap}/{kind}" TargetMode="External"/>'
        for kind in kinds
    )
    named = f'<Relationships xmlns="{RELATIONS}">{relations}</Relationships>'
    return docx(body("FINDINGS: Lungs are clear."), {"word/_rels/document.xml.rels": named})


def cda(prologue: str = "", text: str = "Clear.") -> bytes:
    section = f"<section><title>Findings</title><text>{text}</text></section>"
    return (
        f'<?xml version="1.0"?>{prologue}<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/>'
        f"<component><structuredBody><component>{section}</component></structuredBody></component>"
        "</ClinicalDocument>"
    ).encode()


def report(**more: object) -> bytes:
    resource = papers.fhir_report("r1", "4711", "No pneumonia.")
    filled = {name: value for name, value in (resource | more).items() if value is not None}
    return json.dumps(filled).encode()


def attached(data: object, media: str = "application/pdf", **more: object) -> bytes:
    encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    return report(presentedForm=[{"contentType": media, "data": encoded, **more}])


def message(segments: str) -> bytes:
    return f"MSH|^~\\&|RIS|N|C||20260301||ORU^R01|1|P|2.5.1\r{segments}".encode()


JSON: Final = "application/json"
FHIR: Final = "application/fhir+json"
TEXT: Final = "text/plain"
CSV: Final = "text/csv"
OCTETS: Final = "application/octet-stream"
ZIP: Final = "application/zip"
HL7: Final = "application/hl7-v2"
BATCH: Final = "v1/reports:batch"
CREATE: Final = "fhir/DiagnosticReport"

HOSTILE: Final[Mapping[str, Hostile]] = {
    # ZIP
    "ZIP whose one file unpacks to 100 MB": Hostile(
        lambda trap: zipped({"a.txt": b"0" * 100 * MEGA}), ZIP, "document.too-large", BATCH
    ),
    "ZIP whose directory names one file of 1 MB 600 times": Hostile(
        lambda trap: overlapped(600), ZIP, "document.unsafe", BATCH
    ),
    "ZIP of 150 files that each unpack to 1 MB of text": Hostile(
        lambda trap: zipped({f"{number}.txt": b"a" * MEGA for number in range(150)}),
        ZIP,
        "report.too-large",
        BATCH,
    ),
    "ZIP of ZIPs of ZIPs": Hostile(lambda trap: nested_zip(2), ZIP, "document.unsupported", BATCH),
    "ZIP with a file named ../../etc/cron.d/x": Hostile(
        lambda trap: zipped({"../../etc/cron.d/x": b"FINDINGS: Clear."}), ZIP, "document.unsafe", BATCH
    ),
    "ZIP with a file named /etc/x or C:\\x": Hostile(
        lambda trap: zipped({"/etc/x": b"FINDINGS: Clear.", "C:\\x": b"FINDINGS: Clear."}),
        ZIP,
        "document.unsafe",
        BATCH,
    ),
    "ZIP packed by LZMA, which unpacks in one step": Hostile(
        lambda trap: zipped({"a.txt": b"0" * 30 * MEGA}, zipfile.ZIP_LZMA), ZIP, "document.unreadable", BATCH
    ),
    "ZIP with 5,000 files": Hostile(
        lambda trap: zipped({f"{n}.txt": b"FINDINGS: Clear." for n in range(5_000)}),
        ZIP,
        "document.too-large",
        BATCH,
    ),
    "gzip bomb": Hostile(lambda trap: gzips(1), OCTETS, "document.unsupported"),
    # Images
    "PNG of 60,000 by 60,000 pixels": Hostile(
        lambda trap: png(60_000, 60_000), "image/png", "document.too-large", later=True
    ),
    "PNG with 100 MB of compressed text": Hostile(
        lambda trap: png(90, 90, chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * 100 * MEGA, 9))),
        "image/png",
        "document.unreadable",
        later=True,
    ),
    "TIFF of 10,000 pages": Hostile(
        lambda trap: tiff(10_000), "image/tiff", "document.too-large", later=True
    ),
    # XML
    "C-CDA with a billion laughs": Hostile(
        lambda trap: cda(f"<!DOCTYPE ClinicalDocument [{LAUGHS}]>", "&l9;"), "text/xml", "document.unsafe"
    ),
    "C-CDA with an external DTD": Hostile(
        lambda trap: cda(f'<!DOCTYPE ClinicalDocument SYSTEM "{trap}.dtd">'), "text/xml", "document.unsafe"
    ),
    "C-CDA with an entity of /etc/passwd": Hostile(
        lambda trap: cda('<!DOCTYPE ClinicalDocument [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"),
        "text/xml",
        "document.unsafe",
    ),
    "C-CDA that is included from elsewhere": Hostile(
        lambda trap: cda(
            text=f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{trap}"/>Clear.'
        ),
        "text/xml",
        READ,
    ),
    "FHIR in XML with a billion laughs": Hostile(
        lambda trap: (
            f"<!DOCTYPE Bundle [{LAUGHS}]><Bundle xmlns='http://hl7.org/fhir'>&l9;</Bundle>"
        ).encode(),
        "text/xml",
        "document.unsupported",
    ),
    # DOCX
    "DOCX with a billion laughs": Hostile(
        lambda trap: docx(f"<!DOCTYPE d [{LAUGHS}]>{body('&l9;')}"), OCTETS, "document.unsafe", later=True
    ),
    "DOCX that unpacks to 220 MB": Hostile(
        lambda trap: docx(body("x" * 220 * MEGA)), OCTETS, "document.too-large", later=True
    ),
    "DOCX with a template, headers and images at a URL": Hostile(docx_outside, OCTETS, READ, later=True),
    "DOCX whose header is ../../etc/passwd": Hostile(
        lambda trap: docx(
            body("Clear."),
            {
                "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" '
                f'Type="{OFFICE}/header" Target="../../../../etc/passwd"/></Relationships>'
            },
        ),
        OCTETS,
        "document.unreadable",
        later=True,
    ),
    "DOCX with a part named ../../x": Hostile(
        lambda trap: docx(body("Clear."), {"../../x": "x"}), OCTETS, "document.unsafe", later=True
    ),
    # PDF
    "PDF that draws a form 40 times 40 times …": Hostile(
        endless_drawings, "application/pdf", "document.too-costly", later=True
    ),
    "PDF with a form that draws itself twice": Hostile(
        drawing_of_itself, "application/pdf", "document.too-costly", later=True
    ),
    "PDF whose pages hold themselves": Hostile(
        pages_of_themselves, "application/pdf", "document.unreadable", later=True
    ),
    "PDF with JavaScript, a link and a program to start": Hostile(
        scripted_pdf, "application/pdf", READ, later=True
    ),
    # HTML and RTF
    "HTML of 300,000 tags in each other": Hostile(
        lambda trap: b"<html>" + b"<div>" * 300_000 + b"Clear.",
        "text/html",
        "document.unreadable",
        later=True,
    ),
    "HTML that shows, loads and sends": Hostile(
        lambda trap: (
            f'<html><head><base href="{trap}"><link rel="stylesheet" href="{trap}"></head><body>'
            f'<img src="{trap}"><iframe src="{trap}"></iframe><object data="{trap}"></object>'
            f'<script src="{trap}"></script><p>FINDINGS: Clear.</p></body></html>'
        ).encode(),
        "text/html",
        READ,
        later=True,
    ),
    "RTF whose \\bin says 4 GB": Hostile(
        lambda trap: b"{\\rtf1 FINDINGS: Clear. \\bin4000000000 x}",
        "application/rtf",
        "document.unreadable",
        later=True,
    ),
    "RTF of 300,000 groups in each other": Hostile(
        lambda trap: b"{\\rtf1 " + b"{" * 300_000 + b"Clear.",
        "application/rtf",
        "document.unreadable",
        later=True,
    ),
    # JSON and FHIR
    # Tables
    "CSV of 100,000 columns": Hostile(
        lambda trap: ",".join(["text", *map(str, range(100_000))]).encode() + b"\na\n",
        CSV,
        "report.shape",
        BATCH,
    ),
    "CSV of one line of 5 MB": Hostile(lambda trap: b"text," + b"x" * 5 * MEGA, CSV, "report.shape", BATCH),
    "CSV with a header of 1 MB above 1,000 rows": Hostile(
        lambda trap: b"text," + b"x" * MEGA + b"\na,b" * 1_000, CSV, "report.shape", BATCH
    ),
    "CSV with a quote that is never closed": Hostile(
        lambda trap: b'id,text\n1,"' + b"x\n" * 2 * MEGA, CSV, "report.truncated", BATCH
    ),
    "CSV of quotes": Hostile(
        lambda trap: b"id,text\n1," + b'"' * (3 * MEGA + 1), CSV, "report.truncated", BATCH
    ),
    "CSV of headers alone": Hostile(lambda trap: b"id,text\n\n\n", CSV, "report.empty", BATCH),
    "CSV with two columns of text": Hostile(
        lambda trap: b"id,text,Text\n1,a,b\n", CSV, "report.shape", BATCH
    ),
    "CSV with NULs": Hostile(lambda trap: b"id,text\n1,a\x00b\n", CSV, "report.binary", BATCH),
    "CSV of 500,000 rows": Hostile(
        lambda trap: b"id,text\n" + b"1,a\n" * 500_000, OCTETS, "report.too-many", BATCH
    ),
    "a text of 5 MB of separators": Hostile(lambda trap: b",;\t|" * 1_250_000, OCTETS, "document.empty"),
    "JSON of 100,000 arrays in each other": Hostile(
        lambda trap: b'{"text": ' + b"[" * 100_000, JSON, "report.shape"
    ),
    "JSON with a number of a million digits": Hostile(
        lambda trap: b'{"text": "Clear.", "patient_id": ' + b"9" * MEGA + b"}", JSON, "report.shape"
    ),
    "JSON with a NUL in its text": Hostile(
        lambda trap: json.dumps({"text": "Clear\x00."}).encode(), JSON, "report.binary"
    ),
    "JSON with a NUL in an id": Hostile(
        lambda trap: json.dumps({"text": "Clear.", "external_id": "a\x00b"}).encode(),
        JSON,
        "report.bad-field",
    ),
    "FHIR of 100,000 arrays in each other": Hostile(
        lambda trap: b'{"resourceType": ' + b"[" * 100_000, FHIR, "report.shape", "fhir"
    ),
    "FHIR whose attachment is an object": Hostile(
        lambda trap: attached({"a": 1}), FHIR, "document.unreadable", CREATE
    ),
    "FHIR whose attachment says PDF and is a program": Hostile(
        lambda trap: attached(b"\x7fELF\x02\x01\x01" + b"\0" * 99), FHIR, "document.unsupported", CREATE
    ),
    "FHIR whose attachment is a gzip bomb": Hostile(
        lambda trap: attached(gzips(1), "text/plain"), FHIR, "document.too-large", CREATE
    ),
    "FHIR whose attachment is a gzip of a gzip bomb": Hostile(
        lambda trap: attached(gzips(2), "text/plain"), FHIR, "document.unsupported", CREATE
    ),
    "FHIR whose attachment is a URL": Hostile(
        lambda trap: report(conclusion=None, presentedForm=[{"url": trap}]),
        FHIR,
        "document.content-missing",
        CREATE,
    ),
    "FHIR whose attachment is file:///etc/passwd": Hostile(
        lambda trap: report(conclusion=None, presentedForm=[{"url": "file:///etc/passwd"}]),
        FHIR,
        "document.content-missing",
        CREATE,
    ),
    # HL7 v2
    "HL7 of no segment but MSH": Hostile(
        lambda trap: b"MSH|^~\\&|RIS|N|C||20260301||ORU^R01|1|P|2.5.1\r", HL7, "document.no-report"
    ),
    "HL7 whose separators are letters": Hostile(lambda trap: b"MSHAbcdeA\rPIDA1", HL7, "AE", "hl7"),
    "HL7 whose separators are all the same": Hostile(
        lambda trap: b"MSH||||||||\rPID|1", HL7, "document.unreadable"
    ),
    "HL7 of a million repetitions": Hostile(
        lambda trap: message("PID|||" + "~" * MEGA + "\rOBR|1\r"), HL7, "document.too-large"
    ),
    "HL7 of 60,000 segments": Hostile(
        lambda trap: message("OBX|1|TX|||Clear.\r" * 60_000), HL7, "document.too-large"
    ),
    # Text
    "UTF-16 without a byte order mark": Hostile(
        lambda trap: "FINDINGS: José has no nodule in either lung.".encode("utf-16-le"), TEXT, READ
    ),
    "UTF-16 without a byte order mark, cut in half of a character": Hostile(
        lambda trap: "FINDINGS: José has no nodule in either lung.".encode("utf-16-le")[:-1],
        TEXT,
        "report.binary",
    ),
    "text with NULs": Hostile(lambda trap: b"FINDINGS:\x00 clear\x00\x00.", TEXT, "report.binary"),
    "nothing but NULs": Hostile(lambda trap: b"\x00" * 4_096, OCTETS, "document.empty"),
    "noise": Hostile(lambda trap: random.Random(1).randbytes(65_536), OCTETS, "report.binary"),
}
