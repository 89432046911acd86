"""Making a question ready to be asked: its texts read or shielded, and the model that answers found."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

from curbside.contracts.tasks import Message, Task, prompt
from curbside.identity.principal import Principal
from curbside.phi import PhiText, SafeText
from curbside.segmentation import model_input
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database
from curbside.storage.keys import KeyRing
from curbside_inference import store
from curbside_inference.domain.model import PRODUCTION, EngineModels, ModelInUse, Promoted, model_in_use
from curbside_inference.domain.opinion import joined_input
from curbside_inference.domain.problems import BadQuestion, DisplacedReport, UnknownReport
from curbside_inference.domain.question import Question, Stored
from curbside_inference.metrics import SHIELDED_SPANS
from curbside_inference.shield import Shielded


class Deidentify(Protocol):
    """What `Shield.deidentify` is to the handlers."""

    async def __call__(self, text: PhiText, *, field: str, tenant: str, subject: str) -> Shielded: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that a model may see. `report_id` is empty where the text was pasted."""

    opinion_id: str
    task: Task
    principal: Principal
    subject: str
    report_id: str
    input: SafeText
    messages: list[Message]
    model: ModelInUse
    spans: int
    started: float  # time.perf_counter()
    # Whether the answer may hold surrogates of what the asker pasted, and of nothing else.
    restorable: bool = False


async def prepare(
    question: Question,
    principal: Principal,
    *,
    database: Database,
    blobs: BlobStore,
    ring: KeyRing,
    deidentify: Deidentify,
    engine: EngineModels,
) -> Prepared:
    """Raises UnknownReport, DisplacedReport, BadQuestion, Withheld, ShieldUnavailable or UnknownModel; no
    text gets through unshielded."""
    started = time.perf_counter()
    opinion_id, tenant = uuid.uuid4().hex, principal.tenant
    known = await _stored_rows(question, tenant, database)
    # A pasted text has no patient that we know: its opinion is a subject of its own. Both texts share one, so
    # that a person in both has the same surrogate in both.
    pasted_subject = ring.opinion(tenant, opinion_id)
    subject = next((str(row.subject) for row in known.values()), pasted_subject)

    async def safe(part: PhiText | Stored, field: str) -> Shielded:
        if isinstance(part, Stored):
            row = known[part.report_id]
            text = (await blobs.get(BlobRef.from_json(row.text))).decode()
            return Shielded(SafeText(text, rules=(f"deid:{row.policy}",)), row.spans)
        shielded = await deidentify(part, field=field, tenant=tenant, subject=subject)
        SHIELDED_SPANS.inc(shielded.spans)
        return shielded

    pending = [safe(question.report, "report")]
    if question.prior is not None:
        pending.append(safe(question.prior, "prior"))
    report, *priors = await asyncio.gather(*pending)
    # The form that models are trained on; off the loop, for a long report takes tens of milliseconds.
    seen, *seen_prior = await asyncio.to_thread(
        lambda: [model_input(part.text) for part in (report, *priors)]
    )
    prior = seen_prior[0] if seen_prior else None
    return Prepared(
        opinion_id=opinion_id,
        task=question.task,
        principal=principal,
        subject=subject,
        report_id=question.report.report_id if isinstance(question.report, Stored) else "",
        input=joined_input(seen, prior),
        messages=prompt(question.task, seen.text, prior.text if prior is not None else None),
        model=await find_model(principal, asked=question.model, database=database, engine=engine),
        spans=report.spans + sum(part.spans for part in priors),
        started=started,
        # Beside a stored report a pasted text has that patient's mapping, which is more than the asker's own.
        restorable=not known and any(part.restorable for part in (report, *priors)),
    )


async def find_model(
    principal: Principal, *, asked: str | None = None, database: Database, engine: EngineModels
) -> ModelInUse:
    """The model that answers a question of `principal`'s tenant. Raises UnknownModel."""
    async with database.read() as session:
        rows = await store.promoted(session, principal.tenant, PRODUCTION)
    return model_in_use(engine, [Promoted(row.model_version, row.base_model) for row in rows], asked)


async def _stored_rows(question: Question, tenant: str, database: Database) -> dict[str, Any]:
    """The stored reports that the question names, by id.

    Raises UnknownReport, DisplacedReport or BadQuestion.
    """
    named = {
        field: part.report_id
        for field, part in (("report_id", question.report), ("prior_report_id", question.prior))
        if isinstance(part, Stored)
    }
    rows: dict[str, Any] = {}
    if not named:
        return rows
    async with database.read() as session:
        for field, report_id in named.items():
            gone = await store.displaced(session, tenant, report_id)
            if gone is not None:
                raise DisplacedReport(
                    f"the report was {gone.state}: no opinion is given of what no longer holds",
                    field=field,
                    mend=f"Ask about {gone.displaced_by!r}, which replaced it."
                    if gone.state == "superseded"
                    else "Ask about another report of the patient.",
                    state=gone.state,
                    displaced_by=gone.displaced_by,
                )
            row = await store.find_report(session, tenant, report_id)
            if row is None:
                raise UnknownReport(
                    f"no de-identified report is known as {report_id!r}",
                    field=field,
                    mend="Wait until ingestion shows it as deidentified or released, or send its text.",
                )
            rows[report_id] = row
    if len({row.subject for row in rows.values()}) > 1:
        raise BadQuestion(
            "the two reports are not known to be of one patient",
            field="prior_report_id",
            mend="Name a prior report of the same patient. A report that came without a patient's id counts "
            "as a patient of its own: send its text as `prior`.",
        )
    return rows
