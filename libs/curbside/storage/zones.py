"""Blob zones and keys, by service. Nothing but ingestion and deidentification opens phi/."""

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

# What every service seals or hashes with: its audit chain, the tokens that it is shown.
_SHARED_KEYS: Final = frozenset({"audit", "token"})
# Seals when a patient's consent begins and ends, in events and in the tables of both its services.
CONSENTS_KEY: Final = "consents"
# What a service seals with beside blobs. `ingestion-records`: the identifiers in the records of ingestion.
_OWN_KEYS: Final = MappingProxyType(
    {"ingestion": frozenset({"ingestion-records", CONSENTS_KEY}), "datasets": frozenset({CONSENTS_KEY})}
)
# What `curbside provision` needs: its migrations seal what an earlier release kept in the clear.
PROVISION_KEYS: Final = frozenset({CONSENTS_KEY})


class ZoneForbidden(Forbidden):
    code = "storage.zone-forbidden"
    title = "The service may not open this zone"


def key_names(service: str, tenant: str) -> frozenset[str]:
    """The keys of the KeyRing that `service` uses for `tenant`, and so the files that its pod mounts.

    Per granted zone there are two: `kek` wraps its data keys, `hash` names its blobs' content.
    """
    zones = {f"{kind}-{zone}" for zone in GRANTS[service] for kind in ("kek", "hash")}
    return _SHARED_KEYS | {f"tenant-{tenant}"} | zones | _OWN_KEYS.get(service, frozenset())
