"""What training and evaluation need of an example."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from curbside.contracts.tasks import Message, Task, prompt


class Group(StrEnum):
    """Which held-out set an example belongs to; their results are told apart."""

    TEST = "test"
    HOLDOUT = "holdout"  # phrasings that no training report has


@dataclass(frozen=True, slots=True)
class Example:
    """One question and its answer. All text is de-identified."""

    example_id: str
    report_id: str
    subject: str
    task: Task
    input: str
    output: str
    prior: str | None = None
    group: Group = Group.TEST

    def messages(self) -> list[Message]:
        return prompt(self.task, self.input, self.prior)
