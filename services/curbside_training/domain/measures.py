"""How answers are measured: ROUGE-L, exactness, perplexity, each with an interval by patient.

Answers of one patient resemble each other, so intervals come from resampling patients and not questions;
resampling questions would make them too narrow.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from curbside.contracts.tasks import Task, change_in
from curbside_training.domain.examples import Example

RESAMPLES: Final = 1_000
SEED: Final = 20_261
# A comparison, or letters and digits with the sign that says a test's result: HER2+ is not HER2-. A hyphen
# between words is none.
_WORD: Final = re.compile(r"[<>≤≥]|[^\W_]+(?:[+-](?![^\W_]))?")


@dataclass(frozen=True, slots=True)
class Answered:
    """One example, what the model said, and how likely it thought the reference answer."""

    example: Example
    answer: str
    log_likelihood: float  # natural logarithm, summed over `tokens`
    tokens: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure over `count` questions with its 95 % bootstrap interval.

    None where there is no question, or no finite figure, which a gate takes for failed: a model whose
    training diverged has a likelihood of zero, or none.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int


# A measure is the ratio of two sums, so that a resample needs only the sums of each patient.
Score = Callable[[Answered], tuple[float, float]]


def normalized(answer: str) -> str:
    """Lower case, words and numbers only, single spaces: what 'the same answer' means."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", answer).casefold()))


def same_answer(one: Answered) -> tuple[float, float]:
    return float(normalized(one.answer) == normalized(one.example.output)), 1.0


def same_change(one: Answered) -> tuple[float, float]:
    said = change_in(one.answer)
    return float(said is not None and said is change_in(one.example.output)), 1.0


def surprise(one: Answered) -> tuple[float, float]:
    return -one.log_likelihood, float(one.tokens)


def rouge_l() -> Score:
    """ROUGE-L F-measure with stemming, as google-research's rouge_score computes it."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=True)

    def score(one: Answered) -> tuple[float, float]:
        return float(scorer.score(one.example.output, one.answer)["rougeL"].fmeasure), 1.0

    return score


def estimate(
    answers: Sequence[Answered], score: Score, *, after: Callable[[float], float] = lambda ratio: ratio
) -> Estimate:
    """`after(sum of numerators / sum of denominators)` with its percentile interval over patients."""
    import numpy as np

    if not answers:
        return Estimate(None, None, None, 0)
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in answers:
        above, below = score(one)
        sums[one.example.subject][0] += above
        sums[one.example.subject][1] += below
    by_patient = np.array(list(sums.values()))
    if not np.isfinite(by_patient).all():  # a model that diverged
        return Estimate(None, None, None, len(answers))
    drawn = np.random.default_rng(SEED).integers(len(by_patient), size=(RESAMPLES, len(by_patient)))
    totals = by_patient[drawn].sum(axis=1)
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [2.5, 97.5])
    whole = by_patient.sum(axis=0)
    try:
        value, lowest, highest = (after(float(ratio)) for ratio in (whole[0] / whole[1], low, high))
    except OverflowError:
        value = lowest = highest = math.inf
    if not all(map(math.isfinite, (value, lowest, highest))):
        return Estimate(None, None, None, len(answers))
    return Estimate(value, lowest, highest, len(answers))


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one model over one group of examples."""

    questions: int
    subjects: int
    rouge_l: Estimate
    rouge_l_by_task: dict[str, Estimate]
    diagnosis_accuracy: Estimate
    comparison_accuracy: Estimate
    perplexity: Estimate


def measure(answers: Sequence[Answered]) -> Measured:
    """All figures over `answers`."""
    rouge = rouge_l()
    by_task = {task: [one for one in answers if one.example.task is task] for task in Task}
    return Measured(
        questions=len(answers),
        subjects=len({one.example.subject for one in answers}),
        rouge_l=estimate(answers, rouge),
        rouge_l_by_task={task.value: estimate(some, rouge) for task, some in by_task.items() if some},
        diagnosis_accuracy=estimate(by_task[Task.DIAGNOSE], same_answer),
        comparison_accuracy=estimate(by_task[Task.COMPARE], same_change),
        perplexity=estimate(answers, surprise, after=math.exp),
    )


def constant_answers(train: Sequence[Example]) -> dict[Task, str]:
    """The most frequent training answer of each task: what a model that ignores its input would say."""
    counts: dict[Task, Counter[str]] = defaultdict(Counter)
    for example in train:
        counts[example.task][example.output] += 1
    # Ties go to the answer that comes first in the alphabet, so that the baseline is one and the same.
    return {task: min(seen, key=lambda text: (-seen[text], text)) for task, seen in counts.items()}
