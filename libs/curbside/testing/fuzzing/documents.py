"""Strategies of documents: real ones damaged, FHIR resources with parts exchanged, HL7 messages in pieces."""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from curbside.testing.fuzzing.bodies import MANY, ONE, damaged, odd_headers, odd_values
from curbside.testing.fuzzing.exchanging import Exchange, Framing
from curbside.testing.fuzzing.judging import CANARY

# By the ends of their names, as what they are sent.
_MEDIA: Final = {
    ".json": "application/fhir+json",
    ".hl7": "application/hl7-v2",
    ".xml": "application/xml",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".dcm": "application/octet-stream",
}
_LARGEST: Final = 60_000  # bytes: what is found in a longer one is found in a shorter one
_OURS: Final[tuple[tuple[str, bytes], ...]] = (
    ("text/html", f"<html><body><p>FINDINGS: {CANARY}</p></body></html>".encode()),
    ("application/rtf", rb"{\rtf1\ansi FINDINGS: Katzenbach \'e4\par {\*\x y}}"),
    ("text/plain", f"FINDINGS: {CANARY} is well.".encode()),
    ("application/pdf", b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>"),
    ("image/png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xff\xff\xff\xff\xff\xff\xff\x08\x02\x00\x00\x00"),
    (
        "image/tiff",
        b"II*\x00\x08\x00\x00\x00\x01\x00\x00\x01\x03\x00\x01\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00",
    ),
    (
        "application/cda+xml",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1"/><title>&x;</title></ClinicalDocument>',
    ),
)
_FHIR: Final[dict[str, Any]] = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {"resourceType": "Patient", "id": "p", "name": [{"family": CANARY}]},
        },
        {
            "fullUrl": "urn:uuid:2",
            "resource": {
                "resourceType": "DiagnosticReport",
                "id": "r",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4"}]},
                "subject": {"reference": "urn:uuid:1"},
                "issued": "2026-03-01T14:05:00+01:00",
                "conclusion": f"{CANARY} has no pneumonia.",
                "presentedForm": [{"contentType": "text/plain", "data": "Tm8gbm9kdWxlLg=="}],
            },
        },
        {
            "resource": {
                "resourceType": "DocumentReference",
                "id": "d",
                "status": "current",
                "type": {"text": "note"},
                "content": [
                    {
                        "attachment": {
                            "contentType": "text/html",
                            "data": "PHA+Tm8uPC9wPg==",
                            "url": "http://x/",
                        }
                    }
                ],
            }
        },
        {
            "resource": {
                "resourceType": "Observation",
                "id": "o",
                "status": "final",
                "code": {"text": "x"},
                "valueString": "y",
            }
        },
    ],
}
_HL7: Final = (
    "MSH|^~\\&|RIS|NORTH|CURBSIDE||20260301140500+0100||ORU^R01^ORU_R01|7|P|2.5.1",
    f"PID|1||4711^^^NORTH^MR||{CANARY}^Jane^^^^^L||19600102|F",
    "PV1|1|I|W^1^2",
    "ORC|RE|1|2",
    "OBR|1||A100|18748-4^Chest film^LN|||20260301140500+0100|||||||||||||||20260301||RAD|F",
    "OBX|1|TX|18748-4^Chest film^LN||FINDINGS: Lungs are clear.||||||F",
    "OBX|2|ED|PDF^x^L||^AP^^Base64^JVBERi0xLjQ=||||||F",
    "NTE|1||IMPRESSION: \\.br\\No \\X41\\ \\H\\pneumonia\\N\\.",
    "TXA|1|DS|TX|20260301",
)


_NAMES: Final = ("a", "../b", "/c", "d/e.hl7", "\xe9", "a\x00b")


def shared_documents(shared: Path, most: int = 400) -> list[tuple[str, bytes]]:
    """Media type and bytes of the small ones among the real documents under `shared`, and of ours."""
    paths = (
        sorted(path for path in (shared / "data").rglob("*") if path.suffix in _MEDIA)
        if shared.is_dir()
        else []
    )
    small = [path for path in paths if path.is_file() and path.stat().st_size <= _LARGEST]
    chosen = small[:: max(1, len(small) // most)]
    return [*_OURS, *((_MEDIA[path.suffix], path.read_bytes()) for path in chosen)]


@st.composite
def odd_documents(draw: st.DrawFn, token: str, documents: Sequence[tuple[str, bytes]]) -> Exchange:
    """A real document, damaged, by itself, in a form or in a ZIP, and perhaps called something else."""
    media, data = draw(st.sampled_from(documents))
    body = draw(damaged(data))
    kind = f"document {media}"
    target = draw(st.sampled_from((ONE, MANY)))
    if media.endswith("fhir+json") and draw(st.booleans()):
        target = "/ingestion/fhir"
    elif media.endswith("hl7-v2") and draw(st.booleans()):
        target = "/ingestion/hl7"
    match draw(st.sampled_from(("plain", "plain", "plain", "form", "zip", "other"))):
        case "form":
            body = (
                b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
                + body
                + b"\r\n--b--\r\n"
            )
            media, target = "multipart/form-data; boundary=b", draw(st.sampled_from((ONE, MANY)))
        case "zip":
            names = draw(st.lists(st.sampled_from(_NAMES), max_size=3))
            packed = _zipped(names, body, draw(st.sampled_from((0, 8, 12))))
            body, media, target = draw(damaged(packed)), "application/zip", MANY
        case "other":
            media = draw(st.sampled_from(documents))[0]
    return _posted(draw, token, target, media, body, kind)


def _zipped(names: Sequence[str], body: bytes, method: int) -> bytes:
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", method) as archive:
        warnings.simplefilter("ignore")  # that a name is there twice
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), body)
    return packed.getvalue()


def _posted(draw: st.DrawFn, token: str, target: str, media: str, body: bytes, kind: str) -> Exchange:
    headers = [("content-type", media), ("authorization", f"Bearer {token}")]
    if draw(st.integers(0, 9)) == 0:
        headers.append(draw(odd_headers.filter(lambda header: header[0] != "authorization")))
    framing = draw(
        st.sampled_from((Framing.LENGTH, Framing.LENGTH, Framing.LENGTH, Framing.CHUNKED, Framing.SHORT))
    )
    return Exchange("POST", target, headers, body, framing, kind)


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every part of `node` stands."""
    found = [path] if path else []
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in members:
        found += _places(value, (*path, key))
    return found


@st.composite
def odd_fhir(draw: st.DrawFn, token: str) -> Exchange:
    """A resource whose parts were taken out, exchanged for anything, or put where others belong."""
    resource = copy.deepcopy(_FHIR)
    resource["type"] = draw(
        st.sampled_from(("collection", "batch", "transaction", "message", "history", 5, None))
    )
    if draw(st.booleans()):
        resource = copy.deepcopy(draw(st.sampled_from(_FHIR["entry"])))["resource"]
    for _ in range(draw(st.integers(0, 3))):
        places = _places(resource)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        node: Any = resource
        for step in way:
            node = node[step]
        match draw(st.sampled_from(("out", "odd", "elsewhere", "many"))):
            case "out":
                del node[last]
            case "odd":
                node[last] = draw(odd_values)
            case "elsewhere":
                node[last] = copy.deepcopy(draw(st.sampled_from((resource, _FHIR["entry"], node))))
            case "many":
                node[last] = [copy.deepcopy(node[last])] * draw(st.sampled_from((2, 50)))
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    target = draw(
        st.sampled_from(("/ingestion/fhir", f"/ingestion/fhir/{kind if isinstance(kind, str) else 'Binary'}"))
    )
    if not target.isascii() or any(character in target for character in " ?#%\x00\r\n"):
        target = "/ingestion/fhir/Binary"
    body = json.dumps(resource, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    body = draw(damaged(body)) if draw(st.integers(0, 3)) == 0 else body
    return _posted(draw, token, target, "application/fhir+json", body, "fhir")


@st.composite
def odd_hl7(draw: st.DrawFn, token: str) -> Exchange:
    """Segments in any order and number, with other marks, fields exchanged, and ends of every kind."""
    segments = draw(st.lists(st.sampled_from(_HL7), min_size=0, max_size=10))
    if draw(st.integers(0, 3)):
        segments = [_HL7[0], *segments]
    if draw(st.integers(0, 3)) == 0 and segments:
        at = draw(st.integers(0, len(segments) - 1))
        fields = segments[at].split("|")
        fields[draw(st.integers(0, len(fields) - 1))] = draw(st.text(max_size=30))
        segments[at] = "|".join(fields)
    if draw(st.integers(0, 4)) == 0:
        marks = draw(st.text(min_size=1, max_size=6))
        segments = [segment.replace("^~\\&", marks) for segment in segments]
    text = draw(st.sampled_from(("\r", "\r\n", "\n", "\x1c\r", ""))).join(segments)
    body = text.encode(draw(st.sampled_from(("utf-8", "utf-16", "latin-1"))), "replace")
    wrapped = draw(
        st.sampled_from((b"%b", b"%b", b"\x0b%b\x1c\r", b"FHS|^~\\&\rBHS|^~\\&\r%b\rBTS|1\rFTS|1"))
    )
    body = draw(damaged(wrapped.replace(b"%b", body)))
    target = draw(st.sampled_from(("/ingestion/hl7", "/ingestion/hl7", MANY, ONE)))
    return _posted(draw, token, target, "application/hl7-v2", body, "hl7")
