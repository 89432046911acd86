"""Report times move by one offset per subject, so that order and intervals hold and no date does.

Where a policy moves no dates, their year alone is left.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


def offset_of(subject_hash: str) -> timedelta:
    """-365 to -1 days from a keyed hash (hex) of the subject: the same for every report of a patient."""
    return timedelta(days=-(int(subject_hash, 16) % 365) - 1)


def shifted(authored_at: str, offset: timedelta) -> str:
    """`authored_at` (RFC 3339, or a date) moved by `offset`, its zone kept; empty where it is not a time.

    What cannot be read cannot be moved, and is dropped: it would be the date itself.
    """
    text = authored_at.strip()
    try:
        if len(text) == len("2023-04-12"):
            return (date.fromisoformat(text) + offset).isoformat()
        return (datetime.fromisoformat(text) + offset).isoformat()
    except (ValueError, OverflowError):
        return ""


def instant_of(authored_at: str) -> datetime | None:
    """When that was, in UTC: a day begins at midnight. None where it is not a time."""
    try:
        written = datetime.fromisoformat(authored_at)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def year_of(authored_at: str) -> str:
    """The four digits of the year that `authored_at` begins with, once it is known to be a time."""
    return authored_at.strip()[:4] if shifted(authored_at, timedelta(0)) else ""
