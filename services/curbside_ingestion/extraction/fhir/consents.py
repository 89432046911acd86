"""What a Consent says of research, which training is. https://hl7.org/fhir/R4/consent.html

Doubt never permits: what cannot be told is refused by name, and what was denied before stays denied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Final

from curbside.errors import BadInput
from curbside_ingestion.domain.consents import Decision, Status, UnclearConsent
from curbside_ingestion.extraction.fhir.bundle import Entry, Library, Reading
from curbside_ingestion.extraction.fhir.codes import codes, load_codes
from curbside_ingestion.extraction.fhir.people import People
from curbside_ingestion.extraction.fhir.reports import external_id, is_moment
from curbside_ingestion.extraction.fhir.tree import Tree, nodes, strings, text_at
from curbside_ingestion.extraction.found import ConsentFound, MissingContent

# What narrows a provision to some data, persons or times. A denial so narrowed is taken as whole, unless it
# is about persons; a permission so narrowed cannot be kept apart from the rest.
_NARROWING: Final = ("actor", "class", "code", "data", "dataPeriod", "securityLabel")
_PERSONS: Final = frozenset({"Practitioner", "PractitionerRole", "RelatedPerson", "Patient", "CareTeam"})
_DENIES: Final = "deny"  # R4 ConsentProvisionType
_PERMITS: Final = "permit"
_USE: Final = "use"  # R4 consentaction: what training is
_POST: Final = "or say it to /ingestion/v1/consents"


@dataclass(frozen=True)
class _Said:
    decision: Decision
    ends_at: str = ""


def read_consent(entry: Entry, library: Library, everyone: People) -> ConsentFound | None:
    """The consent that `entry` is; None where it is about something else than research.

    Raises a BadInput that names what cannot be told.
    """
    resource = entry.valid(library.dropped)
    row = _row(resource)
    if row is None:
        return None
    if row.get("decision") == Decision.PERMIT.value and resource is not entry.resource:
        raise UnclearConsent(
            "the permission has a member that R4 does not know, which may be a denial misspelt",
            field="Consent",
            mend=f"Send it without, {_POST}.",
        )
    subject = next(iter(nodes(resource, "patient")), {})
    patient_id, _ = everyone.patient(Reading(library, entry), subject) if subject else ("", None)
    if not patient_id:
        raise MissingContent(
            "Consent names no patient", field="patient", mend="Send a reference to the Patient."
        )
    row |= {"patient_id": patient_id, "reference": external_id(entry)}
    return ConsentFound(entry.place, {name: value for name, value in row.items() if value})


def deleted() -> BadInput:
    """That a Consent was deleted, which is no word of its patient."""
    return UnclearConsent(
        "a Consent that is deleted permits nothing: what it denied stays denied",
        field="request.method",
        mend="Send it with the status entered-in-error, or send a later one that permits research.",
    )


def _row(consent: Tree) -> dict[str, object] | None:
    """R4 ConsentState. An active one says what it says; a rejected or ended permission is a denial."""
    status = text_at(consent, "status")
    if status == Status.ENTERED_IN_ERROR:
        return {"status": status}
    given = text_at(consent, "dateTime")
    when = given if is_moment(given) else ""
    ended = status in ("inactive", "rejected")
    if ended and _asks_for_research(consent):
        return {"decision": Decision.DENY.value, "effective_at": when}
    said = _said(consent)
    if said is None:
        return None
    if status == "active":
        begin = _begin(consent, said.decision, when)
        if said.ends_at and said.ends_at[:10] < begin[:10]:
            return None  # it was over before it was said
        return {"decision": said.decision.value, "effective_at": begin, "ends_at": said.ends_at}
    if ended and said.decision is Decision.PERMIT:
        return {"decision": Decision.DENY.value, "effective_at": when}
    if ended:
        raise UnclearConsent(
            f"a denial that is {status} permits nothing: what was denied before stays denied",
            field="status",
            mend="Send a later Consent that permits research, or this one as entered-in-error.",
        )
    raise UnclearConsent(
        "the Consent is not in force", field="status", mend="Send it once it is active or rejected."
    )


def _said(consent: Tree) -> _Said | None:
    """R4 Consent.provision: `type` is deny or permit; the root's may be left to `policyRule`, and provisions
    within one are exceptions to it."""
    table = load_codes()["consent"]
    root = _root(consent)
    kinds = _kinds(consent)
    about_research = not kinds.isdisjoint(table["scopes"])
    about_care = not kinds.isdisjoint(table["care"]) and not about_research
    base = _base(consent)
    nested = _below(root)
    # The root's period is that of the consent; a permission within it that has one of its own is for a time.
    allowing = [item for item in nodes(root, "provision") if _allows(item) and not item.get("period")]
    allowing = [] if _is_narrow(root) else allowing
    barring = [item for item in nested if _type(item) == _DENIES and _bars(item, about_care)]
    if base == _DENIES and _bars(root, about_care) and not (allowing and not _purposes(root)):
        barring.append(root)
    if barring:
        return _Said(Decision.DENY, _end(root, barring))
    denying = [item for item in nested if _type(item) == _DENIES] + [root] * (base == _DENIES)
    if any(_may_bar(item, about_care) for item in denying):
        raise UnclearConsent(
            "the Consent denies an organisation, device or group, and which of them train is not told",
            field="provision.actor",
            mend=f"Give its provision the purpose HRESCH where it denies research, {_POST}.",
        )
    untyped = [item for item in nested if not _type(item)]
    untyped += [root] if not _type(root) and (_is_narrow(root) or root.get("type")) else []
    if any(_bars(item, about_care) or _may_bar(item, about_care) for item in untyped):
        raise _unclear(said=False)  # an exception to what the policy permits may be meant
    asked = _allows(root | {"type": _PERMITS}) if _purposes(root) else about_research
    if allowing or (base == _PERMITS and asked and not _is_narrow(root)):
        return _permission(consent, root)
    if about_research or any(map(_is_for_research, (*nested, root))):
        raise _unclear(said=bool(base))
    if base or about_care or kinds & set(table["elsewhere"]):
        return None
    raise _unclear(said=False)


def _asks_for_research(consent: Tree) -> bool:
    """Whether it is about research, and denies nothing: a permission, whatever of."""
    root = _root(consent)
    provisions = (root, *_below(root))
    about = not _kinds(consent).isdisjoint(load_codes()["consent"]["scopes"])
    denied = _base(consent) == _DENIES or any(_type(item) == _DENIES for item in provisions)
    return (about or any(map(_is_for_research, provisions))) and not denied


def _root(consent: Tree) -> Tree:
    return next(iter(nodes(consent, "provision")), {})


def _kinds(consent: Tree) -> set[str]:
    return {code for field in ("scope", "category", "policyRule") for _, code in codes(consent, field)}


def _base(consent: Tree) -> str:
    """What holds where no exception does: deny, permit, or nobody knows."""
    if stated := _type(_root(consent)):
        return stated
    table = load_codes()["consent"]
    policy = {code for _, code in codes(consent, "policyRule")}
    if policy & set(table["deny"]):
        return _DENIES
    return _PERMITS if policy & set(table["permit"]) else ""


def _type(provision: Tree) -> str:
    stated = text_at(provision, "type")
    return stated if stated in (_DENIES, _PERMITS) else ""


def _permission(consent: Tree, root: Tree) -> _Said:
    # R4 §2.24.0.1: what a modifier changes is not known, and what changes may be all of it.
    if any(_has_modifier(item) for item in (consent, root, *_below(root))) or consent.get("implicitRules"):
        raise UnclearConsent(
            "the permission is changed by an extension or rules that Curbside does not know",
            field="modifierExtension",
            mend=f"Send it without, {_POST}.",
        )
    end = text_at(root, "period", "end")
    if end and not is_moment(end):
        raise UnclearConsent(
            "the permission ends at a time that is no day", field="provision.period.end", mend="Send a day."
        )
    return _Said(Decision.PERMIT, end)


def _begin(consent: Tree, decision: Decision, said: str) -> str:
    """The later of when it was `said` and when its period begins; empty for a denial that nobody dated, which
    begins when it comes in."""
    given, begin = text_at(consent, "dateTime"), text_at(consent, "provision", "period", "start")
    if decision is Decision.DENY and given and not said:
        return ""
    if not begin:
        return said
    if is_moment(begin):
        return _later(said, begin)
    if decision is Decision.DENY:
        return said
    raise UnclearConsent(
        "the permission begins at a time that is no day", field="provision.period.start", mend="Send a day."
    )


def _later(one: str, other: str) -> str:
    if "T" in one and "T" in other:
        return max(one, other, key=datetime.fromisoformat)
    return max(one, other, key=lambda value: (value[:10], len(value)))


def _end(root: Tree, barring: Sequence[Tree]) -> str:
    """Where all of a denial is over; empty where a part of it goes on, or where its end is no day."""
    ends = [text_at(root, "period", "end") or text_at(item, "period", "end") for item in barring]
    return reduce(_later, ends) if all(map(is_moment, ends)) else ""


def _unclear(said: bool) -> UnclearConsent:
    if said:
        return UnclearConsent(
            "the Consent permits a part of research, and which reports that is cannot be told",
            field="provision",
            mend=f"Send one that permits or denies research as a whole, {_POST}.",
        )
    return UnclearConsent(
        "the Consent says neither deny nor permit in a way that Curbside knows",
        field="provision.type",
        mend=f"Give its provision a type, or its policyRule OPTIN or OPTOUT, {_POST}.",
    )


def _below(provision: Tree) -> list[Tree]:
    found: list[Tree] = []
    level = nodes(provision, "provision")
    while level:
        found += level
        level = nodes(level, "provision")
    return found


def _bars(provision: Tree, about_care: bool) -> bool:
    """Whether what it denies is research, or everything: whatever its purposes are, if not clearly others."""
    purposes = _purposes(provision)
    if purposes:
        return not purposes <= set(load_codes()["consent"]["elsewhere"])
    return not about_care and not nodes(provision, "actor")


def _may_bar(provision: Tree, about_care: bool) -> bool:
    """Whether it denies something to somebody who is no person, and may be whoever trains."""
    if _purposes(provision) or about_care:
        return False
    return not {_kind_of(actor) for actor in nodes(provision, "actor")} <= _PERSONS


def _kind_of(actor: Tree) -> str:
    reference = next(iter(nodes(actor, "reference")), {})
    stated, target = text_at(reference, "type"), text_at(reference, "reference").split("/_history/")[0]
    return stated or (target.split("/")[-2] if "/" in target else "")


def _allows(provision: Tree) -> bool:
    return _type(provision) == _PERMITS and _is_for_research(provision) and not _is_narrow(provision)


def _is_for_research(provision: Tree) -> bool:
    return not _purposes(provision).isdisjoint(load_codes()["consent"]["research"])


def _is_narrow(provision: Tree) -> bool:
    actions = {code for _, code in codes(provision, "action")}
    return any(provision.get(name) for name in _NARROWING) or bool(actions and _USE not in actions)


def _purposes(provision: Tree) -> set[str]:
    return set(strings(provision, "purpose", "code"))


def _has_modifier(node: Tree) -> bool:
    return bool(node.get("modifierExtension"))
