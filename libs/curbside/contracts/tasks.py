"""The four questions that Curbside asks of a report, and how a question is put to a model.

Datasets writes examples with these prompts, training tunes on them and inference asks them, so one
rendering stands here for all three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypedDict


class Task(StrEnum):
    SUMMARIZE = "summarize"
    DIAGNOSE = "diagnose"
    ANOMALIES = "anomalies"
    COMPARE = "compare"


class Change(StrEnum):
    """How a report compares with the prior one; the first word of a comparison's answer."""

    NEW = "New"
    WORSE = "Worse"
    IMPROVED = "Improved"
    UNCHANGED = "Unchanged"
    RESOLVED = "Resolved"


class Message(TypedDict):
    role: str
    content: str


NOTICE: Final = "This opinion assists clinical judgement; it does not replace it. A clinician decides."
DEMONSTRATION_NOTICE: Final = (
    "The embedded 135M-parameter model only demonstrates the loop: it is fluent and often wrong, "
    "and is never fit for patient care."
)

INSTRUCTIONS: Final[Mapping[Task, str]] = MappingProxyType(
    {
        Task.SUMMARIZE: "Summarize the report in one impression.",
        Task.DIAGNOSE: "What is the primary diagnosis?",
        Task.ANOMALIES: "List the abnormal findings.",
        Task.COMPARE: (
            "Compare with the prior report. Begin with New, Worse, Improved, Unchanged or Resolved."
        ),
    }
)

# Tokens, upper bound for an answer: the 99th percentile of mined answers is below each.
MAX_ANSWER_TOKENS: Final[Mapping[Task, int]] = MappingProxyType(
    {Task.SUMMARIZE: 96, Task.DIAGNOSE: 32, Task.ANOMALIES: 96, Task.COMPARE: 64}
)


def prompt(task: Task, report: str, prior: str | None = None) -> list[Message]:
    """One user turn. The report comes first, so that its encoding is shared by all four questions.

    Raises ValueError where `compare` has no prior, or another task has one.
    """
    if (task is Task.COMPARE) != (prior is not None):
        raise ValueError("a prior report belongs to the task 'compare', and only to it")
    parts = [f"Report:\n{report.strip()}"]
    if prior is not None:
        parts.append(f"Prior report:\n{prior.strip()}")
    parts.append(INSTRUCTIONS[task])
    return [Message(role="user", content="\n\n".join(parts))]


def change_in(answer: str) -> Change | None:
    """The change that a comparison's answer begins with, or None where it begins with none."""
    words: Sequence[str] = answer.strip().split(maxsplit=1)
    first = words[0].strip(".:,;").casefold() if words else ""
    return next((change for change in Change if change.value.casefold() == first), None)
