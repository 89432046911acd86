"""A recipe says everything that a run depends on besides its data; its fingerprint goes into lineage."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curbside.errors import BadInput


class BadRecipe(BadInput):
    code = "training.bad-recipe"


class Lora(BaseModel):
    """Low-rank adapters on every linear layer of the uppermost `upper_share` of the blocks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=16, ge=1, le=512)
    alpha: int = Field(default=32, ge=1, le=1024)
    # Adapting only the upper half trains 1.6 times as many tokens a second (452 against 281 on 2 cores):
    # gradients stop there.
    upper_share: float = Field(default=0.5, gt=0, le=1)

    def layers(self, count: int) -> list[int]:
        """Indices of the blocks to adapt in a model of `count` blocks; at least the last."""
        return list(range(count - max(1, round(count * self.upper_share)), count))


class Recipe(BaseModel):
    """One fine-tuning, whatever it runs on. Loadable from YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_model: str = "embedded"
    lora: Lora = Lora()
    # TRL's default of 2e-5 does not move an adapter in a few hundred steps.
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    epochs: int = Field(default=6, ge=1, le=1000)
    # Prompt and answer of one question, in tokens; a longer example is counted and left out, never cut.
    max_tokens: int = Field(default=1024, ge=32, le=131_072)
    reports_per_step: int = Field(default=4, ge=1, le=1024)
    gradient_accumulation: int = Field(default=1, ge=1, le=1024)
    seed: int = Field(default=20_261, ge=0)
    checkpoints_per_run: int = Field(default=4, ge=1, le=1000)
    # The learning rate reaches zero at this time where the epochs would take longer.
    time_limit: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    workers: int = Field(default=1, ge=1, le=4096)
    use_gpu: bool = False
    cpus_per_worker: int = Field(default=2, ge=1, le=512)
    # How often a worker that died is started again at its last checkpoint.
    max_failures: Annotated[int, Field(ge=0, le=100)] = 2

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON form, in hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file. Raises BadRecipe naming the first field that is wrong."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadRecipe(f"The recipe {path} cannot be read: {error}.", field="recipe") from error
    try:
        return Recipe.model_validate(content or {})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise BadRecipe(
            f"{field} in {path}: {first['msg']}.", field=field, mend="Correct the field."
        ) from None
