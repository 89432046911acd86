"""One report in the shape of each format: small, whole documents, made by hand."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_BOUNDARY: Final = "curbside-intake-5f1c"
FORM: Final = f"multipart/form-data; boundary={_BOUNDARY}"


def html(words: str) -> bytes:
    return f"<html><body><h1>Chest film</h1><p>FINDINGS: {words}</p></body></html>".encode()


def rtf(words: str) -> bytes:
    return f"{{\\rtf1\\ansi FINDINGS: {words}\\par}}".encode()


def docx(words: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        paragraph = f"<w:p><w:r><w:t>FINDINGS: {words}</w:t></w:r></w:p>"
        archive.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{_WORD}"><w:body>{paragraph}</w:body></w:document>',
        )
    return packed.getvalue()


def pdf(words: str) -> bytes:
    shown = f"BT /F 12 Tf 72 700 Td (FINDINGS: {words}) Tj ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Count 1/Kids[4 0 R]>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>/Contents 5 0 R>>",
        f"<</Length {len(shown)}>>stream\n{shown}\nendstream",
    ]
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("ascii")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer<</Root 1 0 R/Size {len(objects) + 1}>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def fhir_report(id: str, patient: str, words: str) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": id,
        "status": "final",
        "code": {"text": "Chest film"},
        "subject": {"reference": f"Patient/{patient}"},
        "conclusion": words,
    }


def fhir_bundle(kind: str, resources: Sequence[Mapping[str, Any]]) -> bytes:
    entries = [
        {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}
        for resource in resources
    ]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()


def hl7(id: str, patient: str, words: str) -> bytes:
    segments = (
        f"MSH|^~\\&|RIS|NORTH|CURBSIDE||20260301140500+0100||ORU^R01^ORU_R01|{id}|P|2.5.1",
        f"PID|1||{patient}^^^NORTH^MR||Doe^Jane^^^^^L||19600102|F",
        f"OBR|1||{id}|18748-4^Chest film^LN|||20260301140500+0100|||||||||||||||20260301||RAD|F",
        f"OBX|1|TX|18748-4^Chest film^LN||FINDINGS: {words}||||||F",
    )
    return "".join(f"{segment}\r" for segment in segments).encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    return packed.getvalue()


def form(data: bytes, fields: Mapping[str, str]) -> bytes:
    """A form (RFC 7578) with `data` as its file."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="paper"\r\n\r\n'.encode()
    return b"".join(parts) + head + data + f"\r\n--{_BOUNDARY}--\r\n".encode()
