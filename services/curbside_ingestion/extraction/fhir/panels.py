"""Observations that no report refers to, as one report for each visit's day."""

from __future__ import annotations

import hashlib
from typing import Final

from curbside.errors import BadInput
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.extraction.fhir import people
from curbside_ingestion.extraction.fhir.bundle import Entry, Library, Reading
from curbside_ingestion.extraction.fhir.codes import codes, label, status_of
from curbside_ingestion.extraction.fhir.observations import lines_of
from curbside_ingestion.extraction.fhir.people import People
from curbside_ingestion.extraction.fhir.reports import authored_at, exclusions, external_id, fill_row
from curbside_ingestion.extraction.fhir.tree import Tree, line, nodes, text_at
from curbside_ingestion.extraction.found import EmptyDocument, Found, OversizedDocument, Refused

# R4 observation-category → title and our type. Social history, surveys and exams are no report by themselves.
_CATEGORIES: Final = {
    "laboratory": ("LABORATORY RESULTS", "laboratory"),
    "vital-signs": ("VITAL SIGNS", "other"),
    "imaging": ("IMAGING", "radiology"),
}
# The gravest status of the members is the report's; corrected members make it amended.
_ORDER: Final = (ReportStatus.FINAL, ReportStatus.AMENDED, ReportStatus.PRELIMINARY)


def read_panels(library: Library, everyone: People, told: set[int]) -> tuple[list[Found], list[Refused]]:
    """The reports that Observations not `told` of elsewhere make together, and those refused."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    refused: list[Refused] = []
    members = _members(library)
    for entry in library.of_kind("Observation"):
        if id(entry) in told or id(entry) in members:
            continue
        category = category_of(entry.resource)
        if not category:
            library.dropped.add("Observation")
            continue
        try:
            resource = entry.valid(library.dropped)
        except BadInput as problem:
            refused.append(Refused(entry.place, problem))
            continue
        groups.setdefault(_key(entry, resource, category, library, everyone), []).append(entry)
    found: list[Found] = []
    for key, entries in groups.items():
        try:
            found.append(_report(key, entries, library, everyone))
        except BadInput as problem:
            refused.append(Refused(entries[0].place, problem))
    return found, refused


def category_of(observation: Tree) -> str:
    listed = (code for _, code in codes(observation, "category") if code in _CATEGORIES)
    return next(listed, "")


def _members(library: Library) -> set[int]:
    """Members of panels that will be told with their panel."""
    found: set[int] = set()
    for entry in library.of_kind("Observation"):
        if not category_of(entry.resource):
            continue
        for member in nodes(entry.resource, "hasMember"):
            target = library.resolve(text_at(member, "reference"), entry)
            if target is not None and target is not entry:
                found.add(id(target))
    return found


def _key(entry: Entry, resource: Tree, category: str, library: Library, everyone: People) -> tuple[str, ...]:
    """Patient, encounter, day and category, and the panel where it is one. What has no day stands alone."""
    subject = next(iter(nodes(resource, "subject")), {})
    patient, _ = everyone.patient(Reading(library, entry), subject)
    day = authored_at(resource)[:10]
    alone = "" if day and patient and not nodes(resource, "hasMember") else entry.name or entry.place
    return patient, text_at(resource, "encounter", "reference"), day, category, alone


def _report(key: tuple[str, ...], entries: list[Entry], library: Library, everyone: People) -> Found:
    patient_key, encounter, day, category, _ = key
    library.budget.spend(0)
    first = entries[0]
    reading = Reading(library, first)
    resources = [entry.valid(library.dropped) for entry in entries]
    lines = [told for entry in entries for told in lines_of(entry, _of(reading, entry))]
    statuses = [status_of(text_at(one, "status")) for one in resources]
    standing = [status for status in statuses if status is not ReportStatus.ENTERED_IN_ERROR]
    title, kind = _CATEGORIES[category]
    row: dict[str, object]
    if standing and not lines:
        raise EmptyDocument(
            "Observation holds no value", field="value[x]", mend="Send it with a value, component or note."
        )
    if standing:
        panel = line(label(resources[0].get("code", {}))) if len(entries) == 1 else ""
        text = f"{title}{f': {panel}' if panel and ':' not in panel else ''}\n\nRESULTS:\n" + "\n".join(lines)
        row = {"text": text, "status": max(standing, key=_ORDER.index).value}
    else:
        row = {"text": "", "status": ReportStatus.ENTERED_IN_ERROR.value, "retraction": True}
    if len(str(row["text"])) > library.limits.max_characters:
        raise OversizedDocument(
            "the Observations have too much text", field="entry", mend="Send fewer at a time."
        )
    subject = next(iter(nodes(resources[0], "subject")), {})
    patient_id, patient = everyone.patient(reading, subject) if subject else ("", None)
    staff, numbers = people.encounter_staff(reading, resources[0])
    for entry, one in zip(entries, resources, strict=True):
        for who in nodes(one, "performer"):
            staff += people.staff_of(_of(reading, entry), who)
    known = everyone.known(reading, patient, subject, staff)
    known["numbers"] = [*numbers, *known["numbers"]]
    # One that comes alone has an id of its own; several are named by what they have in common.
    common = hashlib.sha256("\x1f".join((patient_key, encounter, day, category)).encode("utf-8", "replace"))
    fill_row(
        row,
        external_id=external_id(first) if len(entries) == 1 else f"Observation/{common.hexdigest()[:32]}",
        patient_id=patient_id,
        type=kind,
        authored_at=next(filter(None, map(authored_at, resources)), ""),
        exclusions=exclusions(reading),
        known=people.tidy(known),
    )
    return Found(first.place, row, reading.original())


def _of(reading: Reading, entry: Entry) -> Reading:
    """A reading of `entry` that notes what it uses, and the entry itself, in `reading`."""
    if entry is not reading.entry:
        reading.used[id(entry)] = entry
    own = Reading(reading.library, entry)
    own.used = reading.used
    return own
