"""Fit the residual risk, and show how reliable it is: of documents with a risk of 30 %, do 30 % leak?

`--fit` reads generated notes of the development families through the detector, and copies of them of whose
mentions a share was left, first those that the detector really leaves; notes as a bad scanner reads them;
and abstracts without PHI, whose words no vocabulary knows either. It then fits how much each piece of
evidence adds to the rate of leaks, and writes `domain/data/risk.json`. Run it again after a change of the
rules.

Without it the figures are measured on what was not fitted on: clinical queries with PHI (`asq_phi_dev`),
sentences of no clinic, and development notes of another seed, as the detector leaves them and with few
mentions left. A document leaks where one PHI token is left, by the rules of `../shared/bench/phi_score.py`.
`risk_ece` is the expected calibration error, the mean distance between what is predicted and what is seen,
over ten bins of equal width (Naeini et al., AAAI 2015), and `risk_brier` the mean squared error. What the
threshold would stop is counted beside it, also on texts without marked PHI.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from curbside.assets import ensure
from curbside.contracts.codec import KnownIdentifiers
from curbside.phi import Category, PhiText
from curbside.settings import RuntimeSettings, load
from curbside.testing.figures import Figure, add_json_option, report
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
from curbside_deidentification.detector import MODEL_ASSET, Detector
from curbside_deidentification.domain.composed import typed
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.risk import MODEL_FILE, evidence, load_risk_model
from curbside_deidentification.domain.spans import SUSPECTED, Span
from curbside_deidentification.pipeline import examine

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
_SEED: Final = 20_261_128
_FITTED_NOTES: Final = 400  # with known identifiers, and as many without
_COPIES: Final = 4  # of a note: whole or a part of it, with nothing left out or with some
# Share of the mentions of a copy that are left; None: those that the detector leaves, however many these are.
_LEFT: Final = (0.0, 0.005, 0.02, 0.06, None)
_HARD: Final = 20.0  # how much rather a mention is left that the detector leaves
_SURE: Final = 0.9
_MISREAD: Final = (0.01, 0.03, 0.1)  # share of the characters that can be misread
_LOOKALIKES: Final[Mapping[str, str]] = MappingProxyType(
    {"o": "0c", "O": "0Q", "0": "O", "l": "1I", "I": "1l", "1": "lI", "S": "5", "5": "S", "B": "8", "8": "B"}
    | {"e": "c", "c": "e", "a": "o", "n": "u", "u": "n", "i": "j", "t": "f", "g": "q", "Z": "2", "D": "O"}
)
_SEEN_WITHOUT: Final = 10.0  # texts in which each piece of evidence would stand without a leak
# Nothing stops a report by standing there once (1 - exp(-0.6) is 0.45): what is always an identifier in notes
# that were made up is a fraction or a platelet count elsewhere. What stops a report by itself is policy.
_MOST: Final = 0.6
_ROUNDS: Final = 2000
_BINS: Final = 10
_MOST_ERROR: Final = 0.05  # of calibration; our own choice


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
    """A finder that says again what the detector said."""

    def __init__(self, found: Sequence[Span]) -> None:
        self._found = found

    def find(self, text: str, lexicon: Lexicon) -> Sequence[Span]:
        return self._found


def read(scored: ScoredSet, detector: Detector) -> list[Read]:
    """Every document of a set through the detector, once."""
    lexicon = load_policy().lexicon
    done = []
    for gold in track(scored.documents, transient=True):
        known = scored.known.get(gold.id, {})
        identifiers = KnownIdentifiers(
            **{name: tuple(PhiText(value) for value in values) for name, values in known.items()}
        )
        text = typed(gold.text)
        if text != gold.text:
            continue  # its gold offsets would be of another text
        done.append(Read(gold, identifiers, detector.find(text, document_lexicon(text, lexicon))))
    return done


def weigh(one: Read) -> Weighed:
    policy = load_policy()
    examined = examine(one.gold.text, one.known, Replayed(one.found), policy)
    answer = Predicted([(span.start, span.end) for span in examined.spans])
    score = score_phi([one.gold], {one.gold.id: answer})
    of = evidence(
        one.gold.text,
        examined.replaced,
        examined.spans,
        examined.lexicon,
        left=examined.left,
    )
    return Weighed(of, examined.risk, bool(score.missed))


def scanned(scored: ScoredSet) -> ScoredSet:
    """The documents as a bad scanner reads them: letters and digits misread for others, one for one, so that
    the places of the mentions hold."""
    random = Random(_SEED)  # noqa: S311
    documents = []
    for gold in scored.documents:
        share = random.choice(_MISREAD)
        text = "".join(
            random.choice(_LOOKALIKES[one]) if one in _LOOKALIKES and random.random() < share else one
            for one in gold.text
        )
        documents.append(replace(gold, text=text))
    return replace(scored, documents=documents)


def imperfect(documents: Sequence[Read]) -> Iterator[Weighed]:
    """Each document several times, whole and in parts, with a share of its mentions left; by a fixed seed."""
    random = Random(_SEED)  # noqa: S311
    for one in track(documents, transient=True):
        for copy in range(_COPIES):
            copied, share = _part(one, random) if copy % 2 else one, random.choice(_LEFT)
            yield weigh(copied if share is None else _leaving(copied, share, random))


def as_found(documents: Sequence[Read]) -> Iterator[Weighed]:
    """Each document as the detector leaves it, whole and in parts."""
    random = Random(_SEED)  # noqa: S311
    for one in documents:
        yield weigh(one)
        yield weigh(_part(one, random))


def _leaving(one: Read, share: float, random: Random) -> Read:
    """A document of whose marked mentions about `share` were left, those first that the detector leaves."""
    mentions = one.gold.spans
    really = {
        (miss.start, miss.end)
        for miss in score_phi(
            [one.gold],
            {one.gold.id: Predicted([(s.start, s.end) for s in one.found if s.recogniser != SUSPECTED])},
        ).misses
    }
    weights = [_HARD if (start, end) in really else 1.0 for start, end, _ in mentions]
    total = sum(weights)
    left, kept = [], []
    for (start, end, _), weight in zip(mentions, weights, strict=True):
        if random.random() < share * len(mentions) * weight / total:
            left.append((start, end))
        elif (start, end) in really:
            kept.append(Span(start, end, Category.NAME, _SURE, "Marked"))
    kept += [
        span
        for span in one.found
        if span.recogniser == SUSPECTED
        or not any(span.start < end and start < span.end for start, end in left)
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


def fitted(examples: Sequence[Weighed]) -> dict[str, float]:
    """The rate of each piece of evidence, by expectation and maximisation: a leak is shared among what may
    have caused it, by the rates as they are, and each new rate is its share of the leaks over how often it
    stands there (Dempster, Laird and Rubin 1977). What stands in few texts is held back by `_SEEN_WITHOUT`.
    """
    names = list(examples[0].evidence)
    counts = np.array([[one.evidence[name] for name in names] for one in examples], dtype=float)
    leaks = np.array([one.leaks for one in examples], dtype=bool)
    often = counts.sum(axis=0) + _SEEN_WITHOUT
    rates = np.full(len(names), 0.01)
    for _ in range(_ROUNDS):
        rate = counts[leaks] @ rates
        # How many leaks there are in a text with at least one.
        shares = counts[leaks] * rates / -np.expm1(-np.maximum(rate, 1e-12))[:, None]
        rates = np.minimum(shares.sum(axis=0) / often, _MOST)
    return {name: round(float(rate), 5) for name, rate in zip(names, rates, strict=True)}


def fit(detector: Detector, notes: int) -> str:
    """Fit on development notes, write the model, and say on what."""
    documents = [
        one
        for known in (False, True)
        for one in read(generated_notes("development", notes, with_known=known, seed=_SEED), detector)
    ]
    unclear = scanned(generated_notes("development", notes // 4, with_known=False, seed=_SEED + 1))
    plain = [replace(one, gold=replace(one.gold, spans=[])) for one in read(_half(_abstracts(), 0), detector)]
    examples = [*imperfect(documents), *as_found(read(unclear, detector)), *map(weigh, plain)]
    rates = fitted(examples)
    leaking = sum(one.leaks for one in examples)
    source = (
        f"benchmarks/deid_risk.py --fit: {len(examples)} texts, {leaking} of which leak: {2 * notes} made up "
        f"notes (development, seed {_SEED}) in {_COPIES} copies with 0 to 6 % of their mentions left or what "
        f"the detector leaves, {notes // 4} as a bad scanner reads them, and {len(plain)} abstracts of "
        f"MedMentions (CC BY 4.0), which have no PHI"
    )
    MODEL_FILE.write_text(json.dumps({"source": source, "rates": rates}, indent=2) + "\n")
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


def _abstracts() -> ScoredSet:
    return read_phi_set(SHARED, MEDICAL)


def _half(scored: ScoredSet, which: int) -> ScoredSet:
    """Every second document: the model is fitted on one half of the abstracts, and shown on the other."""
    return ScoredSet(scored.documents[which::2])


def sets(quick: bool) -> Iterator[tuple[str, bool, ScoredSet]]:
    """Name, whether PHI is marked in it, and the documents."""
    yield "asq", True, read_phi_set(SHARED, ASQ)
    yield "research", True, read_phi_set(SHARED, RESEARCH, 300 if quick else None)
    yield "notes", True, generated_notes("development", 60 if quick else 300, with_known=False)
    yield "mtsamples", False, read_mtsamples(SHARED, 150 if quick else None)
    other = _half(_abstracts(), 1)
    yield "medical", False, replace(other, documents=other.documents[:150]) if quick else other


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


def figures(weighed: Sequence[Weighed]) -> list[Figure]:
    rows, error, brier = calibration(weighed)
    base = sum(one.leaks for one in weighed) / len(weighed)
    return [
        # No peer weighs a document; whoever knows only how many leak has this Brier score.
        Figure(
            "risk_ece",
            error,
            "probability",
            "0: what is predicted is what is seen",
            most=_MOST_ERROR,
            digits=4,
            more={"bins": [[round(p, 4), round(s, 4), count] for p, s, count in rows]},
        ),
        Figure(
            "risk_brier",
            brier,
            "squared probability",
            f"{base * (1 - base):.4f}: the share of leaking documents for each",
            most=round(base * (1 - base), 4),
            digits=4,
        ),
    ]


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fit", action="store_true", help="fit and write domain/data/risk.json first")
    parser.add_argument("--quick", action="store_true", help="a seeded sample of each set")
    add_json_option(parser)
    options = parser.parse_args(None if arguments is None else [*arguments])
    console = Console(width=120)
    detector = Detector(ensure(MODEL_ASSET, load(RuntimeSettings).cache))
    if options.fit:
        console.print(fit(detector, 60 if options.quick else _FITTED_NOTES))
        load_risk_model.cache_clear()
        load_policy.cache_clear()
    table = Table("set", "documents", "stopped at the threshold", "leaking ones among them", "area under ROC")
    found: list[Figure] = []
    for name, marked, scored in sets(options.quick):
        documents = read(scored, detector)
        weighed = [weigh(one) for one in documents]
        show(name, marked, weighed, table, console)
        if name == "notes":
            show("notes, few left", True, list(imperfect(documents)), table, console)
        if name == "asq":
            found = figures(weighed)
    console.print(table)
    return report(found, console, options.json)


if __name__ == "__main__":
    sys.exit(main())
