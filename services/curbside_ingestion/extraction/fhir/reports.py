"""A DiagnosticReport, DocumentReference, Composition or Binary as one report's row."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from curbside.errors import BadInput
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.extraction.documents import read_text
from curbside_ingestion.extraction.fhir import people
from curbside_ingestion.extraction.fhir.attachments import binary_octets, read_best, read_narrative
from curbside_ingestion.extraction.fhir.bundle import Entry, Library, Reading
from curbside_ingestion.extraction.fhir.codes import exclusions_of, label, labels, status_of, type_of
from curbside_ingestion.extraction.fhir.observations import lines_of
from curbside_ingestion.extraction.fhir.people import People
from curbside_ingestion.extraction.fhir.tree import Tree, line, nodes, strings, text_at
from curbside_ingestion.extraction.found import (
    EmptyDocument,
    Found,
    MissingContent,
    OversizedDocument,
    Quality,
)

# HL7 v2 table 0203: accession id and filler's order number; a placer's order may have several reports.
_IDENTIFIERS: Final = ("ACSN", "FILL")
_PLACER: Final = ("PLAC", "GRP", "PGN")
_LONGEST_ID: Final = 200
# A time with its offset, or a date: R4 §2.24.0.1 also has years and months, which are no day.
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?")
_SECTIONS_DEEP: Final = 8


@dataclass
class Written:
    """A report's text as read from its resource."""

    text: str = field(repr=False)
    quality: Quality | None = None


def read_report(entry: Entry, library: Library, everyone: People) -> Found:
    """The report that `entry` is. Raises a BadInput that names what is wrong with it."""
    library.budget.spend(0)  # once it is spent, nothing more is read
    resource = entry.valid(library.dropped)
    reading = Reading(library, entry)
    subject = _reference(resource, "subject")
    if entry.kind == "Binary":
        subject = _reference(resource, "securityContext")
    patient_id, patient = everyone.patient(reading, subject) if subject else ("", None)
    status = _status(entry.kind, resource)
    retracted = status is ReportStatus.ENTERED_IN_ERROR
    try:
        written = _WRITERS[entry.kind](resource, reading)
        if len(written.text) > library.limits.max_characters:
            raise OversizedDocument(
                f"{entry.kind} has too much text for one report", field="text", mend="Send it in parts."
            )
    except BadInput:
        if not retracted:
            raise
        written = Written("")
    row: dict[str, object] = {"text": written.text, "status": status.value}
    if retracted and not written.text:
        row["retraction"] = True
    staff, numbers = people.encounter_staff(reading, resource)
    for name in ("performer", "resultsInterpreter", "author", "authenticator"):
        staff = [*(n for who in nodes(resource, name) for n in people.staff_of(reading, who)), *staff]
    staff += [n for who in nodes(resource, "attester", "party") for n in people.staff_of(reading, who)]
    known = everyone.known(reading, patient, subject, staff)
    known["numbers"] = [*_numbers(resource, reading), *numbers, *known["numbers"]]
    fill_row(
        row,
        external_id=external_id(entry),
        patient_id=patient_id,
        type=type_of(resource, *_TYPED.get(entry.kind, ())),
        authored_at=authored_at(resource),
        replaces=_replaced(entry.kind, resource, reading),
        exclusions=exclusions(reading, *_TYPED.get(entry.kind, ())),
        known=people.tidy(known),
    )
    return Found(entry.place, row, reading.original(), written.quality)


def exclusions(reading: Reading, *fields: str) -> list[str]:
    """Why the report is kept from training: by what it says itself, what it is made of, or its bundle.

    R4 §6.1.4: a bundle's label is the highest of its resources', so doubt about which one has it excludes.
    """
    read = [reading.entry.resource, *(entry.resource for entry in reading.used.values())]
    bundle = {"meta": {"security": [{"code": code} for code in reading.entry.bundle_labels]}}
    found = exclusions_of(reading.entry.resource, *fields) + exclusions_of(bundle)
    return sorted({*found, *(reason for resource in read for reason in exclusions_of(resource))})


def fill_row(row: dict[str, object], **members: object) -> None:
    """Put into `row` those members that say something."""
    row.update({name: value for name, value in members.items() if value})


def external_id(entry: Entry) -> str:
    """Accession or filler's number, else another identifier, else `Type/id`: the same whenever it comes."""
    resource = entry.resource
    listed = [
        (rank, text_at(item, "system"), text_at(item, "value"))
        for item in (*nodes(resource, "masterIdentifier"), *nodes(resource, "identifier"))
        if text_at(item, "value") and (rank := _rank(resource, item)) is not None
    ]
    return (min(listed)[2] if listed else entry.name)[:_LONGEST_ID]


def authored_at(resource: Tree) -> str:
    """The report's time with the offset that it came with, or its day; empty where neither is whole."""
    places = (
        ("effectiveDateTime",),
        ("effectiveInstant",),
        ("effectivePeriod", "start"),
        ("issued",),
        ("date",),
        ("context", "period", "start"),
        ("content", "attachment", "creation"),
    )
    return next(filter(is_moment, (text_at(resource, *place) for place in places)), "")


def is_moment(value: str) -> bool:
    if not _MOMENT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _rank(resource: Tree, identifier: Tree) -> int | None:
    """How surely `identifier` names this report and no other; None where it names an order."""
    kinds = strings(identifier, "type", "coding", "code")
    if any(kind in _PLACER for kind in kinds) or text_at(identifier, "use") == "old":
        return None
    first = next((_IDENTIFIERS.index(kind) for kind in kinds if kind in _IDENTIFIERS), None)
    if first is not None:
        return first
    master = resource.get("masterIdentifier") is identifier
    return len(_IDENTIFIERS) + (0 if master else 1)


def _status(kind: str, resource: Tree) -> ReportStatus:
    if kind == "Binary":
        return ReportStatus.FINAL
    return status_of(text_at(resource, "status"), text_at(resource, "docStatus"))


def _reference(resource: Tree, name: str) -> Tree:
    return next(iter(nodes(resource, name)), {})


def _numbers(resource: Tree, reading: Reading) -> list[str]:
    """The report's own numbers and those of its orders, specimens and studies."""
    found = strings(resource, "masterIdentifier", "value") + strings(resource, "identifier", "value")
    for name in ("basedOn", "specimen", "imagingStudy"):
        for item in nodes(resource, name):
            found += strings(item, "identifier", "value")
        for entry in reading.all_at(resource, name):
            found += strings(entry.resource, "identifier", "value")
            found += strings(entry.resource, "accessionIdentifier", "value")
    return found


def _replaced(kind: str, resource: Tree, reading: Reading) -> str:
    """The external id of what this one replaces. It stands where this one only appends or transforms."""
    for relation in nodes(resource, "relatesTo"):
        if text_at(relation, "code") != "replaces":
            continue
        for target in (*nodes(relation, "target"), *nodes(relation, "targetReference")):
            entry = reading.find(text_at(target, "reference"))
            if entry is not None:
                return external_id(entry)
            if value := text_at(target, "identifier", "value"):
                return value[:_LONGEST_ID]
            tail = "/".join(text_at(target, "reference").split("/_history/")[0].split("/")[-2:])
            if tail:
                return tail[:_LONGEST_ID]
        if value := text_at(relation, "targetIdentifier", "value"):
            return value[:_LONGEST_ID]
    return ""


def _diagnostic_report(resource: Tree, reading: Reading) -> Written:
    forms = [(f"presentedForm.{n}", form) for n, form in enumerate(nodes(resource, "presentedForm"))]
    structured = _structured(resource, reading)
    if forms:
        try:
            found = read_best(forms, reading)
            return Written(found.text, found.quality)
        except MissingContent:
            # The form lies elsewhere, and the report's own fields say the same.
            if not structured:
                raise
            reading.library.dropped.add("DiagnosticReport", "presentedForm")
    narrative = text_at(resource, "text", "div")
    # R4 NarrativeStatus, additional: "may contain additional information not found in the structured data".
    if narrative and (not structured or text_at(resource, "text", "status") == "additional"):
        told = read_narrative(narrative, "text.div", reading)
        return Written(f"{structured}\n\n{told}" if structured else told)
    if not structured:
        raise EmptyDocument(
            "DiagnosticReport holds no form, conclusion, result or narrative",
            field="presentedForm",
            mend="Send one of them, and the results in the same bundle.",
        )
    return Written(structured)


def _structured(resource: Tree, reading: Reading) -> str:
    """Title, results and conclusion; empty where there is neither result nor conclusion."""
    results: list[str] = []
    observations = [entry for entry in reading.all_at(resource, "result") if entry.kind == "Observation"]
    for entry in observations:
        results += lines_of(entry, reading)
    for _ in nodes(resource, "result")[len(observations) :]:
        reading.library.dropped.add("DiagnosticReport", "result")
    conclusion = [text_at(resource, "conclusion"), *labels(resource, "conclusionCode")]
    said = "\n".join(filter(None, conclusion))
    parts = [
        line(label(resource.get("code", {}))),
        "RESULTS:\n" + "\n".join(results) if results else "",
        f"CONCLUSION:\n{said}" if said else "",
    ]
    return "\n\n".join(filter(None, parts)) if results or said else ""


def _document_reference(resource: Tree, reading: Reading) -> Written:
    attachments = [
        (f"content.{number}.attachment", attachment)
        for number, content in enumerate(nodes(resource, "content"))
        for attachment in nodes(content, "attachment")
    ]
    if not attachments:
        raise MissingContent(
            "DocumentReference holds no attachment", field="content", mend="Send its content as data."
        )
    found = read_best(attachments, reading)
    return Written(found.text, found.quality)


def _composition(resource: Tree, reading: Reading) -> Written:
    """Title, then each section under its heading, in order; the narrative where there is no section."""
    parts = [line(text_at(resource, "title"))]
    body = _sections(resource, reading, "", 0)
    narrative = text_at(resource, "text", "div")
    if not body and narrative:
        body = [read_narrative(narrative, "text.div", reading)]
    if not body:
        raise EmptyDocument(
            "Composition holds no text", field="section", mend="Send its sections with their narratives."
        )
    return Written("\n\n".join(filter(None, (*parts, *body))))


def _sections(holder: Tree, reading: Reading, prefix: str, depth: int) -> list[str]:
    found: list[str] = []
    if depth > _SECTIONS_DEEP:
        raise OversizedDocument(
            "Composition's sections are nested too deeply", field="section", mend="Unnest them."
        )
    for number, section in enumerate(nodes(holder, "section")):
        path = f"{prefix}section.{number}"
        heading = line(text_at(section, "title") or label(section.get("code", {}))).rstrip(":").upper()
        div = text_at(section, "text", "div")
        if div:
            try:
                text = read_narrative(div, f"{path}.text.div", reading)
            except EmptyDocument:
                text = ""
        else:
            text = "\n".join(
                told
                for entry in reading.all_at(section, "entry")
                if entry.kind == "Observation"
                for told in lines_of(entry, reading)
            )
        text = text or label(section.get("emptyReason", {}))
        below = _sections(section, reading, f"{path}.", depth + 1)
        if text or below:
            found.append("\n".join(filter(None, (f"{heading}:" if heading else "", text))))
            found += below
    return [part for part in found if part]


def _binary(_: Tree, reading: Reading) -> Written:
    octets, _declared = binary_octets(reading.entry, reading)
    found = read_text(octets, reading.library.limits)
    return Written(found.text, found.quality)


_WRITERS: Final[dict[str, Callable[[Tree, Reading], Written]]] = {
    "DiagnosticReport": _diagnostic_report,
    "DocumentReference": _document_reference,
    "Composition": _composition,
    "Binary": _binary,
}
_TYPED: Final[dict[str, Any]] = {
    "DiagnosticReport": ("code", "category"),
    "DocumentReference": ("type", "category"),
    "Composition": ("type", "category"),
}
