"""An opinion: the answer, what it rests on, what the model saw, and the notice that always goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from curbside.contracts.tasks import DEMONSTRATION_NOTICE, NOTICE, Task
from curbside.phi import SafeText
from curbside_inference.domain.evidence import Evidence
from curbside_inference.domain.question import BASE

EMBEDDED: Final = "embedded"


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """`version` is a promoted version or "base"; `engine_name` is what the engine calls it."""

    version: str
    engine_name: str
    base_model: str

    @property
    def embedded(self) -> bool:
        return self.base_model == EMBEDDED

    @property
    def demonstration_notice(self) -> str | None:
        return DEMONSTRATION_NOTICE if self.embedded else None


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

    @property
    def notice(self) -> str:
        return NOTICE


def model_in_use(
    *, asked: str | None, promoted: str | None, promoted_base: str | None, base_model: str, engine_base: str
) -> ModelInUse:
    """The model that answers: the one asked for, or the promoted one, or the base where none is promoted.

    An engine serves one base, so a version asked for by name has the promoted version's.
    """
    version = asked or promoted or BASE
    return ModelInUse(
        version=version,
        engine_name=engine_base if version == BASE else version,
        base_model=promoted_base or base_model,
    )


def joined_input(report: SafeText, prior: SafeText | None) -> SafeText:
    """The part of the prompt that is not the instruction: what evidence points into.

    It is an exact substring of what `curbside.contracts.tasks.prompt` puts to the model.
    """
    if prior is None:
        return report.derive("inference.input", str.strip)
    return report.derive(
        "inference.input", lambda text: f"{text.strip()}\n\nPrior report:\n{prior.text.strip()}"
    )
