"""What a report's de-identification rests on, and why one version rests on one basis.

45 CFR 164.514(b) has two ways, and what either demands of a release is not what the other does: a Safe Harbor
release may hold no moved date, and an expert's determination speaks of the data that the expert saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from curbside.errors import GateFailed


class LegalBasis(StrEnum):
    SAFE_HARBOR = "safe_harbor"  # 45 CFR 164.514(b)(2)
    EXPERT_DETERMINATION = "expert_determination"  # 45 CFR 164.514(b)(1)


class Subjects(StrEnum):
    """How a version names patients. A keyed code is derived: 45 CFR 164.514(c)(1) wants one that is not."""

    RANDOM = "random"
    KEYED = "keyed"


class MixedBases(GateFailed):
    code = "dataset.mixed-legal-bases"


def basis_of(stated: str, policy: str) -> str:
    """The basis that an event states; of an event of a release that did not, the one that its policy means.

    Such a label ends in `+name:basis:hash` where a policy replaced the mentions. Without it every mention
    became the placeholder of its category, and the moved time beside it is in no row of a version.
    """
    if stated:
        return stated
    _, _, replaced_by = policy.partition("+")
    basis = replaced_by.split(":")[1:2]
    return basis[0] if basis else LegalBasis.SAFE_HARBOR.value


def one_basis(bases: Sequence[str], wanted: LegalBasis | None) -> str:
    """The basis of a version whose reports have `bases`; raises MixedBases where nobody said which."""
    if wanted is not None:
        return wanted.value
    counted = Counter(bases)
    if len(counted) > 1:
        found = " and ".join(f"{basis} ({count})" for basis, count in sorted(counted.items()))
        raise MixedBases(
            f"the reports rest on {found}, and one version cannot rest on both",
            field="recipe.legal_basis",
            mend="Name one as legal_basis in the recipe: reports of the other are left out, and counted.",
        )
    return next(iter(counted), LegalBasis.SAFE_HARBOR.value)


def subjects_of(stated: Sequence[str]) -> Subjects:
    """Keyed only where every report may be."""
    keyed = bool(stated) and all(one == Subjects.KEYED for one in stated)
    return Subjects.KEYED if keyed else Subjects.RANDOM
