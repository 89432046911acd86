"""A patient's subject: one name for all that is theirs, from which nobody finds the patient."""

from __future__ import annotations

from curbside.phi import PhiText
from curbside.storage.keys import KeyRing


def subject_of(patient_id: PhiText, tenant: str, ring: KeyRing) -> str:
    """The same for their reports and their consents, whichever source they come from."""
    # NUL separates: no field holds one.
    return ring.subject(tenant, f"patient\0{patient_id.reveal()}".encode())
