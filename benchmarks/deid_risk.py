"""Fit the residual risk, and show how reliable it is: of documents with a risk of 30 %, do 30 % leak?

`--fit` reads generated notes of the development families through the detector, and loses some of what it
found by leaving out recognisers at random, so that leaks of every kind occur at many rates; it then fits a
logistic regression and writes `domain/data/risk.json`. Run it again after a change of the rules.

Without it the figures are measured on what was not fitted on: clinical queries with PHI (`asq_phi_dev`),
sentences of no clinic, and development notes of another seed. A document leaks where one PHI token is left,
by the rules of `../shared/bench/phi_score.py`. `risk_ece` is the expected calibration error, the mean
distance between what is predicted and what is seen, over ten bins of equal width (Naeini et al., AAAI 2015),
and `risk_brier` the mean squared error. What the threshold would stop is counted beside it, also on texts
without marked PHI.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from curbside.assets import ensure
from curbside.contracts.codec import KnownIdentifiers
from curbside.phi import Category, PhiText
from curbside.settings import RuntimeSettings, load
from curbside.spelling import composed
from curbside.testing.scoring import Gold, Predicted, score_phi
from curbside.testing.scoring.sets import (
    ASQ,
    MEDICAL,
    RESEARCH,
    ScoredSet,
    generated_notes,
    read_mtsamples,
    read_phi_set,
)
from curbside_deidentification.detector import MODEL_ASSET, Detector, repeatable
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.risk import MODEL_FILE, evidence
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import examine
from curbside_deidentification.recognisers.repeated_name import repetitions

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
_SEED: Final = 20_261_128
_FITTED_NOTES: Final = 400  # with known identifiers, and as many without
_COPIES: Final = 4  # of a note: whole or a part of it, with nothing left out or with some
_DROPPED: Final = (0.0, 0.0, 0.1, 0.3)  # share of recognisers that a copy goes without
_MISSED: Final = (0.0, 0.0, 0.0, 0.02, 0.1)  # share of mentions that a copy goes without
_REPEATED: Final = "RepeatedName"
_PENALTY: Final = 3.0  # of the squared weights, of standardised evidence
_BINS: Final = 10


@dataclass(frozen=True)
class Read:
    """A document, what the detector found in it, and what it should have found."""

    gold: Gold
    known: KnownIdentifiers
    found: Sequence[Span]


@dataclass(frozen=True)
class Weighed:
    """One document's evidence, the risk that the shipped model gives it, and whether it leaks."""

    evidence: Mapping[str, float]
    risk: float
    leaks: bool


class Replayed:
    """A finder that says again what the detector said, without some of its recognisers."""

    def __init__(self, found: Sequence[Span], dropped: frozenset[str] = frozenset()) -> None:
        self._found = found
        self._dropped = dropped

    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        kept = [span for span in self._found if span.recogniser not in self._dropped | {_REPEATED}]
        return [*kept, *repetitions(text, repeatable(kept, text), lexicon)]


def read(scored: ScoredSet, detector: Detector) -> list[Read]:
    """Every document of a set through the detector, once."""
    lexicon = load_policy().lexicon
    done = []
    for gold in track(scored.documents, transient=True):
        known = scored.known.get(gold.id, {})
        identifiers = KnownIdentifiers(
            **{name: tuple(PhiText(value) for value in values) for name, values in known.items()}
        )
        text = composed(gold.text)
        if text != gold.text:
            continue  # its gold offsets would be of another text
        done.append(Read(gold, identifiers, detector.find(text, document_lexicon(text, lexicon))))
    return done


def weigh(one: Read, dropped: frozenset[str] = frozenset()) -> Weighed:
    policy = load_policy()
    examined = examine(one.gold.text, one.known, Replayed(one.found, dropped), policy)
    answer = Predicted([(span.start, span.end) for span in examined.spans])
    score = score_phi([one.gold], {one.gold.id: answer})
    of = evidence(
        examined.replaced,
        examined.spans,
        examined.lexicon,
        policy.lexicon,
        known_words=examined.known_words,
    )
    return Weighed(of, examined.risk, bool(score.missed))


def imperfect(documents: Sequence[Read]) -> Iterator[Weighed]:
    """Each document several times, whole and in parts, by a fixed seed: with recognisers left out, or with the
    marked mentions found but for some."""
    random = Random(_SEED)  # noqa: S311
    names = sorted({span.recogniser for one in documents for span in one.found})
    for one in track(documents, transient=True):
        for copy in range(_COPIES):
            read_again = _part(one, random) if copy % 2 else one
            if copy < _COPIES // 2:
                share = random.choice(_DROPPED)
                dropped = frozenset(name for name in names if random.random() < share)
                yield weigh(read_again, dropped)
            else:
                yield weigh(_all_but(read_again, random.choice(_MISSED), random))


def _all_but(one: Read, share: float, random: Random) -> Read:
    """A document in which every marked mention was found, except for about `share` of them."""
    kept = [
        Span(start, end, Category.NAME, random.choice((0.6, 0.85, 0.95)), "Marked")
        for start, end, _ in one.gold.spans
        if random.random() >= share
    ]
    return replace(one, found=kept)


def _part(one: Read, random: Random) -> Read:
    """Some lines in a row: a query is as long, and PHI stands in it as densely, as in a part of a note."""
    text = one.gold.text
    starts = [0, *(place + 1 for place, character in enumerate(text) if character == "\n")]
    first = random.randrange(len(starts))
    last = min(len(starts), first + random.choice((1, 2, 3, 5, 8, 13)))
    begin, end = starts[first], starts[last] if last < len(starts) else len(text)
    inside = [
        (start - begin, stop - begin, label)
        for start, stop, label in one.gold.spans
        if begin <= start and stop <= end
    ]
    found = [
        replace(span, start=span.start - begin, end=span.end - begin)
        for span in one.found
        if begin <= span.start and span.end <= end
    ]
    return Read(Gold(one.gold.id, text[begin:end], inside), one.known, found)


def fitted(examples: Sequence[Weighed]) -> tuple[float, dict[str, float]]:
    """Intercept and weights of a logistic regression, by Newton's method with a penalty on large weights."""
    names = list(examples[0].evidence)
    raw = np.array([[one.evidence[name] for name in names] for one in examples])
    leaks = np.array([one.leaks for one in examples], dtype=float)
    mean, spread = raw.mean(axis=0), raw.std(axis=0)
    spread[spread == 0] = 1.0
    x = np.hstack([np.ones((len(raw), 1)), (raw - mean) / spread])
    penalty = np.diag([0.0, *([_PENALTY] * len(names))])
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        likely = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (leaks - likely) - penalty @ weights
        curve = (x * (likely * (1 - likely))[:, None]).T @ x + penalty
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if float(np.abs(step).max()) < 1e-9:
            break
    of_raw = weights[1:] / spread
    return float(weights[0] - of_raw @ mean), {
        name: round(float(w), 4) for name, w in zip(names, of_raw, strict=True)
    }


def fit(detector: Detector, notes: int) -> str:
    """Fit on development notes, write the model, and say on what."""
    documents = [
        one
        for known in (False, True)
        for one in read(generated_notes("development", notes, with_known=known, seed=_SEED), detector)
    ]
    examples = list(imperfect(documents))
    intercept, weights = fitted(examples)
    leaking = sum(one.leaks for one in examples)
    source = (
        f"benchmarks/deid_risk.py --fit: {len(examples)} texts from {2 * notes} generated notes (development "
        f"families, seed {_SEED}), {leaking} of which leak; recognisers were left out of half of them"
    )
    MODEL_FILE.write_text(
        json.dumps({"source": source, "intercept": round(intercept, 4), "weights": weights}, indent=2) + "\n"
    )
    return source


def calibration(weighed: Sequence[Weighed]) -> tuple[list[tuple[float, float, int]], float, float]:
    """Predicted, seen and count of each bin; expected calibration error; Brier score."""
    bins: list[list[Weighed]] = [[] for _ in range(_BINS)]
    for one in weighed:
        bins[min(int(one.risk * _BINS), _BINS - 1)].append(one)
    rows = [
        (sum(one.risk for one in each) / len(each), sum(one.leaks for one in each) / len(each), len(each))
        for each in bins
        if each
    ]
    error = sum(abs(predicted - seen) * count for predicted, seen, count in rows) / len(weighed)
    return rows, error, sum((one.risk - one.leaks) ** 2 for one in weighed) / len(weighed)


def area(weighed: Sequence[Weighed]) -> float:
    """Of a leaking and a clean document: how often the leaking one has the higher risk."""
    leaking = [one.risk for one in weighed if one.leaks]
    clean = [one.risk for one in weighed if not one.leaks]
    better = sum((one > other) + (one == other) / 2 for one in leaking for other in clean)
    return better / (len(leaking) * len(clean)) if leaking and clean else float("nan")


def sets(quick: bool) -> Iterator[tuple[str, bool, ScoredSet]]:
    """Name, whether PHI is marked in it, and the documents."""
    yield "asq", True, read_phi_set(SHARED, ASQ)
    yield "research", True, read_phi_set(SHARED, RESEARCH, 300 if quick else None)
    yield "notes", True, generated_notes("development", 60 if quick else 300, with_known=False)
    yield "mtsamples", False, read_mtsamples(SHARED, 150 if quick else None)
    yield "medical", False, read_phi_set(SHARED, MEDICAL, 150 if quick else None)


def show(name: str, marked: bool, weighed: Sequence[Weighed], table: Table, console: Console) -> None:
    threshold = load_policy().risk_threshold
    stopped = [one for one in weighed if one.risk >= threshold]
    leaking = [one for one in weighed if one.leaks] if marked else []
    table.add_row(
        name,
        f"{len(weighed):,}",
        f"{len(stopped)} ({len(stopped) / len(weighed):.2%})",
        f"{sum(one.leaks for one in stopped)} of {len(leaking)}" if marked else "",
        f"{area(weighed):.3f}" if marked else "",
    )
    if marked:
        rows, error, brier = calibration(weighed)
        bins = Table(f"{name}: predicted", "seen", "documents")
        for predicted, seen, count in rows:
            bins.add_row(f"{predicted:.3f}", f"{seen:.3f}", f"{count:,}")
        console.print(bins)
        console.print(f"{name}: expected calibration error {error:.4f}, Brier score {brier:.4f}\n")


def figures(weighed: Sequence[Weighed]) -> list[dict[str, Any]]:
    rows, error, brier = calibration(weighed)
    base = sum(one.leaks for one in weighed) / len(weighed)
    return [
        # No peer weighs a document; whoever knows only how many leak has this Brier score.
        {
            "name": "risk_ece",
            "value": round(error, 4),
            "unit": "probability",
            "peer": "0: what is predicted is what is seen",
            "bins": [[round(p, 4), round(s, 4), count] for p, s, count in rows],
        },
        {
            "name": "risk_brier",
            "value": round(brier, 4),
            "unit": "squared probability",
            "peer": f"{base * (1 - base):.4f}: the share of leaking documents for each",
        },
    ]


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fit", action="store_true", help="fit and write domain/data/risk.json first")
    parser.add_argument("--quick", action="store_true", help="a seeded sample of each set")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(None if arguments is None else [*arguments])
    console = Console(width=120)
    detector = Detector(ensure(MODEL_ASSET, load(RuntimeSettings).cache))
    if options.fit:
        console.print(fit(detector, 60 if options.quick else _FITTED_NOTES))
        load_policy.cache_clear()
    table = Table("set", "documents", "stopped at the threshold", "leaking ones among them", "area under ROC")
    found: list[dict[str, Any]] = []
    for name, marked, scored in sets(options.quick):
        weighed = [weigh(one) for one in read(scored, detector)]
        show(name, marked, weighed, table, console)
        if name == "asq":
            found = figures(weighed)
    console.print(table)
    if options.json is not None:
        options.json.write_text(json.dumps({"figures": found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
