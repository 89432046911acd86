"""Blob zones, and which service may open which. Nothing but ingestion and deidentification opens phi/."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from curbside.errors import Forbidden


class Zone(StrEnum):
    PHI = "phi"
    SAFE = "safe"
    MODELS = "models"


GRANTS: Final = MappingProxyType(
    {
        "ingestion": frozenset({Zone.PHI}),
        "deidentification": frozenset({Zone.PHI, Zone.SAFE}),
        "datasets": frozenset({Zone.SAFE}),
        "training": frozenset({Zone.SAFE, Zone.MODELS}),
        "inference": frozenset({Zone.SAFE, Zone.MODELS}),
        "workbench": frozenset[Zone](),
    }
)


class ZoneForbidden(Forbidden):
    code = "storage.zone-forbidden"
    title = "The service may not open this zone"
