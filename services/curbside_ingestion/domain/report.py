"""A report as submitted: the fields it may have, the names they go by, and the rule of each.

HTTP bodies, batches' rows and files' rows all become a `Submission` here, so that they obey one set of
rules. Errors name fields and never show a value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Final

from curbside.contracts.codec import KnownIdentifiers
from curbside.phi import PhiText
from curbside_ingestion.domain.encoding import (
    composed,
    refuse_broken_characters,
    refuse_controls,
    refuse_other_formats,
)
from curbside_ingestion.domain.problems import BadField, BadShape, EmptyReport, OversizedReport
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.domain.types import type_named

# Field → the names it goes by in exports, the preferred one first. MTSamples calls the text
# `transcription` in CSV and `text` in JSONL; MIMIC-IV says `note_id` and `subject_id`.
FIELD_NAMES: Final = MappingProxyType(
    {
        "text": ("text", "report", "report_text", "transcription", "note", "note_text"),
        "external_id": ("external_id", "id", "report_id", "note_id", "accession", "accession_number"),
        "patient_id": ("patient_id", "mrn", "subject_id", "medical_record_number"),
        "type": ("type", "report_type", "category"),
        "status": ("status",),
        "authored_at": ("authored_at",),
        "source": ("source",),
        "replaces": ("replaces",),
    }
)
KNOWN_NAMES: Final = MappingProxyType(
    {
        "names": ("names", "patient_name"),
        "nicknames": ("nicknames", "nickname"),
        "relatives": ("relatives", "relative"),
        "staff": ("staff", "physician"),
        "mrns": ("mrns",),
        "numbers": ("numbers",),
        "dates_of_birth": ("dates_of_birth", "date_of_birth", "dob"),
        "addresses": ("addresses", "address"),
        "phones": ("phones", "phone"),
        "emails": ("emails", "email"),
    }
)
_ALL_NAMES: Final = frozenset(
    {
        "known",
        "exclusions",
        *(name for names in (*FIELD_NAMES.values(), *KNOWN_NAMES.values()) for name in names),
    }
)
_KNOWN_COLUMNS: Final = frozenset(name for names in KNOWN_NAMES.values() for name in names)
_NOTHING_KNOWN: Final = KnownIdentifiers()
DEFAULT_SOURCE: Final = "api"
SOURCE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_SOURCE: Final = re.compile(SOURCE_PATTERN)
# Why a report may be read and never trained on: 42 CFR 2.31 and 2.33 (records of substance use treatment),
# 45 CFR 164.508(a)(2) (psychotherapy notes), and a source's own label (HL7 v3 Confidentiality, R and V).
EXCLUSIONS: Final = ("42cfr2", "psychotherapy", "restricted")
MAX_ID: Final = 200  # characters
MAX_KNOWN: Final = 50  # values of one kind
_DATE_LENGTH: Final = 10  # of YYYY-MM-DD
_YEARS: Final = range(1900, 2101)  # a date offset must not leave what datetime can hold
# A shorter id ("29") would redact ages and doses wherever it stands in the text.
_MIN_PATIENT_ID: Final = 4
_MIN_EXTERNAL_ID: Final = 5


@dataclass(frozen=True)
class Submission:
    """One report that obeys every rule. Its texts are in Unicode's form C; `type` is one of types.yaml, or
    empty; `authored_at` is RFC 3339 with the source's offset. `replaces` is the external id of another report
    of the source; `exclusions` are of EXCLUSIONS. The text is empty in a retraction, and until it was
    extracted.
    """

    text: PhiText
    external_id: PhiText | None = None
    patient_id: PhiText | None = None
    type: str = ""
    status: ReportStatus = ReportStatus.FINAL
    authored_at: PhiText | None = None
    source: str = DEFAULT_SOURCE
    known: KnownIdentifiers = field(default_factory=KnownIdentifiers)
    replaces: PhiText | None = None
    exclusions: tuple[str, ...] = ()

    def to_row(self) -> dict[str, object]:
        """The row that `read_submission` makes this of, without what is empty."""
        known = {
            f.name: [value.reveal() for value in getattr(self.known, f.name)] for f in fields(self.known)
        }
        row: dict[str, object] = {
            "text": self.text.reveal(),
            "external_id": _revealed(self.external_id),
            "patient_id": _revealed(self.patient_id),
            "type": self.type,
            "status": self.status.value,
            "authored_at": _revealed(self.authored_at),
            "source": self.source,
            "known": {kind: values for kind, values in known.items() if values},
            "replaces": _revealed(self.replaces),
            "exclusions": [*self.exclusions],
        }
        return {name: value for name, value in row.items() if value}

    def with_what(self, sender: Submission) -> Submission:
        """This, with what its sender says is known and why it must never train."""
        known = {
            kind.name: tuple(
                _with_all(getattr(self.known, kind.name), getattr(sender.known, kind.name))[:MAX_KNOWN]
            )
            for kind in fields(self.known)
        }
        exclusions = tuple(name for name in EXCLUSIONS if name in (*self.exclusions, *sender.exclusions))
        return replace(self, known=KnownIdentifiers(**known), exclusions=exclusions)

    def known_with_ids(self) -> KnownIdentifiers:
        """What is known, with the patient's id as an MRN and an accession number as a number."""
        known = self.known
        mrns, numbers = known.mrns, known.numbers
        if self.patient_id is not None and len(self.patient_id) >= _MIN_PATIENT_ID:
            mrns = _with(mrns, self.patient_id)
        if (
            self.external_id is not None
            and len(self.external_id) >= _MIN_EXTERNAL_ID
            and any(character.isdigit() for character in self.external_id.reveal())
        ):
            numbers = _with(numbers, self.external_id)
        if mrns is known.mrns and numbers is known.numbers:
            return known
        # As `replace`, which looks at every field again.
        return KnownIdentifiers(**{**vars(known), "mrns": mrns, "numbers": numbers})


def read_submission(
    row: Mapping[str, object],
    *,
    source: str = DEFAULT_SOURCE,
    max_characters: int | None = None,
    closed: bool = False,
    textless: bool = False,
) -> Submission:
    """The report in `row`, an object of JSON or a row of CSV. `source` is where the row names none.

    Members that no rule knows are ignored (exports hold many), unless `closed`. `textless`: its text comes
    later; a retraction never needs one. Raises a BadInput that names the field.
    """
    if closed and not _ALL_NAMES.issuperset(row):
        raise BadShape(
            "the report has a member that no rule knows",
            field="body",
            mend=f"Send only {', '.join((*FIELD_NAMES, 'known', 'exclusions'))}.",
        )
    named, status, text = _pick(row, "source"), _status(_pick(row, "status")), _pick(row, "text")
    if text is None and (textless or status is ReportStatus.ENTERED_IN_ERROR):
        text = ""
    else:
        text = _text(text, max_characters)
    return Submission(
        text=PhiText(text),
        external_id=read_identifier(_pick(row, "external_id"), "external_id"),
        patient_id=read_identifier(_pick(row, "patient_id"), "patient_id"),
        type=_type(_pick(row, "type")),
        status=status,
        authored_at=_authored_at(_pick(row, "authored_at")),
        source=source if named is None else read_source(named),
        known=_known(row),
        replaces=read_identifier(_pick(row, "replaces"), "replaces"),
        exclusions=_exclusions(row.get("exclusions")),
    )


def fills(row: Mapping[str, object], name: str) -> bool:
    """Whether `row` says anything of field `name`, whatever it calls it."""
    return any(row.get(alias) not in (None, "") for alias in FIELD_NAMES.get(name, (name,)))


def read_source(value: object) -> str:
    """A source's name. It goes into events, so it is a plain name of a system."""
    if not isinstance(value, str) or not _SOURCE.fullmatch(value.strip()):
        raise BadField(
            "source must be 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first",
            field="source",
            mend="Name the system that the report comes from, e.g. 'ris-north'.",
        )
    return value.strip()


def source_named(name: str) -> str:
    """A valid source made of `name`, e.g. of a file's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:64] or "files"


def _pick(row: Mapping[str, object], name: str) -> object:
    """The value of the first name of field `name` that `row` fills in; None where it fills none."""
    names = FIELD_NAMES.get(name) or KNOWN_NAMES[name]
    for alias in names:
        value = row.get(alias)
        if value is not None and value != "":
            return value
    return None


def _text(value: object, max_characters: int | None) -> str:
    if value is not None and not isinstance(value, str):
        raise BadField("text must be a string", field="text", mend="Send the report's text as one string.")
    value = None if value is None else composed(value, "text")
    if value is None or not value.strip():
        raise EmptyReport("text is missing or empty", field="text", mend="Send the report's text.")
    if max_characters is not None and len(value) > max_characters:
        raise OversizedReport(
            f"text has more than {max_characters} characters",
            field="text",
            mend="Send one report at a time, or raise CURBSIDE_INGESTION__MAX_REPORT_CHARACTERS.",
        )
    refuse_broken_characters(value, "text")
    refuse_other_formats(value[:200].encode(), "text")
    refuse_controls(value, "text")
    # The original keeps its line endings; from here on there is one.
    return value.replace("\r\n", "\n").replace("\r", "\n")


def read_identifier(value: object, name: str) -> PhiText | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value.strip()) > MAX_ID:
        raise BadField(
            f"{name} must be a string of at most {MAX_ID} characters, or an integer",
            field=name,
            mend="Send the identifier alone.",
        )
    stripped = composed(value, name).strip()
    _refuse_unprintable(stripped, name)
    return PhiText(stripped) if stripped else None


def _type(value: object) -> str:
    """The name in types.yaml, and `other` for one that is not there: it goes into events and datasets."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadField(
            "type must be a string",
            field="type",
            mend="Send e.g. 'radiology', 'discharge', 'pathology' or 'clinic', or leave it out.",
        )
    return type_named(value)


def _status(value: object) -> ReportStatus:
    if value is None:
        return ReportStatus.FINAL
    try:
        return ReportStatus(str(value).strip().casefold().replace("_", "-"))
    except ValueError:
        raise BadField(
            "status is not one that a report can have",
            field="status",
            mend=f"Send one of {', '.join(ReportStatus)}.",
        ) from None


def _exclusions(value: object) -> tuple[str, ...]:
    """Of a list, or of a column in which they are separated by semicolons."""
    if value is None or value == "":
        return ()
    named = [part.strip() for part in value.split(";")] if isinstance(value, str) else value
    if not isinstance(named, list) or not set(map(str, named)) <= set(EXCLUSIONS):
        raise BadField(
            "exclusions must be a list of reasons that Curbside knows",
            field="exclusions",
            mend=f"Send some of {', '.join(EXCLUSIONS)}, or leave it out.",
        )
    return tuple(name for name in EXCLUSIONS if name in named)


def _authored_at(value: object) -> PhiText | None:
    """RFC 3339 with the source's offset. A date alone is taken as midnight UTC: days keep their order
    in any zone. A time without an offset is refused: hours would not."""
    if value is None:
        return None
    moment = _moment(value.strip()) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
        raise BadField(
            "authored_at must be a time with its offset, or a date",
            field="authored_at",
            mend="Send RFC 3339, e.g. '2026-03-01T14:05:00+01:00' or '2026-03-01'.",
        )
    return PhiText(moment.isoformat())


def _moment(value: str) -> datetime | None:
    try:
        if len(value) > _DATE_LENGTH:
            return datetime.fromisoformat(value)
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    except ValueError:
        return None


def _known(row: Mapping[str, object]) -> KnownIdentifiers:
    """`known` of the row, and the columns of KNOWN_NAMES, whose values are separated by semicolons."""
    nested = row.get("known")
    if nested in (None, ""):
        if _KNOWN_COLUMNS.isdisjoint(row):
            return _NOTHING_KNOWN
        nested = {}
    if not isinstance(nested, Mapping) or not set(nested) <= set(KNOWN_NAMES):
        raise BadField(
            "known must be an object of lists",
            field="known",
            mend=f"Its members are {', '.join(KNOWN_NAMES)}, each a list of strings.",
        )
    found: dict[str, tuple[PhiText, ...]] = {}
    for kind, names in KNOWN_NAMES.items():
        if kind not in nested and row.keys().isdisjoint(names):
            continue
        column = _pick(row, kind)
        values = _values(nested.get(kind) or [], f"known.{kind}")
        values += _values(column.split(";") if isinstance(column, str) else column or [], kind)
        found[kind] = tuple(PhiText(value) for value in dict.fromkeys(values))
    return KnownIdentifiers(**found)


def _values(value: object, name: str) -> list[str]:
    plain = isinstance(value, list) and all(
        isinstance(item, str) or (isinstance(item, int) and not isinstance(item, bool)) for item in value
    )
    if not plain or not isinstance(value, list) or len(value) > MAX_KNOWN:
        raise BadField(
            f"{name} must be a list of at most {MAX_KNOWN} strings",
            field=name,
            mend="Send a list, also for one value.",
        )
    values = [composed(str(item), name).strip() for item in value]
    for item in values:
        _refuse_unprintable(item, name)
        if len(item) > MAX_ID:
            raise BadField(
                f"a value of {name} has more than {MAX_ID} characters", field=name, mend="Send it alone."
            )
    return [item for item in values if item]


def _refuse_unprintable(value: str, name: str) -> None:
    if value.isascii() and value.isprintable():
        return
    refuse_broken_characters(value, name)
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise BadField(f"{name} holds a control character", field=name, mend="Send it without.")


def _revealed(value: PhiText | None) -> str | None:
    return value.reveal() if value is not None else None


def _with_all(values: tuple[PhiText, ...], more: tuple[PhiText, ...]) -> tuple[PhiText, ...]:
    for value in more:
        values = _with(values, value)
    return values


def _with(values: tuple[PhiText, ...], value: PhiText) -> tuple[PhiText, ...]:
    return values if value in values else (*values, value)
