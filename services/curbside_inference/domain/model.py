"""Which model answers: what was promoted, as far as the engine is known to serve it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from curbside.contracts.tasks import DEMONSTRATION_NOTICE
from curbside_inference.domain.problems import UnknownModel
from curbside_inference.domain.question import BASE, EMBEDDED, RESERVED

PRODUCTION: Final = "production"


@dataclass(frozen=True, slots=True)
class EngineModels:
    """What an engine serves: its base, which it calls `base_name`, and adapters.

    `adapters` None is an engine that finds what is placed in its directory. One that loads adapters only when
    it starts has a list: text-generation-inference answers with its base where it is asked for any other, so
    an opinion would name a model that did not give it.
    """

    base_model: str
    base_name: str
    adapters: frozenset[str] | None = None

    @property
    def base_names(self) -> frozenset[str]:
        """Names that mean the base here or elsewhere, and so no version."""
        return RESERVED | {self.base_name, self.base_model}

    def serves(self, version: str) -> bool:
        return self.adapters is None or version in self.adapters

    def version(self, asked: str) -> str:
        """The version that a question names. Raises UnknownModel."""
        if asked in {BASE, self.base_name, self.base_model}:
            return BASE
        if asked in RESERVED or not self.serves(asked):
            raise UnknownModel(
                "the engine serves no model version of that name",
                field="model",
                mend="Leave `model` out, or have your operator start the engine with it and name it in "
                "CURBSIDE_INFERENCE__ENGINE_ADAPTERS.",
            )
        return asked


@dataclass(frozen=True, slots=True)
class Promoted:
    version: str
    base_model: str


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """`version` is a promoted version or "base"; `engine_name` is what the engine calls it.

    `waiting` is a version that was promoted since and that the engine does not serve yet.
    """

    version: str
    engine_name: str
    base_model: str
    waiting: str | None = None

    @property
    def embedded(self) -> bool:
        return self.base_model == EMBEDDED

    @property
    def demonstration_notice(self) -> str | None:
        return DEMONSTRATION_NOTICE if self.embedded else None

    @property
    def mend(self) -> str | None:
        """What lets the waiting version answer."""
        if self.waiting is None:
            return None
        return (
            f"{self.waiting!r} was promoted, and the engine does not serve it yet: start the engine with its "
            "adapter and name it in CURBSIDE_INFERENCE__ENGINE_ADAPTERS (chart: add it to tgi.adapters, and "
            "upgrade)."
        )


def model_in_use(engine: EngineModels, promoted: Sequence[Promoted], asked: str | None = None) -> ModelInUse:
    """The model that answers: the one asked for, or the newest of `promoted` that is served, or the base.

    `promoted` has the newest first. An engine serves one base, so a version asked for by name has the
    answering version's. Raises UnknownModel.
    """
    answering = next((each for each in promoted if engine.serves(each.version)), None)
    newest = promoted[0] if promoted else None
    version = answering.version if answering is not None else BASE
    if asked is not None:
        version = engine.version(asked)
    return ModelInUse(
        version=version,
        engine_name=engine.base_name if version == BASE else version,
        base_model=answering.base_model if answering is not None else engine.base_model,
        waiting=newest.version if newest is not None and newest != answering else None,
    )
