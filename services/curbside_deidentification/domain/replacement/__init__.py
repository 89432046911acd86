"""What takes the place of PHI, by a policy that names its legal basis, and the way back."""

from curbside_deidentification.domain.replacement.mapping import SubjectMapping, SubjectSecrets
from curbside_deidentification.domain.replacement.policy import (
    SHIPPED,
    Action,
    BadReplacementPolicy,
    LegalBasis,
    ReplacementPolicy,
    Subjects,
    keeps_mapping,
    load_replacement_policy,
    policy_of,
    shipped_policy,
)
from curbside_deidentification.domain.replacement.replacing import Replaced, replace, restore
from curbside_deidentification.domain.replacement.tables import Made, SubjectTables

__all__ = [
    "SHIPPED",
    "Action",
    "BadReplacementPolicy",
    "LegalBasis",
    "Made",
    "Replaced",
    "ReplacementPolicy",
    "SubjectMapping",
    "SubjectSecrets",
    "SubjectTables",
    "Subjects",
    "keeps_mapping",
    "load_replacement_policy",
    "policy_of",
    "replace",
    "restore",
    "shipped_policy",
]
