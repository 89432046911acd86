"""What /openapi.json says of tables: how columns are given, and examples of tables with their answers."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query

from curbside_ingestion.domain.columns import EXAMPLE, MAX_GIVEN, load_names
from curbside_ingestion.domain.report import FIELD_NAMES

ROWS: Final = (
    "ACCESSION_NO,PAT_MRN_ID,Last Name,First Name,NOTE_TEXT,Sex\n"
    "C-1,MRN-1,Doe,Jane,No nodule.,F\n"
    "C-2,MRN-2,Roe,John,,M\n"
)
TABLE: Final = "Nr\tWhat was found\nT-1\tNo nodule.\nT-2\t\n"
COLUMNS: Final = (
    "Which columns of a table are which fields: a JSON object, or "
    "`text=Note Text;known.names=Surname,Forename`. A column is named by its header, or by its number, the "
    "first 1; where all are numbers the file has no line of headers. Fields that are not named are found by "
    "headers."
)
# Read by `read_columns`, which says more of what is wrong.
GivenColumns = Annotated[
    str | None, Query(max_length=MAX_GIVEN, description=COLUMNS, examples=[EXAMPLE, "text=Note Text"])
]
GIVEN_SCHEMA: Final = {"type": "string", "description": COLUMNS, "maxLength": MAX_GIVEN}
NO_TEXT: Final = {
    "type": "urn:curbside:problem:report.missing-columns",
    "title": "The input cannot be accepted",
    "status": 422,
    "detail": "the CSV has no column of the report's text",
    "code": "report.missing-columns",
    "field": "text",
    "mend": f"Name that column one of {', '.join(FIELD_NAMES['text'])} in the first line, or say which it "
    'is: columns={"text": "its header, or its number"}.',
    "instance": "/ingestion/v1/reports:batch",
    "missing": ["text"],
    "accepted": {name: [*names] for name, names in load_names().fields.items()},
}
WRONG_COLUMNS: Final = {
    "type": "urn:curbside:problem:report.bad-columns",
    "title": "The input cannot be accepted",
    "status": 422,
    "detail": "the column given for text is not among the headers of the table",
    "code": "report.bad-columns",
    "field": "columns.text",
    "mend": "Name it as the file's first line does, or by its number.",
    "place": "file 1",
}

ROWS_READ: Final = {
    "place": "body",
    "columns": {
        "text": ["NOTE_TEXT"],
        "external_id": ["ACCESSION_NO"],
        "patient_id": ["PAT_MRN_ID"],
        "known.names": ["Last Name", "First Name"],
    },
    "by": dict.fromkeys(("text", "external_id", "patient_id", "known.names"), "name"),
    "ignored": ["Sex"],
}
TABLE_READ: Final = {
    "place": "file 1",
    "columns": {"text": ["What was found"], "external_id": ["Nr"]},
    "by": {"text": "given", "external_id": "given"},
    "ignored": [],
}
