"""What a de-identifier must leave standing: diseases and drugs, section headings, laboratory values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from curbside.testing.scoring.spans import Gold, Predicted, Tokens, percent


@dataclass(frozen=True)
class Survival:
    """How many of the mentions that must survive were hit; mentions of quarantined documents are left out."""

    mentions: int
    hit: int
    quarantined: int

    @property
    def destroyed(self) -> float:
        """Per cent."""
        return percent(self.hit, self.mentions)


def mentions_removed(documents: Iterable[Gold], predicted: Mapping[str, Predicted]) -> Survival:
    """How many gold mentions lost a token, as `phi_score.py --medical` counts them."""
    mentions = hit = quarantined = 0
    for document in documents:
        answer = predicted[document.id]
        if answer.quarantined:
            quarantined += 1
            continue
        tokens = Tokens(document.text)
        covered = tokens.covered(answer.spans)
        mentions += len(document.spans)
        hit += sum(not covered.isdisjoint(tokens.overlapped(start, end)) for start, end, _ in document.spans)
    return Survival(mentions, hit, quarantined)


def headings_destroyed(documents: Iterable[Gold], predicted: Mapping[str, Predicted]) -> Survival:
    """How many headings, given as gold spans, lost a token."""
    return mentions_removed(documents, predicted)


def labs_destroyed(documents: Iterable[Gold], predicted: Mapping[str, Predicted]) -> Survival:
    """How many laboratory values, found in the texts by `lab_values`, lost a digit."""
    return mentions_removed(
        [
            Gold(one.id, one.text, [(start, end, "LAB") for start, end in lab_values(one.text)])
            for one in documents
        ],
        predicted,
    )


def lab_values(text: str) -> Sequence[tuple[int, int]]:
    """Where numbers stand that an analyte's name precedes or a laboratory unit follows. Dates are none."""
    return sorted({match.span("value") for pattern in _patterns() for match in pattern.finditer(text)})


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    lists = yaml.safe_load(Path(__file__).with_name("labs.yaml").read_text("utf-8"))
    analytes, units = (
        "|".join(re.escape(name) for name in sorted(lists[kind], key=len, reverse=True))
        for kind in ("analytes", "units")
    )
    number = r"(?P<value>\d{1,3}(?:,\d{3})+|\d{1,4}(?:\.\d{1,3})?)(?![\d/.,-]*\d)"
    between = r"(?:\s*[:=]\s*|\s+(?:of|is|was|were|level|at|to)\s+|\s+)(?:approximately\s+|about\s+|[<>]\s*)?"
    return (
        re.compile(rf"(?<![\w-])(?i:{analytes}){between}{number}"),
        re.compile(rf"(?<![\w/.,-]){number}\s*(?:{units})(?!\w)"),
    )
