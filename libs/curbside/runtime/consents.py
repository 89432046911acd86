"""`curbside consent`: what patients permit or deny, by ids that no list of processes shows."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

from rich.table import Column, Table

from curbside.runtime.client import Api, ApiProblem, patiently
from curbside.runtime.reading import BadArgument, console, read_text

STANDARD_INPUT: Final = Path("-")
_DECISIONS: Final = ("deny", "permit")


def say_consents(
    api: Api,
    decision: str,
    patients: Path,
    *,
    effective: str | None,
    until: str | None,
    source: str,
    reference: str | None,
) -> bool:
    """Post what the patient of each line of `patients` says, and print by line what holds now.

    Returns whether all was recorded.
    """
    if decision not in _DECISIONS:
        raise BadArgument(
            "a consent is deny or permit", field="DECISION", mend=f"Say one of {', '.join(_DECISIONS)}."
        )
    if effective is None and decision == "permit":  # a denial without a time begins when it comes in
        effective = datetime.now(UTC).isoformat()
    given = {"effective_at": effective, "ends_at": until, "reference": reference}
    body = {name: value for name, value in given.items() if value} | {"decision": decision, "source": source}
    shown = Table("line", Column("consent", overflow="fold", min_width=32), "training now", "reports")
    whole, unknown = True, 0
    for number, patient_id in _patients(patients):
        said = partial(api.post, "/ingestion/v1/consents", {**body, "patient_id": patient_id})
        try:
            answer = patiently(said)
        except ApiProblem as problem:
            if problem.body["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            whole = False
            shown.add_row(str(number), "refused", problem.sentence, "")
            continue
        unknown += not answer["patient_known"]
        known = "some" if answer["patient_known"] else "none here"
        shown.add_row(str(number), answer["consent_id"], answer["training"], known)
    if not shown.row_count:
        raise BadArgument(
            "there is no patient's id in what was given", field="PATIENTS", mend="Give one on each line."
        )
    console.print(shown)
    if unknown:
        console.print(
            f"{unknown} without a report here: compare each id with those that reports came with. It holds "
            "for reports that come later, too."
        )
    return whole


def _patients(path: Path) -> Iterable[tuple[int, str]]:
    text = sys.stdin.read() if path == STANDARD_INPUT else read_text(path)
    lines = enumerate(text.removeprefix("\ufeff").splitlines(), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]
