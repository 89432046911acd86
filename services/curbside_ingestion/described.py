"""What /openapi.json says of intake's bodies and answers. Bodies are read by `domain`, for HTTP and files
alike, so their schemas stand here and not in signatures.

A request's example and the example of the answer that it gets bear one name; a test sends each as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Query

from curbside.runtime.openapi import Responses
from curbside_ingestion.bodies import FORM
from curbside_ingestion.described_tables import (
    GIVEN_SCHEMA,
    NO_TEXT,
    ROWS,
    ROWS_READ,
    TABLE,
    TABLE_READ,
    WRONG_COLUMNS,
)
from curbside_ingestion.describing import BRINGING, answered, body, refused
from curbside_ingestion.domain.archives import ZIP
from curbside_ingestion.domain.formats import Format
from curbside_ingestion.domain.report import (
    EXCLUSIONS,
    FIELD_NAMES,
    KNOWN_NAMES,
    MAX_ID,
    MAX_KNOWN,
    SOURCE_PATTERN,
)
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.extraction.found import Kind
from curbside_ingestion.idempotency.http import KEY_PARAMETER

_NDJSON_LINES: Final = '{"id": "A-1", "text": "No nodule."}\n{"id": "A-2", "text": ""}\n'
# A line without control characters.
_LINE: Final = {"type": "string", "maxLength": MAX_ID, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"}
_FIELDS: Final[dict[str, Any]] = {
    **dict.fromkeys(FIELD_NAMES, _LINE),
    "text": {"type": "string", "minLength": 1, "pattern": "[A-Za-z0-9]"},
    "source": {"type": "string", "pattern": SOURCE_PATTERN},
    "type": {
        "type": "string",
        "description": "what a report is called: `other` where no rule knows its name",
    },
}
# Said of a parameter, and checked by `read_source`, whose problem says more.
Source = Annotated[str, Query(json_schema_extra={"pattern": SOURCE_PATTERN}, description="of its reports")]
_REPORT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {
        **_FIELDS,
        "status": {"type": "string", "enum": list(ReportStatus), "default": "final"},
        "authored_at": {"type": "string", "format": "date-time"},
        "known": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"type": "array", "maxItems": MAX_KNOWN, "items": _LINE} for name in KNOWN_NAMES
            },
        },
        "exclusions": {"type": "array", "items": {"type": "string", "enum": [*EXCLUSIONS]}},
    },
}
_REPORT: Final = {
    "text": "FINDINGS: A 5 mm nodule in the left lower lobe.\nIMPRESSION: Benign.",
    "external_id": "ACC-99871",
    "patient_id": "MRN-4471",
    "type": "CT chest",
    "authored_at": "2026-03-01T14:05:00+01:00",
    "source": "ris-north",
    "known": {"names": ["Jane Doe"]},
}
_FORM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "additionalProperties": False,
    "properties": {
        "file": {"type": "string", "format": "binary", "minLength": 1},
        **{name: schema for name, schema in _FIELDS.items() if name != "text"},
        "status": {"type": "string", "enum": list(ReportStatus), "default": "final"},
        "authored_at": {"type": "string", "format": "date-time"},
        "known": {"type": "string", "description": "JSON, as in a report", "pattern": r"^\{\}$|^\{.*\}$"},
        "exclusions": {
            "type": "string",
            "description": "separated by semicolons",
            "pattern": f"^({'|'.join(EXCLUSIONS)})(;({'|'.join(EXCLUSIONS)}))*$",
        },
        "columns": GIVEN_SCHEMA,
    },
}
_FORM_FILE: Final = {"file": "FINDINGS: Lungs are clear.", "patient_id": "MRN-4471", "exclusions": "42cfr2"}
_BINARY: Final = {"type": "string", "format": "binary"}
_TEXTS: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "FINDINGS: Lungs are clear.\nIMPRESSION: No pneumonia.",
    Kind.HTML: "<html><body><h1>Chest film</h1><p>FINDINGS: Lungs are clear.</p></body></html>",
    Kind.RTF: r"{\rtf1\ansi FINDINGS: Lungs are clear.\par IMPRESSION: No pneumonia.}",
}
_FHIR: Final = {
    "resourceType": "DiagnosticReport",
    "id": "r1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4"}], "text": "Chest film"},
    "subject": {"reference": "Patient/4711"},
    "conclusion": "No pneumonia.",
}
_HL7: Final = (
    "MSH|^~\\&|RIS|NORTH|CURBSIDE||20260301140500+0100||ORU^R01^ORU_R01|{id}|P|2.5.1\r"
    "PID|1||4711^^^NORTH^MR||Doe^Jane\rOBR|1||{id}|18748-4^Chest film^LN|||20260301\r"
)
_HL7_RESULT: Final = "OBX|1|TX|18748-4&IMP^Impression||No pneumonia.||||||F\r"
_CDA: Final = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3" extension="C-1"/>'
    '<code code="18842-5" codeSystem="2.16.840.1.113883.6.1" displayName="Discharge summary"/>'
    "<component><structuredBody><component><section><title>Impression</title>"
    "<text>No pneumonia.</text></section></component></structuredBody></component></ClinicalDocument>"
)
_REPORT_ID: Final = "0198a3c2f5b00d1e2f3a4b5c6d7e8f90"
_BATCH_ID: Final = "0192f3c4a1b2c3d4e5f60718293a4b5c"
_ACCEPTED: Final = {"report_id": _REPORT_ID, "state": "pending", "type": "radiology"}
_DUPLICATE: Final = {
    "type": "urn:curbside:problem:report.duplicate",
    "title": "This contradicts what is already there",
    "status": 409,
    "detail": "this report is already there",
    "code": "report.duplicate",
    "field": "external_id",
    "mend": "Nothing is to be done; follow it by its report_id.",
    "instance": "/ingestion/v1/reports",
    "report_id": _REPORT_ID,
    "state": "pending",
}
_EMPTY: Final = {
    "type": "urn:curbside:problem:report.empty",
    "title": "The input cannot be accepted",
    "status": 422,
    "detail": "text is missing or empty",
    "code": "report.empty",
    "field": "text",
    "mend": "Send the report's text.",
}
_MIXED: Final = {
    "accepted": [{"row": 1, "report_id": _REPORT_ID, "external_id": "A-1", "type": ""}],
    "rejected": [{"row": 2, "problem": _EMPTY}],
}
_OUTCOME_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["severity", "code", "diagnostics"]},
        },
    },
}
_BUNDLE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["resourceType", "type"],
    "properties": {
        "resourceType": {"const": "Bundle"},
        "type": {"enum": ["batch-response", "transaction-response"]},
        "entry": {"type": "array", "items": {"type": "object", "required": ["response"]}},
    },
}
_FHIR_SCHEMA: Final = {"type": "object", "required": ["resourceType"]}
FHIR_TYPES: Final = (
    "DiagnosticReport",
    "DocumentReference",
    "Composition",
    "Observation",
    "Binary",
    "Consent",
)
_DURABLE: Final = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "information", "code": "informational", "diagnostics": "The report is durable."}],
}
_LOCATION: Final = f"/ingestion/v1/reports/{_REPORT_ID}"
# Each may come with an Idempotency-Key, which may be none.
_REFUSED: Final = (HTTPStatus.BAD_REQUEST, *BRINGING)

ONE: Final = body(
    {
        Format.JSON: (_REPORT_SCHEMA, {"accepted": _REPORT, "again": _REPORT, "empty": {"text": " "}}),
        FORM: (_FORM_SCHEMA, {"from_a_form": _FORM_FILE}),
        **{kind: (_BINARY, {f"from_{kind.name.lower()}": text}) for kind, text in _TEXTS.items()},
        **{kind: (_BINARY, {}) for kind in Kind if kind not in _TEXTS},
        Kind.FHIR: ({"type": "object"}, {"from_fhir": _FHIR}),
        Kind.HL7: ({"type": "string"}, {"from_hl7": _HL7.format(id="A101") + _HL7_RESULT}),
        Kind.CDA: ({"type": "string"}, {"from_cda": _CDA}),
    },
    KEY_PARAMETER,
)
ONE_ANSWERED: Final = answered(
    HTTPStatus.ACCEPTED,
    "The report is durable.",
    "application/json",
    {},
    accepted=_ACCEPTED,
    from_a_form=_ACCEPTED | {"type": ""},
    **{f"from_{kind.name.lower()}": _ACCEPTED | {"type": ""} for kind in _TEXTS},
    from_fhir=_ACCEPTED,
    from_hl7=_ACCEPTED,
    from_cda=_ACCEPTED | {"type": "discharge"},
) | refused(*_REFUSED, again=_DUPLICATE, empty=_EMPTY | {"instance": "/ingestion/v1/reports"})
# Of a row other members are let by: exports hold many.
_ROW_SCHEMA: Final = {"type": "object", "properties": {"text": {"type": "string"}}}
MANY: Final = body(
    {
        Format.JSON: (
            {
                "anyOf": [
                    _REPORT_SCHEMA,
                    {"type": "array", "minItems": 1, "items": _REPORT_SCHEMA},
                    {
                        "type": "object",
                        "required": ["reports"],
                        "properties": {"reports": {"type": "array", "minItems": 1, "items": _ROW_SCHEMA}},
                    },
                ]
            },
            {"a_list": {"reports": [{"id": "B-1", "text": "No nodule."}, {"id": "B-2", "text": ""}]}},
        ),
        Format.NDJSON: ({"type": "string"}, {"lines": _NDJSON_LINES}),
        Format.CSV: (
            {"type": "string"},
            {"rows": ROWS, "no_text": "id,age\nC-1,50\n"},
        ),
        Format.TEXT: ({"type": "string"}, {"a_text": "FINDINGS: The liver is normal."}),
        ZIP: (_BINARY, {}),
        FORM: (
            _FORM_SCHEMA,
            {
                "a_form": _FORM_FILE | {"file": "FINDINGS: The spleen is normal."},
                "a_table": {"file": TABLE, "columns": '{"text": "What was found", "external_id": "Nr"}'},
                "wrong_columns": {"file": TABLE, "columns": '{"text": "Befund"}'},
            },
        ),
        Kind.FHIR: ({"type": "object"}, {"fhir": _FHIR | {"id": "r2"}}),
        Kind.HL7: ({"type": "string"}, {"hl7": _HL7.format(id="A102") + _HL7_RESULT}),
    },
    KEY_PARAMETER,
)


def _taken(external_id: str | None, type_: str = "") -> dict[str, Any]:
    accepted = {"row": 1, "report_id": _REPORT_ID, "external_id": external_id, "type": type_}
    return {"batch_id": _BATCH_ID, "accepted": [accepted], "rejected": [], "tables": []}


def _half(external_id: str, *tables: object, place: str = "") -> dict[str, Any]:
    problem = _EMPTY | {"place": place} if place else _EMPTY
    return {**_taken(external_id), "rejected": [{"row": 2, "problem": problem}], "tables": [*tables]}


MANY_ANSWERED: Final = answered(
    HTTPStatus.ACCEPTED,
    "What `accepted` names is durable; what `rejected` names was not taken in.",
    "application/json",
    {},
    a_list=_half("B-1"),
    lines=_half("A-1"),
    rows=_half("C-1", ROWS_READ),
    a_text=_taken(None),
    a_form=_taken("report.txt"),  # the name of the file
    a_table=_half("T-1", TABLE_READ, place="file 1, row 2"),
    fhir=_taken("DiagnosticReport/r2", "radiology"),
    hl7=_taken("A102-18748-4", "radiology"),
) | refused(
    *_REFUSED,
    no_text=NO_TEXT,
    wrong_columns=WRONG_COLUMNS
    | {
        "instance": "/ingestion/v1/reports:batch",
        "rejected": [{"row": 1, "problem": WRONG_COLUMNS}],
        "batch_id": _BATCH_ID,
    },
)
SHOWN_ANSWERED: Final = refused(HTTPStatus.NOT_FOUND)

_LOST: Final = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "error",
            "code": "invalid",
            "details": {"text": "report.shape"},
            "diagnostics": "the body is no Bundle. Send one, or POST it to /ingestion/fhir/<its type>.",
            "expression": ["resourceType"],
        }
    ],
}
_RESOURCE_SCHEMA: Final = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string", "enum": [*FHIR_TYPES]}},
}
FHIR_BUNDLE: Final = body(
    {
        Kind.FHIR: (
            {
                "type": "object",
                "required": ["resourceType", "entry"],
                "properties": {
                    "resourceType": {"const": "Bundle"},
                    "type": {"type": "string"},
                    "entry": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "object", "properties": {"resource": {"type": "object"}}},
                    },
                },
            },
            {
                "bundle": {
                    "resourceType": "Bundle",
                    "type": "batch",
                    "entry": [{"resource": _FHIR | {"id": "r3"}}],
                },
                "no_bundle": _FHIR,
            },
        )
    },
    KEY_PARAMETER,
)
FHIR_BUNDLE_ANSWERED: Final = answered(
    HTTPStatus.OK,
    "What became of each entry; 202 says that it is durable.",
    Kind.FHIR,
    _BUNDLE_SCHEMA,
    bundle={
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [{"response": {"status": "202 Accepted", "location": _LOCATION}}],
    },
) | refused(*_REFUSED, media=Kind.FHIR, schema=_OUTCOME_SCHEMA)
FHIR_BUNDLE_ANSWERED[422]["content"][Kind.FHIR]["examples"] = {"no_bundle": {"value": _LOST}}
FHIR_ONE: Final = body({Kind.FHIR: (_RESOURCE_SCHEMA, {"resource": _FHIR | {"id": "r4"}})}, KEY_PARAMETER)
FHIR_ONE_ANSWERED: Final = {
    **answered(
        HTTPStatus.ACCEPTED,
        "It is durable; Location names it.",
        Kind.FHIR,
        _OUTCOME_SCHEMA,
        resource=_DURABLE,
    ),
    **answered(HTTPStatus.OK, "It was durable before.", Kind.FHIR, _OUTCOME_SCHEMA),
    **refused(*_REFUSED, media=Kind.FHIR, schema=_OUTCOME_SCHEMA),
}
FHIR_METADATA_ANSWERED: Final[Responses] = {
    200: {
        "description": "What this endpoint takes.",
        "content": {Kind.FHIR.value: {"schema": _FHIR_SCHEMA}},
    }
}
HL7: Final = body(
    {
        Kind.HL7: (
            {"type": "string"},
            {
                "message": _HL7.format(id="A103") + _HL7_RESULT,
                "no_result": _HL7.format(id="A104"),
            },
        )
    },
    KEY_PARAMETER,
)
_ACK: Final = "MSH|^~\\&|CURBSIDE||RIS|NORTH|20260301140501+0000||ACK^R01^ACK|2df6dd4ebf83ad107484|P|2.5.1\r"
_ACK_SCHEMA: Final = {"type": "string"}
HL7_ANSWERED: Final = answered(
    HTTPStatus.OK,
    "An ACK for each message; AA says that its reports are durable.",
    Kind.HL7,
    _ACK_SCHEMA,
    message=f"{_ACK}MSA|AA|A103\r",
) | refused(*_REFUSED, media=Kind.HL7, schema=_ACK_SCHEMA)
HL7_ANSWERED[422]["content"][Kind.HL7]["examples"] = {
    "no_result": {
        "value": f"{_ACK}MSA|AE|A104\rERR|||199^Other HL7 error^HL70357|E||||"
        "the OBR has no observation with a text or value. Send its results.\r"
    }
}
