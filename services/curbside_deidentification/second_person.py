"""What is sure to identify is passed on by two people, or not at all.

A number like an SSN or of a telephone, an e-mail address, and what is left of one: where a reviewer says that
it is none, and it so stands in the text again, somebody else has to agree.
"""

from __future__ import annotations

from typing import Any

from curbside.errors import Conflict
from curbside.identity.principal import Principal
from curbside.storage.database import Database
from curbside_deidentification.domain.visible import visible_signs
from curbside_deidentification.pipeline import Result
from curbside_deidentification.quarantine import Opened


class SignLeft(Conflict):
    code = "deid.sign-left"
    title = "What would be released holds what identifies by itself"


async def require_second_person(
    principal: Principal, opened: Opened, result: Result, database: Database
) -> dict[str, Any]:
    """What the audit says of the signs that the spans of `result` leave to be seen: nothing where none is.

    Raises SignLeft, which is audited, unless a reviewer other than `principal` removed a span at every one.
    """
    seen = visible_signs(opened.document.text.reveal(), result.spans)
    if not seen:
        return {}
    signs = {sign: len(places) for sign, places in seen.items()}
    removed = opened.review.unhidden(place for places in seen.values() for place in places)
    unseen = len(removed) < sum(signs.values()) or not all(removed)
    # Nobody's name, of a span that an earlier release forgot who removed, may be anybody's.
    alone = any(not by.isdisjoint((principal.id, "")) for by in removed)
    if not unseen and not alone:
        return {"signs_left": signs, "removed_by": sorted(frozenset().union(*removed))}
    async with database.begin(opened.row.report_id) as transaction:
        await transaction.record(
            actor=principal.id,
            tenant=principal.tenant,
            action="quarantine.release-refused",
            target=opened.row.report_id,
            details={"signs_left": signs, "revision": opened.correction.revision},
        )
    counted = ", ".join(f"{count} of {sign}" for sign, count in sorted(signs.items()))
    raise SignLeft(
        f"the report {opened.row.report_id!r} would be released with {counted}",
        field="report_id",
        mend="Mark it as a span, or reject the report. Where it identifies nobody, one reviewer marks it and "
        "removes the span, and another releases."
        if unseen
        else "Put the span back (accept it), or reject the report. Where it identifies nobody, another "
        "reviewer than the one who removed the span releases, by a token of their own name.",
        signs=signs,
    )
