"""Who a report is of, and what is said of them, their relatives and the staff: `known` of the row."""

from __future__ import annotations

import unicodedata
from typing import Final, TypeAlias

from curbside_ingestion.extraction.fhir.bundle import Entry, Library, Reading
from curbside_ingestion.extraction.fhir.tree import Tree, line, nodes, strings, text_at

Known: TypeAlias = dict[str, list[str]]

_MOST: Final = 50  # values of one kind: what `domain.report` takes
_LONGEST: Final = 200
_SHORTEST: Final = 2
_MOTHER: Final = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
_MEDICAL_RECORD: Final = "MR"  # HL7 v2 table 0203, and the codes of reports' numbers below
_USES: Final = ("official", "usual", "", "secondary", "temp", "old")  # R4 IdentifierUse, best first
_STAFF: Final = ("Practitioner", "PractitionerRole")


class People:
    """The patients and staff of one document, read once each."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._known: dict[Entry, Known] = {}
        self._ids: dict[Entry, str] = {}
        self._staff: list[str] | None = None
        self._relatives: dict[Entry, list[Tree]] | None = None
        self._devices: dict[Entry, list[Tree]] = {}

    def patient(self, reading: Reading, subject: Tree) -> tuple[str, Entry | None]:
        """The patient's id, and their entry where it is there; empty where the subject is no patient.

        The medical record number is preferred, as it is what other systems name the patient by.
        """
        reference = text_at(subject, "reference")
        entry = reading.find(reference) if reference else None
        if entry is not None and entry.kind != "Patient":
            return "", None
        if entry is not None:
            if entry not in self._ids:
                self._ids[entry] = patient_id(entry)
            return self._ids[entry], entry
        kind = text_at(subject, "type") or (reference.split("/")[-2] if "/" in reference else "Patient")
        if kind != "Patient":
            return "", None
        logical = text_at(subject, "identifier", "value")
        tail = reference.split("?")[0].split("/_history/")[0].rsplit("/", 1)[-1].removeprefix("urn:uuid:")
        return (logical or ("" if tail.startswith("#") else tail))[:_LONGEST], None

    def known(self, reading: Reading, patient: Entry | None, subject: Tree, staff: list[str]) -> Known:
        """Everything known of the report's `patient`, and `staff` first among the staff."""
        own = self._of_patient(reading, patient) if patient is not None else _empty()
        if patient is None:
            own["names"] += strings(subject, "display")
        if self._staff is None:
            self._staff = [
                name for entry in self._library.of_kind(*_STAFF) for name in _staff_names(entry.resource)
            ]
        found = {kind: list(values) for kind, values in own.items()}
        found["staff"] += [*staff, *self._staff[:_MOST]]
        return found

    def _of_patient(self, reading: Reading, patient: Entry) -> Known:
        if patient not in self._known:
            self._gather()
            known = of_patient(patient.resource)
            assert self._relatives is not None
            for relative in self._relatives.get(patient, []):
                _add_person(known, relative)
            for device in self._devices.get(patient, []):
                known["numbers"] += strings(device, "serialNumber")
                known["numbers"] += strings(device, "udiCarrier", "carrierHRF")
                known["numbers"] += strings(device, "identifier", "value")
            for doctor in nodes(patient.resource, "generalPractitioner"):
                known["staff"] += staff_of(reading, doctor)
            self._known[patient] = _empty() | tidy(known)
        return self._known[patient]

    def _gather(self) -> None:
        if self._relatives is not None:
            return
        self._relatives = {}
        for entry in self._library.of_kind("RelatedPerson", "Device"):
            about = self._library.resolve(text_at(entry.resource, "patient", "reference"), entry)
            if about is not None:
                table = self._relatives if entry.kind == "RelatedPerson" else self._devices
                table.setdefault(about, []).append(entry.resource)


def patient_id(patient: Entry) -> str:
    """The medical record number in the best use; by its value where two are as good, whatever their order.

    Else the Patient's id. A contained one's id means nothing outside, so another identifier takes its place.
    """
    listed = [item for item in nodes(patient.resource, "identifier") if text_at(item, "value")]
    numbers = [item for item in listed if _is_record_number(item)]
    if patient.container is not None:
        numbers = numbers or listed
    numbers.sort(key=lambda item: (_rank(item), text_at(item, "system"), text_at(item, "value")))
    found = text_at(numbers[0], "value") if numbers else patient.name.rpartition("/")[2]
    return found[:_LONGEST]


def of_patient(patient: Tree) -> Known:
    known = _empty()
    for name in nodes(patient, "name"):
        kind = "nicknames" if text_at(name, "use") == "nickname" else "names"
        known[kind] += names_of(name)
    for item in nodes(patient, "identifier"):
        known["mrns" if _is_record_number(item) else "numbers"] += strings(item, "value")
    known["dates_of_birth"] += strings(patient, "birthDate")
    _add_reach(known, patient)
    for contact in nodes(patient, "contact"):
        _add_person(known, contact)
    for extension in nodes(patient, "extension"):
        if text_at(extension, "url") == _MOTHER:
            known["relatives"] += strings(extension, "valueString")
    return known


def names_of(name: Tree) -> list[str]:
    """A HumanName in natural order, and its given names alone."""
    given = " ".join(strings(name, "given"))
    family = text_at(name, "family")
    return list(filter(None, (f"{given} {family}".strip(), given, text_at(name, "text"))))


def staff_of(reading: Reading, reference: Tree) -> list[str]:
    """Names of whom `reference` names, by its display and what it points to. Organisations are no staff."""
    target = text_at(reference, "reference")
    found = reading.find(target) if target else None
    if (found is not None and found.kind not in _STAFF) or "Organization/" in target:
        return []
    if found is not None and found.kind == "PractitionerRole":
        person = reading.find(text_at(found.resource, "practitioner", "reference"), found)
        names = _staff_names(found.resource) + (_staff_names(person.resource) if person is not None else [])
    else:
        names = _staff_names(found.resource) if found is not None else []
    if text_at(reference, "type") == "Organization":
        return []
    return [*names, *strings(reference, "display")]


def encounter_staff(reading: Reading, resource: Tree) -> tuple[list[str], list[str]]:
    """Participants and numbers of the report's encounters, where they are in the document."""
    staff: list[str] = []
    numbers: list[str] = []
    for encounter in (
        *reading.all_at(resource, "encounter"),
        *reading.all_at(resource, "context", "encounter"),
    ):
        for person in nodes(encounter.resource, "participant", "individual"):
            staff += staff_of(reading, person)
        numbers += strings(encounter.resource, "identifier", "value")
    return staff, numbers


def tidy(known: Known) -> Known:
    """`known` as `domain.report` takes it: single lines, each once, no more and no longer than it allows."""
    found: Known = {}
    for kind, values in known.items():
        clean = (line(value) for value in values)
        fit = [value for value in clean if _SHORTEST <= len(value) <= _LONGEST and _is_printable(value)]
        if fit:
            found[kind] = list(dict.fromkeys(fit))[:_MOST]
    return found


def _is_record_number(identifier: Tree) -> bool:
    named = text_at(identifier, "type", "text").casefold()
    return (
        _MEDICAL_RECORD in strings(identifier, "type", "coding", "code") or named == "medical record number"
    )


def _rank(identifier: Tree) -> int:
    use = text_at(identifier, "use")
    return _USES.index(use) if use in _USES else len(_USES)


def _staff_names(resource: Tree) -> list[str]:
    named = [value for name in nodes(resource, "name") for value in names_of(name)[:1]]
    return [*named, *strings(resource, "practitioner", "display")]


def _add_person(known: Known, person: Tree) -> None:
    """A contact or RelatedPerson: a relative, reached where the patient may be."""
    for name in nodes(person, "name"):
        known["relatives"] += names_of(name)[:1]
    _add_reach(known, person)


def _add_reach(known: Known, person: Tree) -> None:
    for point in nodes(person, "telecom"):
        system = text_at(point, "system")
        if system in ("phone", "fax", "sms", "pager", "email"):
            known["emails" if system == "email" else "phones"] += strings(point, "value")
    for address in nodes(person, "address"):
        streets = strings(address, "line")
        place = " ".join(filter(None, (text_at(address, "state"), text_at(address, "postalCode"))))
        whole = ", ".join(filter(None, (*streets, text_at(address, "city"), place)))
        known["addresses"] += [text_at(address, "text"), whole, *streets]


def _is_printable(value: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Cn") for character in value)


def _empty() -> Known:
    kinds = ("names", "nicknames", "relatives", "staff", "mrns", "numbers", "dates_of_birth", "addresses")
    return {kind: [] for kind in (*kinds, "phones", "emails")}
