"""What patients say of the use of their reports: as it is submitted, and what holds of all that was said.

Bodies of HTTP and FHIR's Consents become a `Consent` here, so that they obey one set of rules. Doubt bars: of
what is in force the latest counts, of two as late the denial; and where a day has no hour, a denial is taken
to be as late in it as it can be, a permission as early.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Final, TypeVar

from curbside.errors import BadInput, Conflict, NotFound
from curbside.phi import PhiText
from curbside_ingestion.domain.encoding import decode
from curbside_ingestion.domain.report import DEFAULT_SOURCE, read_identifier, read_source

FIELDS: Final = (
    "patient_id",
    "decision",
    "scope",
    "effective_at",
    "ends_at",
    "source",
    "reference",
    "status",
)
_YEARS: Final = range(1900, 2101)
_DAY: Final = timedelta(days=1)
# Where a day begins first, and where last.
_FIRST, _LAST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
_EXAMPLE: Final = 'Send {"patient_id": …, "decision": "deny", "effective_at": "2026-03-01T14:05:00+01:00"}.'


_Word = TypeVar("_Word", bound=StrEnum)


class Decision(StrEnum):
    DENY = "deny"
    PERMIT = "permit"
    VOID = "void"  # entered in error: as if it had never been said


class ConsentScope(StrEnum):
    """What is denied or permitted."""

    TRAINING = "training"


class Status(StrEnum):
    ACTIVE = "active"
    ENTERED_IN_ERROR = "entered-in-error"


class BadConsent(BadInput):
    code = "consent.bad-field"


class UndatedConsent(BadInput):
    """Nobody can tell whether it came before or after another."""

    code = "consent.undated"


class UnclearConsent(BadInput):
    """It speaks of training, and what it says of it cannot be told, or not be kept apart from the rest."""

    code = "consent.unclear"


class VoidConsent(Conflict):
    """It was said to have been entered in error."""

    code = "consent.void"


class UnknownConsent(NotFound):
    code = "consent.unknown"


@dataclass(frozen=True)
class Consent:
    """One consent as submitted. Times are RFC 3339 with an offset, or days; empty where none is given.

    `decision` is VOID where it says that what came under its reference was entered in error.
    """

    patient_id: PhiText
    decision: Decision
    scope: ConsentScope
    effective_at: str
    ends_at: str
    source: str
    reference: PhiText | None

    def placed(self, now: datetime) -> tuple[datetime, datetime | None]:
        """When it begins and ends. `now` is where a denial without a time begins, at the latest."""
        denies = self.decision is not Decision.PERMIT
        begin = _begin(self.effective_at, denies, now).astimezone(UTC)
        return begin, _end(self.ends_at, denies).astimezone(UTC) if self.ends_at else None

    @property
    def is_exact(self) -> bool:
        """Whether its time tells it from another that says the same."""
        return "T" in self.effective_at


@dataclass(frozen=True, slots=True)
class Recorded:
    """One consent as it stands in the record. `sequence` counts a patient's changes.

    `identity` is a keyed hash of where it came from under which reference, None without one; `fingerprint`
    one of its content.
    """

    consent_id: str
    sequence: int
    decision: Decision
    effective_at: datetime
    ends_at: datetime | None
    identity: str | None
    fingerprint: str

    def holds(self, at: datetime) -> bool:
        return (
            self.decision is not Decision.VOID
            and self.effective_at <= at
            and (self.ends_at is None or self.ends_at > at)
        )


def is_barred(recorded: Sequence[Recorded], at: datetime) -> bool:
    """Whether a patient's reports are kept from training at that moment."""
    held = [one for one in recorded if one.holds(at)]
    last = max((one.effective_at for one in held), default=None)
    return any(one.decision is Decision.DENY for one in held if one.effective_at == last)


def repeated(earlier: Sequence[Recorded], new: Recorded, *, exact: bool, now: datetime) -> Recorded | None:
    """The consent that `new` says once more, None where it is new.

    A denial that has no time of its own, said again after a permission that came in between, is a new one:
    the patient may have changed their mind twice.
    """
    same = [one for one in earlier if one.fingerprint == new.fingerprint]
    if not same:
        return None
    last = max(same, key=lambda one: one.sequence)
    overruled = any(
        one.decision is Decision.PERMIT and one.holds(now) and one.effective_at > last.effective_at
        for one in earlier
    )
    again = new.decision is Decision.DENY and not exact and overruled and new.effective_at > last.effective_at
    return None if again else last


def voided(earlier: Sequence[Recorded], new: Recorded) -> list[Recorded]:
    """Those that `new` says were entered in error. Raises VoidConsent where `new` itself was."""
    of_it = [one for one in earlier if one.identity is not None and one.identity == new.identity]
    if new.decision is Decision.VOID:
        return [one for one in of_it if one.decision is not Decision.VOID]
    if any(one.decision is Decision.VOID for one in of_it):
        raise VoidConsent(
            "the consent of this reference was said to have been entered in error",
            field="reference",
            mend="Send it under a reference of its own.",
        )
    return []


def parse_consent(data: bytes, *, now: datetime, charset: str | None = None) -> Consent:
    """The consent in a body of JSON. Raises a BadInput that names the field."""
    text = decode(data, charset=charset)
    try:
        row = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise BadConsent("the body is not JSON", field="body", mend=_EXAMPLE) from None
    if not isinstance(row, dict):
        raise BadConsent("the body is no JSON object", field="body", mend=_EXAMPLE)
    return read_consent(row, now=now)


def read_consent(row: Mapping[str, object], *, now: datetime, source: str = DEFAULT_SOURCE) -> Consent:
    """The consent in `row`, by `source` where it names none. Raises a BadInput that names the field."""
    if not set(FIELDS).issuperset(row):
        raise BadConsent(
            "the consent has a member that no rule knows",
            field="body",
            mend=f"Send only {', '.join(FIELDS)}.",
        )
    patient_id = read_identifier(row.get("patient_id"), "patient_id")
    if patient_id is None:
        raise BadConsent(
            "patient_id is missing or empty",
            field="patient_id",
            mend="Send the id that stands in the patient's reports. A report without one is barred by its "
            "`exclusions` alone.",
        )
    error = _word(Status, row.get("status", Status.ACTIVE), "status") is Status.ENTERED_IN_ERROR
    reference = read_identifier(row.get("reference"), "reference")
    if error and reference is None:
        raise BadConsent(
            "a consent that was entered in error needs its reference",
            field="reference",
            mend="Send the reference that it was sent with; without one, send a later consent.",
        )
    decision = Decision.VOID if error else _word(Decision, row.get("decision"), "decision")
    if decision is Decision.VOID and not error:
        raise _unknown_word(Decision, "decision")
    consent = Consent(
        patient_id=patient_id,
        decision=decision,
        scope=_word(ConsentScope, row.get("scope", ConsentScope.TRAINING), "scope"),
        effective_at=_when(row.get("effective_at"), "effective_at"),
        ends_at=_when(row.get("ends_at"), "ends_at"),
        source=source if row.get("source") in (None, "") else read_source(row["source"]),
        reference=reference,
    )
    _check_times(consent, now)
    return consent


def _check_times(consent: Consent, now: datetime) -> None:
    if consent.decision is Decision.PERMIT and not consent.effective_at:
        raise UndatedConsent(
            "a permission needs the time at which it was given: it is held against denials",
            field="effective_at",
            mend="Send RFC 3339, e.g. '2026-03-01T14:05:00+01:00', or a day.",
        )
    if not consent.is_exact and consent.effective_at and _earliest(consent.effective_at) > now:
        raise UndatedConsent(
            "a consent that begins later needs a time with its offset: a day begins elsewhere first",
            field="effective_at",
            mend="Send RFC 3339, e.g. '2027-01-01T00:00:00+01:00'.",
        )
    if not (consent.effective_at and consent.ends_at):
        return
    if _end(consent.ends_at, denies=True) <= _begin(consent.effective_at, denies=False, now=now):
        raise BadConsent("the consent ends before it begins", field="ends_at", mend="Send a later end.")


def _begin(value: str, denies: bool, now: datetime) -> datetime:
    if not value:
        return now
    if "T" in value:
        return datetime.fromisoformat(value)
    return min(max(now, _earliest(value)), _latest(value)) if denies else _earliest(value)


def _end(value: str, denies: bool) -> datetime:
    """A day that ends something belongs to it: R4 §2.24.0.21, Period.end."""
    if "T" in value:
        return datetime.fromisoformat(value)
    return _latest(value) if denies else _earliest(value) + _DAY


def _earliest(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), _FIRST)


def _latest(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), _LAST) + _DAY


def _when(value: object, name: str) -> str:
    """RFC 3339 with its offset, or a day; empty where there is none."""
    if value in (None, ""):
        return ""
    bad = BadConsent(
        f"{name} must be a time with its offset, or a day",
        field=name,
        mend="Send RFC 3339, e.g. '2026-03-01T14:05:00+01:00' or '2026-03-01'.",
    )
    if not isinstance(value, str):
        raise bad
    try:
        day = date.fromisoformat(value.strip())
    except ValueError:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise bad from None
        if moment.tzinfo is None or moment.year not in _YEARS:
            raise bad from None
        return moment.isoformat()
    if day.year not in _YEARS:
        raise bad
    return day.isoformat()


def _word(words: type[_Word], value: object, name: str) -> _Word:
    try:
        return words(value.strip().casefold() if isinstance(value, str) else "")
    except ValueError:
        raise _unknown_word(words, name) from None


def _unknown_word(words: type[_Word], name: str) -> BadConsent:
    known = [word for word in words if word is not Decision.VOID]
    return BadConsent(
        f"{name} is missing, or not one that a consent can have",
        field=name,
        mend=f"Send one of {', '.join(known)}.",
    )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadConsent("a member stands in the body twice", field="body", mend="Send it once.")
    return found
