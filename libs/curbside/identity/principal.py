"""Roles, the scopes they carry, and the principal of a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final


class Scope(StrEnum):
    REPORTS_WRITE = "reports:write"
    REPORTS_READ = "reports:read"
    CONSENTS_WRITE = "consents:write"  # say what patients permit and deny
    CONSENTS_READ = "consents:read"
    QUARANTINE_REVIEW = "quarantine:review"
    DEIDENTIFY = "deidentify"
    RESTORE = "restore"  # turn surrogates in a text of one's own back
    REVERSE = "reverse"  # turn something stored back, two people together
    DATASETS_READ = "datasets:read"
    DATASETS_WRITE = "datasets:write"
    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    MODELS_READ = "models:read"
    MODELS_PROMOTE = "models:promote"
    OPINIONS_ASK = "opinions:ask"
    OPERATE = "operate"
    AUDIT_READ = "audit:read"
    TOKENS_WRITE = "tokens:write"


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    STEWARD = "steward"
    REVIEWER = "reviewer"
    PRIVACY_OFFICER = "privacy-officer"
    CLINICIAN = "clinician"
    HOSPITAL_SYSTEM = "hospital-system"
    TRAINER = "trainer"
    APPROVER = "approver"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    SERVICE = "service"  # one Curbside service calling another


# A trainer cannot approve what they trained, and an operator sees no report: least privilege,
# 45 CFR 164.502(b) (minimum necessary).
ROLES: Final = MappingProxyType(
    {
        Role.ADMINISTRATOR: frozenset(Scope),
        Role.STEWARD: frozenset(
            {
                Scope.REPORTS_WRITE,
                Scope.REPORTS_READ,
                Scope.CONSENTS_WRITE,
                Scope.CONSENTS_READ,
                Scope.DATASETS_READ,
                Scope.DATASETS_WRITE,
            }
        ),
        Role.REVIEWER: frozenset({Scope.REPORTS_READ, Scope.QUARANTINE_REVIEW}),
        # Two of them turn something back; what they and reviewers did, each may look up. It is to them that
        # patients say what they permit and deny.
        Role.PRIVACY_OFFICER: frozenset(
            {Scope.REVERSE, Scope.AUDIT_READ, Scope.CONSENTS_WRITE, Scope.CONSENTS_READ}
        ),
        Role.CLINICIAN: frozenset({Scope.OPINIONS_ASK}),
        Role.HOSPITAL_SYSTEM: frozenset(
            {
                Scope.REPORTS_WRITE,
                Scope.REPORTS_READ,
                Scope.CONSENTS_WRITE,
                Scope.CONSENTS_READ,
                Scope.OPINIONS_ASK,
            }
        ),
        Role.TRAINER: frozenset({Scope.DATASETS_READ, Scope.RUNS_READ, Scope.RUNS_WRITE, Scope.MODELS_READ}),
        Role.APPROVER: frozenset({Scope.RUNS_READ, Scope.MODELS_READ, Scope.MODELS_PROMOTE}),
        Role.OPERATOR: frozenset({Scope.OPERATE, Scope.RUNS_READ, Scope.MODELS_READ}),
        Role.AUDITOR: frozenset({Scope.AUDIT_READ}),
        Role.SERVICE: frozenset({Scope.DEIDENTIFY, Scope.OPINIONS_ASK}),
    }
)


@lru_cache(maxsize=256)
def scopes_of(roles: frozenset[Role]) -> frozenset[Scope]:
    return frozenset().union(*(ROLES[role] for role in roles))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from. `id` goes into audit records."""

    id: str
    tenant: str
    roles: frozenset[Role]

    @property
    def scopes(self) -> frozenset[Scope]:
        return scopes_of(self.roles)

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes
