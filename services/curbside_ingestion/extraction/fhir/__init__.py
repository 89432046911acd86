"""FHIR R4 in JSON: the reports, retractions and consents in a Bundle or in one resource.

A transaction, batch, collection, document, searchset, history or message is read alike. Every entry is judged
by itself: a bad one is refused with its place, and the others go on. https://hl7.org/fhir/R4/
"""

from __future__ import annotations

from typing import Final

from curbside.errors import BadInput
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.extraction.fhir.bundle import Entry, Library, entries_of
from curbside_ingestion.extraction.fhir.consents import deleted, read_consent
from curbside_ingestion.extraction.fhir.panels import read_panels
from curbside_ingestion.extraction.fhir.people import People
from curbside_ingestion.extraction.fhir.reports import read_report
from curbside_ingestion.extraction.fhir.tree import nodes, parse, text_at
from curbside_ingestion.extraction.fhir.validation import fields_read
from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    ConsentFound,
    EmptyDocument,
    Extraction,
    Found,
    Limits,
    Refused,
    UnsupportedDocument,
)

__all__ = ["extract"]

_REPORTS: Final = ("DiagnosticReport", "DocumentReference", "Composition", "Binary")
_MOST_NAMED: Final = 5  # types in a message
_PEOPLE: Final = ("Patient", "RelatedPerson", "Practitioner", "PractitionerRole")


def extract(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Extraction:
    """Everything that the FHIR document `data` gives.

    Raises a BadInput where it cannot be read as a whole, and EmptyDocument where it gives nothing.
    """
    document = parse(data)
    try:
        entries, bad = entries_of(document, limits)
        return _extract(Library(entries, limits), [Refused(place, problem) for place, problem in bad])
    except RecursionError:
        raise UnsupportedDocument(
            "the document is nested too deeply", field="body", mend="Send its resources unnested."
        ) from None


def _extract(library: Library, refused: list[Refused]) -> Extraction:
    everyone = People(library)
    found: list[Found] = []
    consents: list[ConsentFound] = []
    told = _told(library)
    for entry in library.entries:
        if entry.patched:
            problem = UnsupportedDocument(
                "the entry changes a resource that is not in it (PATCH)",
                field="request.method",
                mend="Send it whole.",
            )
            refused.append(Refused(entry.place, problem))
        elif entry.deleted:
            if entry.kind in _REPORTS or entry.kind == "Observation":
                found.append(_deletion(entry))
            elif entry.kind == "Consent":
                refused.append(Refused(entry.place, deleted()))
        elif entry.kind in _REPORTS:
            if entry.kind == "Binary" and id(entry) in told:
                continue
            try:
                found.append(read_report(entry, library, everyone))
            except BadInput as problem:
                refused.append(Refused(entry.place, problem))
        elif entry.kind == "Consent":
            try:
                consent = read_consent(entry, library, everyone)
            except BadInput as problem:
                refused.append(Refused(entry.place, problem))
                continue
            if consent is None:
                library.dropped.add("Consent")
            else:
                consents.append(consent)
        elif entry.kind in _PEOPLE:
            try:
                entry.valid(library.dropped)
            except BadInput as problem:
                # What it tells of names is still known to its reports: it can only hide more.
                refused.append(Refused(entry.place, problem))
        elif entry.kind not in fields_read():
            library.dropped.add(entry.kind)
    panels, bad = read_panels(library, everyone, told)
    found += panels
    refused += bad
    if not (found or refused or consents):
        raise _nothing(library)
    return Extraction(tuple(found), tuple(refused), tuple(consents), dict(library.dropped.counts))


def _nothing(library: Library) -> EmptyDocument:
    if "Observation" in library.dropped.counts:
        return EmptyDocument(
            "the document holds Observations of no category that makes a report",
            field="Observation.category",
            mend="Send laboratory, vital-signs or imaging, or a DiagnosticReport that refers to them.",
        )
    if any(entry.kind == "Consent" for entry in library.entries):
        return EmptyDocument(
            "the document holds a Consent that is about something else than research, and no report",
            field="Consent",
            mend="Give it the scope or purpose of research, or say it to /ingestion/v1/consents.",
        )
    kinds = ", ".join(sorted({entry.kind for entry in library.entries})[:_MOST_NAMED]) or "nothing"
    return EmptyDocument(
        f"the document holds no report, but {kinds}",
        field="body",
        mend="Send a DiagnosticReport, DocumentReference, Composition, Observation or Binary.",
    )


def _told(library: Library) -> set[int]:
    """The Observations and Binaries that reports refer to, and members of those, by identity."""
    found: set[int] = set()
    waiting: list[Entry] = []
    for entry in library.of_kind(*_REPORTS):
        references = [text_at(item, "reference") for item in nodes(entry.resource, "result")]
        references += [text_at(item, "url") for item in nodes(entry.resource, "presentedForm")]
        references += [text_at(item, "url") for item in nodes(entry.resource, "content", "attachment")]
        level = nodes(entry.resource, "section")
        for _ in range(64):
            references += [text_at(item, "reference") for item in nodes(level, "entry")]
            level = nodes(level, "section")
        waiting += [target for name in references if (target := library.resolve(name, entry)) is not None]
    while waiting:
        target = waiting.pop()
        if id(target) in found or target.kind not in ("Observation", "Binary"):
            continue
        found.add(id(target))
        for member in nodes(target.resource, "hasMember"):
            if (inner := library.resolve(text_at(member, "reference"), target)) is not None:
                waiting.append(inner)
    return found


def _deletion(entry: Entry) -> Found:
    """A report that its source deleted: nothing learns from it any more."""
    row: dict[str, object] = {
        "text": "",
        "status": ReportStatus.ENTERED_IN_ERROR.value,
        "retraction": True,
        "external_id": entry.name[:200],
    }
    return Found(entry.place, row)
