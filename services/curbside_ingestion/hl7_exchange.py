"""HL7 v2 messages, over HTTP and MLLP alike: each is taken in and answered by an acknowledgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from curbside.errors import BadInput, CurbsideError
from curbside.identity.principal import Principal
from curbside_ingestion.acknowledging import Code, acknowledgement
from curbside_ingestion.domain.problems import ChangedReport, DuplicateReport
from curbside_ingestion.domain.rows import BadRow, GoodRow
from curbside_ingestion.extraction.found import EmptyDocument, Kind, NoReport
from curbside_ingestion.handlers import Receive
from curbside_ingestion.reading import Documents
from curbside_ingestion.receiving import Refused

# HL7 table 0357.
_UNSUPPORTED: Final = "200"
_DUPLICATE_KEY: Final = "205"
_OTHER: Final = "199"
_INTERNAL: Final = "207"
_MOST_SAID: Final = 3  # problems in the text of one answer


@dataclass(frozen=True)
class Answer:
    """The acknowledgement, and the problem that it tells of."""

    acknowledgement: bytes
    problem: CurbsideError | None


async def answer_message(
    message: bytes, source: str, principal: Principal, *, documents: Documents, receive: Receive
) -> Answer:
    """Take in the reports of one message; AA says that all of them are durable, or were before.

    What holds nothing that could be lost (an order without results beside one that has some) does not stop
    an AA; anything else that was refused does, and the sender keeps its copy.
    """
    try:
        rows = await documents.rows_as(Kind.HL7, message, {"source": source})
        good = [row for row in rows if isinstance(row, GoodRow)]
        outcomes = await receive(good, Kind.HL7.value, principal)
    except CurbsideError as problem:
        return _answer(message, [problem])
    refused = [row.problem for row in rows if isinstance(row, BadRow)]
    if good:
        refused = [problem for problem in refused if not isinstance(problem, EmptyDocument | NoReport)]
    refused += [
        outcome.problem
        for outcome in outcomes
        if isinstance(outcome, Refused) and not isinstance(outcome.problem, DuplicateReport)
    ]
    return _answer(message, refused)


def _answer(message: bytes, problems: Sequence[CurbsideError]) -> Answer:
    now = datetime.now(UTC)
    if not problems:
        return Answer(acknowledgement(message, "AA", at=now), None)
    # What may pass by itself first: it decides whether the sender should try again.
    worst = min(problems, key=lambda problem: isinstance(problem, BadInput))
    code: Code = "AR" if isinstance(worst, NoReport) else "AE"
    said = "; ".join(dict.fromkeys(problem.sentence for problem in problems[:_MOST_SAID]))
    return Answer(acknowledgement(message, code, at=now, text=said, error_code=_number(worst)), worst)


def _number(problem: CurbsideError) -> str:
    if isinstance(problem, NoReport):
        return _UNSUPPORTED
    if isinstance(problem, ChangedReport):
        return _DUPLICATE_KEY
    return _OTHER if isinstance(problem, BadInput) else _INTERNAL
