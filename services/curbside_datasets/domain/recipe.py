"""A recipe says how examples become a version; its hash is part of the version's name."""

from __future__ import annotations

import hashlib
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curbside.contracts.tasks import Task
from curbside.errors import BadInput
from curbside_datasets.domain.basis import LegalBasis
from curbside_datasets.domain.policies import policy


class BadRecipe(BadInput):
    code = "dataset.bad-recipe"


class Recipe(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    tasks: tuple[Task, ...] = Field(min_length=1)
    train: float = Field(gt=0, lt=1)
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    split_seed: int = Field(ge=0)
    holdout_sources: tuple[str, ...]
    near_duplicate: float = Field(gt=0, le=1)
    min_input_words: int = Field(ge=1)
    max_input_words: int = Field(ge=1)
    max_output_words: int = Field(ge=1)
    # Has a default, for a build that an earlier release queued.
    legal_basis: LegalBasis | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("train, validation and test must add up to 1")
        return self

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON form, in hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def recipe_from(overrides: dict[str, Any]) -> Recipe:
    """The default recipe with `overrides`; raises BadRecipe naming the first wrong field."""
    try:
        return Recipe.model_validate({**policy("recipe"), **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(("recipe", *(str(part) for part in first["loc"])))
        raise BadRecipe(
            f"{field}: {first['msg']}", field=field, mend="Correct the field, or leave it out."
        ) from None
