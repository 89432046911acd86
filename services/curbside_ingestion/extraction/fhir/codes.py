"""What codes mean to Curbside: the tables of `codes.yaml`, and what a CodeableConcept says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.domain.types import OTHER, type_named
from curbside_ingestion.extraction.fhir.tree import Tree, nodes, strings, text_at

CODES_FILE: Final = Path(__file__).with_name("codes.yaml")
_LOINC: Final = "http://loinc.org"
_PSYCHOTHERAPY: Final = re.compile(r"\bpsychotherap(?:y|eutic)\b", re.I)


@cache
def load_codes() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CODES_FILE.read_bytes())
    return loaded


def codes(resource: Tree, *path: str) -> Iterator[tuple[str, str]]:
    """System and code of every coding of the CodeableConcepts at `path`."""
    for coding in nodes(resource, *path, "coding"):
        yield text_at(coding, "system"), text_at(coding, "code")


def label(concept: Tree) -> str:
    """What a reader would call the concept: its text, else a display, else a code."""
    codings = nodes(concept, "coding")
    shown = (text_at(coding, "display") for coding in codings)
    coded = (text_at(coding, "code") for coding in codings)
    return next(filter(None, (text_at(concept, "text"), *shown, *coded)), "")


def labels(resource: Tree, *path: str) -> list[str]:
    return [name for concept in nodes(resource, *path) if (name := label(concept))]


def status_of(*values: str) -> ReportStatus:
    """The gravest of R4's statuses: a current reference to a preliminary document is preliminary."""
    table: dict[str, str] = load_codes()["status"]
    order = (
        ReportStatus.FINAL,
        ReportStatus.AMENDED,
        ReportStatus.PRELIMINARY,
        ReportStatus.ENTERED_IN_ERROR,
    )
    known = [ReportStatus(table.get(value, ReportStatus.PRELIMINARY)) for value in values if value]
    return max(known, key=order.index, default=ReportStatus.PRELIMINARY)


def type_of(resource: Tree, *fields: str) -> str:
    """Our type by LOINC's code, else by a category's code, else by the names of `fields`, in their order."""
    tables = load_codes()
    found = [pair for field in fields for pair in codes(resource, field)]
    for system, code in found:
        if system == _LOINC and code in tables["loinc"]:
            return str(tables["loinc"][code])
    named = (tables["category"].get(code) for system, code in found if system != _LOINC)
    spoken = (
        type_named(value)
        for field in fields
        for concept in nodes(resource, field)
        for value in (*strings(concept, "text"), *strings(concept, "coding", "display"))
    )
    return next((str(name) for name in (*named, *spoken) if name and name != OTHER), OTHER)


def exclusions_of(resource: Tree, *fields: str) -> list[str]:
    """Why the report is kept from training: its security labels, and being a psychotherapy note by name.

    `fields` hold its type. LOINC names psychotherapy as a type of service, so its displays are read.
    """
    table: dict[str, str] = load_codes()["exclusions"]
    labelled = [text_at(coding, "code") for coding in nodes(resource, "meta", "security")]
    labelled += [code for _, code in codes(resource, "securityLabel")]
    labelled.append(text_at(resource, "confidentiality"))
    found = [table[code] for code in labelled if code in table]
    names = (
        value
        for field in fields
        for concept in nodes(resource, field)
        for value in (*strings(concept, "text"), *strings(concept, "coding", "display"))
    )
    if any(map(_PSYCHOTHERAPY.search, names)):
        found.append("psychotherapy")
    return sorted(set(found))
