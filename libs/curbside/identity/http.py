"""Rights in a route's signature: `principal: CanIngest`.

    CanIngest = Annotated[Principal, requires(Scope.REPORTS_WRITE)]

A route without one is visibly public, and an architecture test holds the list of those that may be.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from curbside.errors import Forbidden, Unauthenticated
from curbside.identity.principal import Principal, Scope
from curbside.identity.tokens import Tokens


class Requires(SecurityBase):
    """The dependency that authenticates a request and demands `scope`; /openapi.json says so by its base."""

    scheme_name = "token"
    model = HTTPBearer(description="A token of `curbside token create`; its roles carry the scopes.")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> Principal:
        tokens: Tokens = request.app.state.tokens
        token = bearer_token(request.headers.get("authorization", ""))
        return allowed(await tokens.authenticate(token), self.scope)


def bearer_token(authorization: str) -> str:
    """The token in the field `authorization`; raises Unauthenticated where it holds none."""
    scheme, _, token = authorization.partition(" ")
    if scheme.casefold() != "bearer" or not token:
        raise Unauthenticated(
            "the request carries no bearer token",
            field="Authorization",
            mend="Send 'Authorization: Bearer <token>'.",
        )
    return token.strip()


def requires(scope: Scope) -> Any:
    return Security(Requires(scope), scopes=[scope.value])


def allowed(principal: Principal, scope: Scope) -> Principal:
    """`principal` where it may do `scope`; raises Forbidden otherwise."""
    if not principal.may(scope):
        raise Forbidden(
            f"this token lacks the scope {scope.value!r}",
            field="Authorization",
            mend="Use a token of a role that carries it.",
        )
    return principal


CanIngest = Annotated[Principal, requires(Scope.REPORTS_WRITE)]
CanReadReports = Annotated[Principal, requires(Scope.REPORTS_READ)]
CanSayConsents = Annotated[Principal, requires(Scope.CONSENTS_WRITE)]
CanReadConsents = Annotated[Principal, requires(Scope.CONSENTS_READ)]
CanReview = Annotated[Principal, requires(Scope.QUARANTINE_REVIEW)]
CanReadAudit = Annotated[Principal, requires(Scope.AUDIT_READ)]
CanReverse = Annotated[Principal, requires(Scope.REVERSE)]
CanReadDatasets = Annotated[Principal, requires(Scope.DATASETS_READ)]
CanBuildDatasets = Annotated[Principal, requires(Scope.DATASETS_WRITE)]
CanReadRuns = Annotated[Principal, requires(Scope.RUNS_READ)]
CanTrain = Annotated[Principal, requires(Scope.RUNS_WRITE)]
CanReadModels = Annotated[Principal, requires(Scope.MODELS_READ)]
CanPromote = Annotated[Principal, requires(Scope.MODELS_PROMOTE)]
CanOperate = Annotated[Principal, requires(Scope.OPERATE)]
CanAsk = Annotated[Principal, requires(Scope.OPINIONS_ASK)]
