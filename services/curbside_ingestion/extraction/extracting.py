"""The reports of a document: of one that holds several by its own extractor, of any other its text."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import Final

from curbside_ingestion.extraction.documents import read_text
from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    EmptyDocument,
    Extraction,
    Found,
    Kind,
    Limits,
)

# Kind → the module whose `extract(data, limits)` finds its reports, with what they say of themselves.
_EXTRACTORS: Final = MappingProxyType({Kind.FHIR: "fhir", Kind.HL7: "hl7v2", Kind.CDA: "cda"})
CONTAINERS: Final = frozenset(_EXTRACTORS)


def extract(data: bytes, kind: Kind, limits: Limits = DEFAULT_LIMITS) -> Extraction:
    """Everything that `data`, which is of `kind`, gives. Raises a BadInput where the whole cannot be read."""
    if kind in _EXTRACTORS:
        module = import_module(f"curbside_ingestion.extraction.{_EXTRACTORS[kind]}")
        extraction: Extraction = module.extract(data, limits)
    else:
        document = read_text(data, limits)
        extraction = Extraction((Found("", {"text": document.text}, None, document.quality),))
    if not (extraction.found or extraction.refused or extraction.consents):
        raise EmptyDocument(f"the {kind} document holds no report", field="body", mend="Send one that does.")
    return extraction
