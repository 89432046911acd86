"""Strategies of bodies that no schema describes: JSON, CSV and NDJSON as no writer makes them, broken forms,
and headers that say something else than the body."""

from __future__ import annotations

import gzip
import json
from typing import Any, Final

from hypothesis import strategies as st

from curbside.testing.fuzzing.exchanging import Exchange, Framing
from curbside.testing.fuzzing.judging import CANARY

ONE: Final = "/ingestion/v1/reports"
MANY: Final = "/ingestion/v1/reports:batch"
_REPORT: Final = {"text": f"FINDINGS: {CANARY} has a 5 mm nodule.", "patient_id": "MRN-1", "source": "ris"}
_FIELDS: Final = (
    "text", "external_id", "id", "patient_id", "type", "status", "authored_at", "source", "known",
    "exclusions", "replaces", "reports", "resourceType", "names", "dob", "", "\x00", "__proto__",
)  # fmt: skip
# Texts that programs trip over: empty, surrogates, marks, directions, NULs, dates that no calendar has.
_ODD_TEXTS: Final = (
    "", " ", "\x00", "\ud800", "\udfff\ud800", "a\u0301" * 40, "\u202e", "\ufeff", "\ufffd",
    "%s%n{0}${x}", "'; --", "1e999", "-0", "9" * 400, "2026-02-30", "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59", "final ", CANARY, "../../etc/passwd", "<a", "\r\n", "amended",
    "entered-in-error", "𝔘𝔫𝔦" * 50, "ﬀ", "İ",
)  # fmt: skip
_ODD_NUMBERS: Final = (0, -1, 2**63, -(2**64), 10**400, 1.5, 1e308, float("inf"), float("nan"))
odd_texts = st.one_of(st.sampled_from(_ODD_TEXTS), st.text(max_size=40))
odd_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from(_ODD_NUMBERS), st.integers(), odd_texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(_FIELDS), st.text(max_size=8)), inner, max_size=4),
    ),
    max_leaves=8,
)
_CHARSETS: Final = (
    "", "utf-8", "utf-16", "utf-32", "iso-8859-1", "punycode", "idna", "rot13", "hex", "base64",
    "utf-7", "ebcdic", "undefined", "\x00", "unicode_escape", "mbcs", '"utf-8', "utf-8\xff", "zlib",
    "cp037",
)  # fmt: skip
_MEDIA: Final = (
    "application/json", "application/x-ndjson", "text/csv", "text/plain", "application/zip",
    "application/pdf", "multipart/form-data", "application/fhir+json", "application/hl7-v2",
    "text/html", "application/rtf", "image/png", "image/tiff", "application/octet-stream",
    "application/xml", "", "text", "a/b/c", ";", "application/JSON ; x=y", "text/plain; charset",
    "\xe9/\xff",
)  # fmt: skip
_CODECS: Final = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252")


def _encoded(text: str, codec: str) -> bytes:
    return text.encode(codec, "surrogatepass" if codec.startswith("utf") else "replace")


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` cut off, with bytes turned, taken out, doubled or put in."""
    out = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        if not out:
            break
        at = draw(st.integers(0, len(out) - 1))
        match draw(st.sampled_from(("cut", "turn", "out", "twice", "in", "nul"))):
            case "cut":
                del out[at:]
            case "turn":
                out[at] ^= draw(st.integers(1, 255))
            case "out":
                del out[at : at + draw(st.integers(1, 64))]
            case "twice":
                out[at:at] = out[at : at + draw(st.integers(1, 512))]
            case "in":
                out[at:at] = draw(st.binary(min_size=1, max_size=16))
            case "nul":
                out[at : at + 2] = b"\x00\xff"
    return bytes(out)


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """JSON of a report or of reports, as no writer makes it."""
    shape = draw(st.sampled_from(("members", "twice", "deep", "raw", "list", "wide")))
    match shape:
        case "members":
            members = draw(st.dictionaries(st.sampled_from(_FIELDS), odd_values, max_size=5))
            return json.dumps(_REPORT | members, ensure_ascii=draw(st.booleans()))
        case "twice":
            name, values = draw(st.sampled_from(_FIELDS)), draw(st.lists(odd_values, min_size=2, max_size=3))
            pairs = ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for value in values)
            return f'{{"text":"{CANARY}",{pairs}}}'
        case "deep":
            depth = draw(st.sampled_from((10, 500, 5_000, 100_000)))
            opening, closing = draw(st.sampled_from((("[", "]"), ('{"text":', "}"), ('{"known":[', "]}"))))
            return opening * depth + "1" + closing * draw(st.sampled_from((depth, depth - 1, 0)))
        case "raw":
            literal = draw(
                st.sampled_from(
                    ("NaN", "-Infinity", "1e999", "0" * 5_000, "1" * 5_000, '"\\ud800"', "tru", "'a'")
                )
            )
            return f'{{"text": "{CANARY}", "{draw(st.sampled_from(_FIELDS[1:12]))}": {literal}}}'
        case "list":
            return json.dumps(draw(st.lists(odd_values, max_size=5)))
        case _:
            return json.dumps(
                {"text": "a", "known": {"names": ["x"] * draw(st.sampled_from((49, 51, 5_000)))}}
            )


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, bytes]:
    """Media type and bytes of a batch: lines, a table, a list, or a text."""
    media = draw(st.sampled_from(("application/x-ndjson", "text/csv", "application/json", "text/plain")))
    if media == "application/x-ndjson":
        text = draw(st.sampled_from(("\n", "\r\n", "\r"))).join(draw(st.lists(json_texts(), max_size=4)))
    elif media == "text/csv":
        cell = st.one_of(
            odd_texts, st.sampled_from(('"', '""', 'a"b', "a\nb", "a,b", CANARY, "=cmd|' /C calc'!A0"))
        )
        mark = draw(st.sampled_from((",", ";", "\t", "|")))
        head = draw(st.lists(st.sampled_from((*_FIELDS[:14], "text", "TEXT ")), min_size=1, max_size=5))
        lines = [head, *draw(st.lists(st.lists(cell, max_size=6), max_size=5))]
        text = "\n".join(mark.join(line) for line in lines)
    else:
        text = draw(st.one_of(json_texts(), odd_texts))
    return media, draw(damaged(_encoded(text, draw(st.sampled_from(_CODECS)))))


@st.composite
def forms(draw: st.DrawFn) -> tuple[str, bytes]:
    """A form that is none: parts without names or ends, too many, with endless headers."""
    boundary = draw(st.sampled_from(("b", "----x", "", "b" * 300, "\xe9", 'q"uo"te', " ")))
    declared = draw(st.sampled_from((boundary, boundary, boundary, f'"{boundary}"', "other", "")))
    parts: list[bytes] = []
    many = draw(st.sampled_from((1, 1, 2, 3, 12, 3_000)))
    for number in range(draw(st.integers(0, many)) if many < 20 else many):
        name = (
            draw(st.sampled_from(("file", "text", "known", "source", "external_id", "columns", "x", "")))
            if number < 4
            else "file"
        )
        filename = (
            draw(
                st.sampled_from(
                    ("", '; filename="a.txt"', "; filename*=utf-8''%ff%00", '; filename="\x00../a"', ";=")
                )
            )
            if number < 4
            else '; filename="a"'
        )
        head = f'Content-Disposition: form-data; name="{name}"{filename}\r\n'
        if number < 4:
            head += draw(
                st.sampled_from(
                    ("", "", "X: " + "y" * 20_000 + "\r\n", "X\r\n", "\x00: a\r\n", "Content-Type: \xff\r\n")
                )
            )
        content = draw(st.one_of(odd_texts, json_texts())) if number < 4 else "a"
        parts.append(
            f"--{boundary}\r\n{head}\r\n".encode("latin-1", "replace") + _encoded(content, "utf-8") + b"\r\n"
        )
    end = draw(st.sampled_from(("--\r\n", "--\r\n", "", "\r\n")))
    body = b"".join(parts) + f"--{boundary}{end}".encode("latin-1", "replace")
    more = draw(st.sampled_from(("", "", "; charset=utf-16", "; charset=punycode", "; charset=idna")))
    return f"multipart/form-data; boundary={declared}{more}", draw(damaged(body)) if draw(
        st.booleans()
    ) else body


odd_headers: st.SearchStrategy[tuple[str, str]] = st.one_of(
    st.tuples(
        st.just("content-encoding"),
        st.sampled_from(("gzip", "br", "identity", "IDENTITY", "gzip, gzip", "", "\xff")),
    ),
    st.tuples(
        st.just("content-digest"),
        st.sampled_from(
            ("sha-256=:AAAA=:", "sha-256=", "sha-512=:\xff:", "md5=:x:", ",,,=", "sha-256=:" + "A" * 5_000)
        ),
    ),
    st.tuples(
        st.just("authorization"),
        st.sampled_from(("", "Bearer", "Bearer x", "Bearer cbs_x_y", "Basic \xff", "cbs")),
    ),
    st.tuples(st.just("expect"), st.sampled_from(("100-continue", "nothing"))),
    st.tuples(st.just("accept"), st.sampled_from(("text/html", "", "*/*;q=x"))),
    st.tuples(
        st.just("traceparent"),
        st.sampled_from(("00-x-y-z", "\xff", "00-" + "0" * 32 + "-" + "0" * 16 + "-01")),
    ),
    st.tuples(st.just("x-forwarded-for"), st.just("\xe9" * 200)),
    st.tuples(st.just("cookie"), st.just("a=b; " * 500)),
)


@st.composite
def odd_bodies(draw: st.DrawFn, token: str) -> Exchange:
    """A body of our own to one of the two routes of reports, perhaps with headers that contradict it."""
    kind = draw(st.sampled_from(("json", "rows", "form")))
    if kind == "json":
        media, body = "application/json", _encoded(draw(json_texts()), draw(st.sampled_from(_CODECS)))
    else:
        media, body = draw(rows() if kind == "rows" else forms())
    if draw(st.integers(0, 9)) == 0:
        body = draw(damaged(gzip.compress(body)))
    if draw(st.integers(0, 5)) == 0:
        media = draw(st.sampled_from(_MEDIA))
    if draw(st.integers(0, 5)) == 0:
        media += f"; charset={draw(st.sampled_from(_CHARSETS))}"
    headers = [("content-type", media)]
    if draw(st.integers(0, 3)) == 0:
        headers += draw(st.lists(odd_headers, min_size=1, max_size=2))
    if not any(name == "authorization" for name, _ in headers):
        headers.append(("authorization", f"Bearer {token}"))
    framing = draw(st.sampled_from((Framing.LENGTH, Framing.LENGTH, Framing.CHUNKED, Framing.SHORT)))
    target = draw(st.sampled_from((ONE, MANY, ONE, MANY, "/ingestion/fhir" if kind == "json" else MANY)))
    if draw(st.integers(0, 4)) == 0:
        target += f"?{draw(queries())}"
    return Exchange("POST", target, headers, body, framing, kind)


_QUERIES: Final = (
    "source=", "source=%00", "source=a%20b", "source=" + "a" * 5_000, "source=%ED%A0%80",
    "filename=%FF%FE", "filename=", "filename=%00.txt", "filename=" + "a" * 200, "limit=0", "limit=-1",
    "limit=" + "9" * 400, "limit=NaN", "limit=1e3", "after=%00", "after=" + "f" * 32, "after=%25%27",
    "after=%F0%9F%92%A9", "after=%5Cud800", "state=pending", "state=%00", "state[]=x", "a=b", "&&&=",
    "limit=5&limit=6", "source=x&source=%zz", "limit=٣", "columns=", "columns=%7B", "columns=%00",
    "columns=text=1;external_id=2", "columns=%7B%22text%22:2%7D", "columns=text=text;known.names=id",
    "columns=%7B%22text%22:%5B1,null%5D%7D", "columns=text=" + "9" * 5_000, "columns=type=;type=text",
)  # fmt: skip


@st.composite
def queries(draw: st.DrawFn) -> str:
    return "&".join(draw(st.lists(st.sampled_from(_QUERIES), min_size=1, max_size=3)))


_PATHS: Final = (
    ONE, MANY, "/ingestion/v1/ledger", "/ingestion/fhir", "/ingestion/fhir/metadata", "/ingestion/hl7",
    "/ingestion/fhir/Patient", "/ingestion/v1/batches/x", "/", "/ingestion", "/ingestion/v1/reports/",
    "/ingestion//v1/reports", "/openapi.json", "/livez",
)  # fmt: skip


@st.composite
def odd_lines(draw: st.DrawFn, token: str) -> Exchange:
    """Methods, paths and queries as no client sends them."""
    method = draw(
        st.sampled_from(
            ("GET", "GET", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "X")
        )
    )
    path = draw(st.sampled_from(_PATHS))
    if draw(st.booleans()):
        path = f"{ONE}/" + draw(
            st.sampled_from(
                ("%00", "a%00b", "%ff%fe", "..%2f..", "%ED%A0%80", "f" * 32, "0" * 5_000, "%25", "a%2Fb", "é")
            )
        )
    target = path + (f"?{draw(queries())}" if draw(st.booleans()) else "")
    headers = [("authorization", f"Bearer {token}")] if draw(st.integers(0, 5)) else [draw(odd_headers)]
    body = draw(st.sampled_from((b"", b"", b"{}", b"\x00" * 100)))
    return Exchange(method, target, headers, body, kind="line")
