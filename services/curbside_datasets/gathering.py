"""What a build is made of: reports on one legal basis, mined anew, under the codes that are released."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curbside.phi import SafeText
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database
from curbside.storage.keys import KeyRing
from curbside_datasets import store
from curbside_datasets.domain.basis import Subjects, one_basis, subjects_of
from curbside_datasets.domain.examples import MinedReport
from curbside_datasets.domain.mining import Mined, Reason, mine_report
from curbside_datasets.domain.recipe import Recipe

_PROGRESS_EVERY = 25


@dataclass(frozen=True)
class Gathered:
    """Every report with an input, mined by the policies of today, with codes in place of its id and its
    subject; and the others counted by reason."""

    reports: Sequence[MinedReport]
    idle: Mapping[str, int]
    read: frozenset[str]  # the codes of all that were read
    policies: frozenset[str]  # of de-identification
    basis: str
    subjects: Subjects


async def gather(build: store.Build, recipe: Recipe, *, database: Database, blobs: BlobStore) -> Gathered:
    """Raises MixedBases where reports rest on several legal bases, and the recipe names none."""
    async with database.begin() as transaction:
        stored = await store.all_reports(transaction.session, build.tenant, database.ring)
        readable = [report for report in stored if report.text is not None]
        basis = one_basis([report.legal_basis for report in readable], recipe.legal_basis)
        taken = [report for report in readable if report.legal_basis == basis]
        subjects = subjects_of([report.subjects for report in taken])
        named = [report.subject for report in taken]
        if subjects is Subjects.KEYED:
            codes = {subject: keyed_code(database.ring, build.tenant, subject) for subject in named}
        else:
            codes = await store.subject_codes(transaction.session, build.tenant, named)
        await store.set_build(
            transaction.session, build.build_id, state=store.BuildState.BUILDING, done=0, total=len(stored)
        )
    reports: list[MinedReport] = []
    idle: Counter[str] = Counter()
    for number, report in enumerate(stored, start=1):
        other = report.text is not None and report.legal_basis != basis
        mined = Mined("", {}, Reason.OTHER_LEGAL_BASIS) if other else await _mine(report, blobs)
        if not mined.body:
            idle[mined.reason or report.reason] += 1
        else:
            reports.append(
                MinedReport(
                    report_id=report.code,
                    subject=codes[report.subject],
                    type=report.type,
                    source=report.source,
                    authored_at=report.authored_at,
                    mined=mined,
                    place=report.place,
                )
            )
        if number % _PROGRESS_EVERY == 0 or number == len(stored):
            async with database.begin() as transaction:
                await store.set_build(transaction.session, build.build_id, done=number)
    read, policies = frozenset(one.code for one in taken), frozenset(one.policy for one in taken)
    return Gathered(reports, idle, read, policies, basis, subjects)


def keyed_code(ring: KeyRing, tenant: str, subject: str) -> str:
    """The same in every version, also where the table of random codes is lost; not the subject of events."""
    return f"k-{ring.subject(tenant, f'dataset:{subject}'.encode())[:24]}"


async def _mine(report: store.StoredReport, blobs: BlobStore) -> Mined:
    """What stands in the report; nothing, for the reason that its row gives, where it never trains."""
    if report.text is None:
        return Mined("", {}, None)
    text = SafeText((await blobs.get(report.text)).decode("utf-8"), rules=(report.policy,))
    return await asyncio.to_thread(mine_report, text)
