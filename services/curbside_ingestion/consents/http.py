"""What patients permit and deny, over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Query, Request, Response

from curbside.errors import CurbsideError
from curbside.identity.http import CanReadConsents, CanSayConsents
from curbside.identity.principal import Principal
from curbside.runtime.openapi import refusals
from curbside_ingestion.bodies import media_type, whole_body
from curbside_ingestion.consents.answers import ConsentPage, ConsentShown, ConsentTaken
from curbside_ingestion.consents.handlers import TakeConsents
from curbside_ingestion.consents.store import StoredConsent
from curbside_ingestion.describing import BRINGING, answered, body, refused
from curbside_ingestion.domain.consents import ConsentScope, Decision, Status, UndatedConsent, parse_consent
from curbside_ingestion.domain.problems import UnsupportedType
from curbside_ingestion.receiving import Taken

_JSON: Final = "application/json"
# Only for /docs: what a consent must be is decided in domain/consents.py.
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["patient_id"],
    "additionalProperties": False,
    "properties": {
        "patient_id": {
            "type": "string",
            "description": "as in the patient's reports; it is kept as a keyed hash",
        },
        "decision": {"type": "string", "enum": [Decision.DENY, Decision.PERMIT]},
        "scope": {"type": "string", "enum": [*ConsentScope], "default": ConsentScope.TRAINING},
        "effective_at": {
            "type": "string",
            "description": "RFC 3339 with its offset, or a day; a denial may leave it out, and begins now",
        },
        "ends_at": {"type": "string", "description": "likewise; without it the consent holds until another"},
        "source": {"type": "string", "description": "the system that says so"},
        "reference": {
            "type": "string",
            "description": "the consent's number there; it is kept as a keyed hash",
        },
        "status": {"type": "string", "enum": [*Status], "default": Status.ACTIVE},
    },
}
_DENIED: Final = {
    "patient_id": "MRN-4471",
    "decision": "deny",
    "effective_at": "2026-03-01T14:05:00+01:00",
    "reference": "form 17",
}
_TAKEN: Final[ConsentTaken] = {
    "consent_id": "0198a3c2f5b00d1e2f3a4b5c6d7e8f90",
    "decision": Decision.DENY,
    "effective_at": "2026-03-01T13:05:00+00:00",
    "ends_at": None,
    "training": "barred",
    "patient_known": True,
}
_UNDATED: Final = {"patient_id": "MRN-4471", "decision": "permit"}
_UNDATED_REFUSED: Final = UndatedConsent(
    "a permission needs the time at which it was given: it is held against denials",
    field="effective_at",
    mend="Send RFC 3339, e.g. '2026-03-01T14:05:00+01:00', or a day.",
).problem("/ingestion/v1/consents")
_BODY: Final = body(
    {_JSON: (_SCHEMA, {"a_denial": _DENIED, "again": _DENIED, "a_permission_without_a_time": _UNDATED})}
)
_ANSWERED: Final = {
    **answered(HTTPStatus.ACCEPTED, "It is durable.", _JSON, {}, a_denial=_TAKEN),
    **answered(
        HTTPStatus.OK,
        "It was durable before.",
        _JSON,
        {"$ref": "#/components/schemas/ConsentTaken"},
        again=_TAKEN,
    ),
    **refused(*BRINGING, a_permission_without_a_time=_UNDATED_REFUSED),
}
_SHOWN: Final = refusals(HTTPStatus.NOT_FOUND)


class Listed(Protocol):
    def __call__(
        self, principal: Principal, *, after: str | None, limit: int
    ) -> Awaitable[list[StoredConsent]]: ...


def consent_routes(
    *, take: TakeConsents, listed: Listed, show: Callable[[str, Principal], Awaitable[StoredConsent]]
) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.post("/consents", status_code=202, openapi_extra=_BODY, responses=_ANSWERED)
    async def say(request: Request, principal: CanSayConsents, response: Response) -> ConsentTaken:
        """Record what a patient permits or denies. 202 says that it is durable; 200 that it was before.

        `training` is what holds of all that this patient said; `patient_known` whether any report came under
        this id. A report that came without a patient's id is no patient's: only its `exclusions` bar it.
        """
        media, charset = media_type(request)
        if media != _JSON:
            raise UnsupportedType(
                "Content-Type is not one read here", field="Content-Type", mend=f"Send {_JSON}."
            )
        consent = parse_consent(await whole_body(request), now=datetime.now(UTC), charset=charset)
        (outcome,) = await take([consent], principal)
        if isinstance(outcome, CurbsideError):
            raise outcome
        response.status_code = HTTPStatus.ACCEPTED if outcome.is_new else HTTPStatus.OK
        return taken(outcome)

    @router.get("/consents")
    async def list_consents(
        principal: CanReadConsents,
        after: Annotated[str | None, Query(max_length=32)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> ConsentPage:
        """A page of consents; `next` is the `after` of the page that follows, null on the last. `subject` is
        a keyed hash of the patient."""
        page = await listed(principal, after=after, limit=limit)
        following = page[-1].said.consent_id if len(page) == limit else None
        return ConsentPage(consents=[_shown(one) for one in page], next=following)

    @router.get("/consents/{consent_id}", responses=_SHOWN)
    async def show_consent(consent_id: str, principal: CanReadConsents) -> ConsentShown:
        """One consent as it stands: `void` where it was entered in error. Each look is audited."""
        return _shown(await show(consent_id, principal))

    return router


def taken(outcome: Taken) -> ConsentTaken:
    said = outcome.consent
    return {
        "consent_id": said.consent_id,
        "decision": said.decision,
        "effective_at": said.effective_at.isoformat(),
        "ends_at": said.ends_at.isoformat() if said.ends_at is not None else None,
        "training": "barred" if outcome.barred else "allowed",
        "patient_known": outcome.patient_known,
    }


def _shown(stored: StoredConsent) -> ConsentShown:
    said = stored.said
    return {
        "consent_id": said.consent_id,
        "subject": stored.subject,
        "source": stored.source,
        "scope": ConsentScope(stored.scope),
        "decision": said.decision,
        "effective_at": said.effective_at.isoformat(),
        "ends_at": said.ends_at.isoformat() if said.ends_at is not None else None,
        "received_at": stored.received_at.isoformat(),
    }
