"""A patient's timeline: one condition, several reports, and what changed from each to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from types import MappingProxyType
from typing import Final, Literal

from curbside.contracts.tasks import Change
from curbside.testing.reports.conditions import CONDITIONS, NORMAL, Condition, ReportType, Said
from curbside.testing.reports.identities import (
    Identity,
    KnownIdentifiers,
    known_of,
    make_doctor,
    make_facility,
    make_identity,
)
from curbside.testing.reports.layout import PHI_FAMILIES, Draft, Encounter, GoldSpan

Phrasing = Literal["seen", "held-out"]
DEMO_SEED: Final = 20_261_124
DEMO_SOURCE: Final = "curbside-demo"
HOLDOUT_SOURCE: Final = "curbside-demo-holdout"
# A rise or fall by a quarter is a change; less is not (RECIST 1.1 takes 20 % and 30 %).
_CHANGED: Final = 0.25

# Headings in the order they are written: history, findings, interval change, impression, diagnosis.
_HEADINGS: Final = MappingProxyType(
    {
        (ReportType.RADIOLOGY, "seen"): (
            "INDICATION",
            "FINDINGS",
            "INTERVAL CHANGE",
            "IMPRESSION",
            "FINAL DIAGNOSIS",
        ),
        (ReportType.RADIOLOGY, "held-out"): (
            "CLINICAL HISTORY",
            "FINDINGS",
            "CHANGE SINCE PRIOR",
            "CONCLUSION",
            "DIAGNOSIS",
        ),
        (ReportType.DISCHARGE, "seen"): (
            "HISTORY OF PRESENT ILLNESS",
            "HOSPITAL COURSE",
            "INTERVAL CHANGE",
            "SUMMARY",
            "DISCHARGE DIAGNOSIS",
        ),
        (ReportType.DISCHARGE, "held-out"): (
            "PRESENTING HISTORY",
            "HOSPITAL COURSE",
            "CHANGE SINCE PRIOR",
            "IMPRESSION",
            "PRINCIPAL DIAGNOSIS",
        ),
        (ReportType.PATHOLOGY, "seen"): (
            "CLINICAL HISTORY",
            "MICROSCOPIC DESCRIPTION",
            "INTERVAL CHANGE",
            "SUMMARY",
            "FINAL PATHOLOGIC DIAGNOSIS",
        ),
        (ReportType.PATHOLOGY, "held-out"): (
            "CLINICAL INFORMATION",
            "MICROSCOPIC EXAMINATION",
            "CHANGE SINCE PRIOR",
            "IMPRESSION",
            "PATHOLOGIC DIAGNOSIS",
        ),
        (ReportType.CLINIC, "seen"): ("HISTORY", "EXAMINATION", "INTERVAL CHANGE", "ASSESSMENT", "DIAGNOSIS"),
        (ReportType.CLINIC, "held-out"): (
            "SUBJECTIVE",
            "PHYSICAL EXAMINATION",
            "CHANGE SINCE PRIOR",
            "IMPRESSION",
            "PRIMARY DIAGNOSIS",
        ),
    }
)


@dataclass(frozen=True)
class GeneratedReport:
    """A report with its ground truth. `abnormal_findings` are sentences of its findings section."""

    external_id: str
    patient_id: str
    type: ReportType
    source: str
    authored_at: datetime
    text: str
    spans: tuple[GoldSpan, ...]
    known: KnownIdentifiers
    phrasing: Phrasing
    diagnosis: str
    impression: str
    abnormal_findings: tuple[str, ...]
    change: Change | None


@dataclass(frozen=True)
class _Stage:
    """Where the condition stands in one report."""

    value: float
    complicated: bool


def generate_patients(
    *,
    seed: int,
    patients: int,
    reports_per_patient: int = 4,
    phrasing: Phrasing = "seen",
    source: str = DEMO_SOURCE,
    phi_families: Sequence[str] | None = None,
    first_patient: int = 0,
) -> Iterator[GeneratedReport]:
    """Reports patient by patient, each patient's in time order."""
    families = tuple(phi_families or PHI_FAMILIES)
    for number in range(first_patient, first_patient + patients):
        # A generator of its own for each patient: adding patients never changes the ones before.
        random = Random(f"{seed}:{source}:{number}")
        condition = CONDITIONS[number % len(CONDITIONS)]
        identity = make_identity(random)
        site = random.choice(condition.sites)
        written = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=random.randrange(365))
        earlier: _Stage | None = None
        for visit in range(reports_per_patient):
            stage = _next_stage(condition, earlier, random)
            yield _write(
                condition,
                identity,
                site,
                stage,
                earlier,
                random,
                phrasing=phrasing,
                source=source,
                family=random.choice(families),
                patient_id=f"{source}-p{number:05d}",
                visit=visit,
                at=written.astimezone(timezone(timedelta(hours=-6))),
            )
            earlier = stage
            written += timedelta(days=random.randint(5, 90), minutes=random.randrange(600))


def demo_reports(*, seed: int = DEMO_SEED, reports: int = 400, patients: int = 100) -> list[GeneratedReport]:
    """The demo's reports: 88 % of the patients in seen phrasings, 12 % in held-out ones, apart by source."""
    held_out = round(patients * 0.12)
    each = reports // patients
    return [
        *generate_patients(seed=seed, patients=patients - held_out, reports_per_patient=each),
        *generate_patients(
            seed=seed, patients=held_out, reports_per_patient=each, phrasing="held-out", source=HOLDOUT_SOURCE
        ),
    ]


def _next_stage(condition: Condition, earlier: _Stage | None, random: Random) -> _Stage:
    measure = condition.measure
    if earlier is None:
        return _Stage(
            round(random.uniform(measure.low, measure.high), measure.decimals), random.random() < 0.4
        )
    factor = random.choice((random.uniform(1.35, 1.9), random.uniform(0.4, 0.7), 1.0))
    value = round(min(max(earlier.value * factor, measure.low * 0.6), measure.high * 1.6), measure.decimals)
    # Complications change rarely: most intervals are about the measure.
    return _Stage(value, earlier.complicated ^ (random.random() < 0.15))


def change_between(earlier: _Stage, now: _Stage) -> Change:
    """How `now` compares: a complication that came or went outweighs the measure."""
    if now.complicated and not earlier.complicated:
        return Change.NEW
    if earlier.complicated and not now.complicated:
        return Change.RESOLVED
    if now.value >= earlier.value * (1 + _CHANGED):
        return Change.WORSE
    if now.value <= earlier.value * (1 - _CHANGED):
        return Change.IMPROVED
    return Change.UNCHANGED


def _write(
    condition: Condition,
    identity: Identity,
    site: str,
    stage: _Stage,
    earlier: _Stage | None,
    random: Random,
    *,
    phrasing: Phrasing,
    source: str,
    family: str,
    patient_id: str,
    visit: int,
    at: datetime,
) -> GeneratedReport:
    def say(said: Said) -> str:
        wordings = said.seen if phrasing == "seen" else said.held_out
        return random.choice(wordings).format(site=site, value=value, days=days)

    value, days = _with_unit(condition, stage.value), random.randint(2, 14)
    doctor, facility = make_doctor(random), make_facility(random)
    born, on = identity.birth, at.date()
    age = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    encounter = Encounter(identity, doctor, facility, on, f"X{random.randint(1_000_000, 9_999_999)}", age)

    abnormal = [_capital(say(condition.key)), _capital(say(condition.second))]
    normal = NORMAL[condition.type]
    pool = list(normal.seen if phrasing == "seen" else normal.held_out)
    healthy = random.sample(pool, k=min(len(pool), random.randint(2, 3)))
    if stage.complicated:
        abnormal.append(_capital(say(condition.complication_present)))
    else:
        healthy.append(_capital(say(condition.complication_absent)))
    impression = _capital(condition.impression.format(site=site, value=value))
    change = change_between(earlier, stage) if earlier is not None else None

    history, findings, interval, summary, diagnosis = _HEADINGS[condition.type, phrasing]
    style = PHI_FAMILIES[family]
    draft = Draft()
    for line in style.head:
        draft.line(line, encounter)
    draft.text += f"\n{history}:\n"
    draft.line(f"{style.history} {_capital(say(condition.complaint))}", encounter)
    random.shuffle(healthy)
    draft.text += f"\n{findings}:\n{' '.join((*abnormal, *healthy))}\n"
    if change is not None and earlier is not None:
        draft.text += f"\n{interval}:\n{_interval(condition, change, earlier, stage)}\n"
    draft.text += f"\n{summary}:\n{impression}\n\n{diagnosis}:\n{condition.diagnosis}\n\n"
    for line in style.foot:
        draft.line(line, encounter)
    return GeneratedReport(
        external_id=f"{patient_id}-r{visit}",
        patient_id=patient_id,
        type=condition.type,
        source=source,
        authored_at=at,
        text=draft.text,
        spans=tuple(draft.spans),
        known=known_of(identity, doctor),
        phrasing=phrasing,
        diagnosis=condition.diagnosis,
        impression=impression,
        abnormal_findings=tuple(abnormal),
        change=change,
    )


def _interval(condition: Condition, change: Change, earlier: _Stage, now: _Stage) -> str:
    noun, before, after = (
        condition.measure.noun,
        _with_unit(condition, earlier.value),
        _with_unit(condition, now.value),
    )
    return {
        Change.NEW: f"New: {condition.complication} has appeared.",
        Change.RESOLVED: f"Resolved: {condition.complication} is gone.",
        Change.WORSE: f"Worse: {noun} from {before} to {after}.",
        Change.IMPROVED: f"Improved: {noun} from {before} to {after}.",
        Change.UNCHANGED: f"Unchanged: {noun} at {after}.",
    }[change]


def _with_unit(condition: Condition, value: float) -> str:
    return f"{value:.{condition.measure.decimals}f} {condition.measure.unit}"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
