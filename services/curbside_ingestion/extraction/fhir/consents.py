"""Whether a Consent bars or allows research, which training is. https://hl7.org/fhir/R4/consent.html"""

from __future__ import annotations

from typing import Final

from curbside_ingestion.extraction.fhir.codes import codes, load_codes
from curbside_ingestion.extraction.fhir.tree import Tree, nodes, strings, text_at

# What narrows a provision to some data, persons or times. A denial so narrowed is taken as whole, unless it
# is about persons; a permission so narrowed is none.
_NARROWING: Final = ("actor", "class", "code", "data", "dataPeriod", "period", "securityLabel")


def permits_training(consent: Tree) -> bool | None:
    """False where `consent` bars research, True where it allows it, None where it says nothing of it.

    R4 Consent.provision: `type` is deny or permit; the root's may be left to `policyRule`; provisions within
    one are exceptions to it. Doubt bars. A `rejected` consent allows nothing that it was to allow; other
    states (inactive, entered-in-error, draft, proposed) say nothing, so that a denial before them stays.
    """
    status = text_at(consent, "status")
    if status not in ("active", "rejected"):
        return None
    found = _said(consent)
    if status == "rejected":
        return False if found is True else None
    return found


def _said(consent: Tree) -> bool | None:
    table = load_codes()["consent"]
    root = next(iter(nodes(consent, "provision")), {})
    scopes = {code for field in ("scope", "category") for _, code in codes(consent, field)}
    about_research = not scopes.isdisjoint(table["scopes"])
    about_care = not scopes.isdisjoint(table["care"]) and not about_research
    policy = {code for _, code in codes(consent, "policyRule")}
    stated = text_at(root, "type")
    denies = stated == "deny" or (not stated and not policy.isdisjoint(table["deny"]))
    permits = stated == "permit" or (not stated and not policy.isdisjoint(table["permit"]))
    nested = _below(root)
    allowed = any(_allows(item) for item in nested)
    if any(_bars(item, about_care) for item in nested):
        return False
    if denies and not about_care and not _purposes(root):
        return allowed  # opted out of everything, but for what an exception names
    if denies and _bars(root | {"type": "deny"}, about_care):
        return False
    if allowed or (permits and _allows(root | {"type": "permit"})):
        return True
    if permits and about_research and not _purposes(root) and not _is_narrow(root):
        return True
    return None


def _below(provision: Tree) -> list[Tree]:
    found: list[Tree] = []
    level = nodes(provision, "provision")
    while level:
        found += level
        level = nodes(level, "provision")
    return found


def _bars(provision: Tree, about_care: bool) -> bool:
    if text_at(provision, "type") != "deny" or nodes(provision, "actor"):
        return False
    table = load_codes()["consent"]
    purposes = _purposes(provision)
    return bool(purposes & {*table["research"], *table["secondary"]}) or (not purposes and not about_care)


def _allows(provision: Tree) -> bool:
    research = set(load_codes()["consent"]["research"])
    named = not research.isdisjoint(_purposes(provision))
    return text_at(provision, "type") == "permit" and named and not _is_narrow(provision)


def _is_narrow(provision: Tree) -> bool:
    return any(provision.get(name) for name in _NARROWING)


def _purposes(provision: Tree) -> set[str]:
    return set(strings(provision, "purpose", "code"))
