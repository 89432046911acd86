"""Gates: thresholds that a model version must pass before it is promoted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

_POLICY = Path(__file__).with_name("gates.yaml")


@dataclass(frozen=True, slots=True)
class GateResult:
    gate: str
    value: float | None  # None where the evaluation has no such figure, which fails
    bound: Literal["at_least", "at_most"]
    threshold: float
    passed: bool

    def __str__(self) -> str:
        value = "no figure" if self.value is None else f"{self.value:.3f}"
        return f"{self.gate} is {value}, must be {self.bound.replace('_', ' ')} {self.threshold:g}"


def judge(evaluation: Mapping[str, Any]) -> list[GateResult]:
    """Every gate's result for an evaluation in its JSON form."""
    measures = evaluation["groups"]["held_out"]
    base, tuned = measures["base"], measures["tuned"]
    figures = {
        "questions": float(tuned["questions"]),
        "rouge_l_gain": _difference(tuned["rouge_l"]["value"], base["rouge_l"]["value"]),
        "perplexity_ratio": _ratio(tuned["perplexity"]["value"], base["perplexity"]["value"]),
    }
    return [_judge(name, figures.get(name), bounds) for name, bounds in _policy()["gates"].items()]


def policy_hash() -> str:
    return hashlib.sha256(_POLICY.read_bytes()).hexdigest()


def _judge(name: str, value: float | None, bounds: Mapping[str, float]) -> GateResult:
    bound: Literal["at_least", "at_most"] = "at_least" if "at_least" in bounds else "at_most"
    threshold = bounds[bound]
    passed = value is not None and (value >= threshold if bound == "at_least" else value <= threshold)
    return GateResult(name, value, bound, threshold, passed)


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below else above / below


@cache
def _policy() -> dict[str, Any]:
    policy: dict[str, Any] = yaml.safe_load(_POLICY.read_text("utf-8"))
    return policy
