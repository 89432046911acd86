"""An opinion: the answer, what it rests on, what the model saw, and the notice that always goes with it."""

from __future__ import annotations

from dataclasses import dataclass

from curbside.contracts.tasks import NOTICE, Task
from curbside.phi import PhiText, SafeText
from curbside_inference.domain.evidence import Evidence
from curbside_inference.domain.model import ModelInUse


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine wrote. It is not `whole` where the limit of tokens cut it."""

    text: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Opinion:
    opinion_id: str
    task: Task
    answer: Answer
    evidence: tuple[Evidence, ...]
    model: ModelInUse
    input: SafeText
    shielded_spans: int
    # The answer about the asker's own text with its surrogates turned back: for the asker, and kept nowhere.
    restored: PhiText | None = None

    @property
    def notice(self) -> str:
        return NOTICE


# What a streamed opinion comes in: the model that answers, pieces of its answer (all of it at once where
# surrogates are turned back), the whole opinion.
Piece = ModelInUse | str | PhiText | Opinion


def joined_input(report: SafeText, prior: SafeText | None) -> SafeText:
    """The part of the prompt that is not the instruction: what evidence points into.

    It is an exact substring of what `curbside.contracts.tasks.prompt` puts to the model.
    """
    if prior is None:
        return report.derive("inference.input", str.strip)
    return report.derive(
        "inference.input", lambda text: f"{text.strip()}\n\nPrior report:\n{prior.text.strip()}"
    )
