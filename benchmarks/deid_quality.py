"""How much PHI de-identification finds, and how much medicine it spares, on every set of issue 4, in one run.

Each set goes through `curbside deidentify` as an operator runs it, and is scored token by token by the rules
of `../shared/bench/phi_score.py` (a test holds the two together). Quarantined documents are counted apart:
what is in them is never found, and a table says how many there were. Generated notes are of the held-out
template families, which nobody writes rules against; of their misses the shapes were seen (letters and digits
blanked), of those of the `unread` families nothing.

`--misses` shows what was left in notes of the development families, and of no other set: rules are written
against a form, never against a value of a test set.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from curbside.testing.figures import Figure, add_json_option, report
from curbside.testing.notes.values import SetName
from curbside.testing.scoring import (
    Gold,
    PhiScore,
    Predicted,
    Survival,
    headings_destroyed,
    labs_destroyed,
    mentions_removed,
    score_phi,
)
from curbside.testing.scoring.sets import (
    ASQ,
    MEDICAL,
    RESEARCH,
    ScoredSet,
    generated_notes,
    read_messages,
    read_mtsamples,
    read_phi_set,
    read_predictions,
)

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
NOTES: Final = 300
KNOWN_RECALL: Final = "curbside.testing.scoring.known_recall"


@dataclass(frozen=True)
class Set:
    """One set, and how many documents of it `--quick` takes."""

    read: Callable[[int | None], ScoredSet]
    quick: int


def _notes(sample: int | None, *, of: SetName = "held_out", with_known: bool) -> ScoredSet:
    return generated_notes(of, sample or NOTES, with_known=with_known)


SETS: Final[Mapping[str, Set]] = MappingProxyType(
    {
        "asq": Set(partial(read_phi_set, SHARED, ASQ), 526),
        "research": Set(partial(read_phi_set, SHARED, RESEARCH), 400),
        "medical": Set(partial(read_phi_set, SHARED, MEDICAL), 250),
        "notes": Set(partial(_notes, with_known=False), 64),
        "notes with known": Set(partial(_notes, with_known=True), 64),
        "unread": Set(partial(_notes, of="unread", with_known=False), 64),
        "unread with known": Set(partial(_notes, of="unread", with_known=True), 64),
        "synthea": Set(partial(read_messages, SHARED, "synthea"), 60),
        "hl7": Set(partial(read_messages, SHARED, "hl7"), 100),
        "mtsamples": Set(partial(read_mtsamples, SHARED), 200),
    }
)
OF_KNOWN_RECALL: Final = ("synthea", "hl7")

Answers = Mapping[str, Predicted]
Documents = Sequence[Gold]


@dataclass(frozen=True)
class Row:
    """One row of the issue's table: what it is of, and its bound. `peer` is what others reach."""

    set: str
    value: Callable[[Documents, Answers], float]
    least: float | None = None
    most: float | None = None
    peer: str = "the issue's bound"

    def measured(self, name: str, documents: Documents, answers: Answers) -> Figure:
        value = self.value(documents, answers)
        return Figure(name, value, "%", self.peer, least=self.least, most=self.most, digits=2)


def phi(measure: Callable[[PhiScore], float]) -> Callable[[Documents, Answers], float]:
    return lambda documents, answers: measure(score_phi(documents, answers))


def survival(measure: Callable[[Documents, Answers], Survival]) -> Callable[[Documents, Answers], float]:
    return lambda documents, answers: measure(documents, answers).destroyed


# Of families that were written after the rules, and measured when they were finished.
_NO_BOUND: Final = "no bound: families that no rule was written against"
# Peers: ../shared/facts/deid.md, the same scorer on the same sets.
_PRESIDIO: Final = "Presidio 2.2.366, default, spaCy md: {}; Philter 1.0.3: {}"
FIGURES: Final[Mapping[str, Row]] = MappingProxyType(
    {
        "asq_recall": Row("asq", phi(lambda s: s.recall), least=98, peer=_PRESIDIO.format(83.7, 93.4)),
        "asq_precision": Row("asq", phi(lambda s: s.precision), least=97, peer=_PRESIDIO.format(62.5, 94.0)),
        "asq_zero_leak": Row("asq", phi(lambda s: s.zero_leak), least=90, peer=_PRESIDIO.format(23.8, 62.4)),
        "asq_negatives_touched": Row(
            "asq", phi(lambda s: s.negatives_touched), most=20, peer=_PRESIDIO.format(94.5, 53.0)
        ),
        "research_recall": Row("research", phi(lambda s: s.recall), least=80),
        "research_precision": Row("research", phi(lambda s: s.precision), least=90),
        "medical_removed": Row(
            "medical", survival(mentions_removed), most=0.8, peer="Presidio 2.2.366, default, spaCy md: 14.6"
        ),
        "notes_recall": Row("notes", phi(lambda s: s.recall), least=97),
        "notes_recall_known": Row("notes with known", phi(lambda s: s.recall), least=99.5),
        "notes_zero_leak_known": Row("notes with known", phi(lambda s: s.zero_leak), least=97),
        "unread_recall": Row("unread", phi(lambda s: s.recall), peer=_NO_BOUND),
        "unread_precision": Row("unread", phi(lambda s: s.precision), peer=_NO_BOUND),
        "unread_recall_known": Row("unread with known", phi(lambda s: s.recall), peer=_NO_BOUND),
        "unread_zero_leak_known": Row("unread with known", phi(lambda s: s.zero_leak), peer=_NO_BOUND),
        "synthea_recall": Row("synthea", phi(lambda s: s.recall), least=99.5),
        "hl7_recall": Row("hl7", phi(lambda s: s.recall), least=99.5),
        "headings_destroyed": Row("mtsamples", survival(headings_destroyed), most=0.5),
        "labs_destroyed": Row("mtsamples", survival(labs_destroyed), most=0.5),
    }
)


def deidentified(scored: ScoredSet, scratch: Path, workers: int) -> dict[str, Predicted]:
    """What `curbside deidentify` answers for every document."""
    source, target = scratch / "in.jsonl", scratch / "out.jsonl"
    scored.write(source)
    command = [sys.executable, "-m", "curbside", "deidentify", str(source), "-o", str(target)]
    subprocess.run([*command, "--workers", str(workers)], check=True, stdout=subprocess.DEVNULL)
    return read_predictions(target)


def measure(
    names: Sequence[str], quick: bool, workers: int, progress: Progress
) -> tuple[list[Figure], Table]:
    """The figures called `names`, and a table of the sets that they are of."""
    table = Table("set", "documents", "quarantined", "what was passed on: recall by kind, or mentions")
    found = []
    wanted = [name for name in SETS if any(FIGURES[figure].set == name for figure in names)]
    task = progress.add_task("", total=len(wanted))
    for set_name in wanted:
        progress.update(task, description=set_name)
        scored = SETS[set_name].read(SETS[set_name].quick if quick else None)
        with tempfile.TemporaryDirectory(prefix="curbside-deid-") as scratch:
            answers = deidentified(scored, Path(scratch), workers)
        for name in names:
            row = FIGURES[name]
            if row.set == set_name:
                found.append(row.measured(name, scored.documents, answers))
        table.add_row(
            set_name,
            f"{len(scored.documents):,}",
            f"{sum(answer.quarantined for answer in answers.values()):,}",
            _contents(set_name, scored.documents, answers),
        )
        progress.advance(task)
    return found, table


def _contents(set_name: str, documents: Documents, answers: Answers) -> str:
    """What the figures of a set are of: a share of nothing would look like success."""
    if set_name == "medical":
        return f"{mentions_removed(documents, answers).mentions:,} diseases and drugs"
    if set_name == "mtsamples":
        headings, labs = headings_destroyed(documents, answers), labs_destroyed(documents, answers)
        return f"{headings.mentions:,} headings, {labs.mentions:,} laboratory values"
    return _kinds(score_phi(documents, answers))


def _kinds(score: PhiScore) -> str:
    return ", ".join(
        f"{kind} {recall:.1f} of {total}" for kind, (recall, total) in score.recall_by_kind().items()
    )


def show_misses(count: int, workers: int, console: Console) -> None:
    """What was left in development notes, by category; they are made up, and so may be shown."""
    for with_known in (False, True):
        scored = generated_notes("development", count, with_known=with_known)
        with tempfile.TemporaryDirectory(prefix="curbside-deid-") as scratch:
            score = score_phi(scored.documents, deidentified(scored, Path(scratch), workers))
        texts = {document.id: document.text for document in scored.documents}
        console.print(
            f"development notes {'with' if with_known else 'without'} known identifiers: "
            f"recall {score.recall:.2f}, precision {score.precision:.2f}, zero-leak {score.zero_leak:.2f}, "
            f"quarantined {score.quarantined}"
        )
        by_label = collections.defaultdict(list)
        for miss in score.misses:
            text = texts[miss.document]
            before, missed = text[max(0, miss.start - 30) : miss.start], text[miss.start : miss.end]
            by_label[miss.label].append(f"{before}[{missed}]{text[miss.end :][:15]}")
        for label, shown in sorted(by_label.items(), key=lambda entry: -len(entry[1])):
            console.print(f"{label}: {len(shown)}", markup=False)
            for one in shown:
                console.print(f"    {' '.join(one.split())}", markup=False, highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a seeded sample of each set, under 5 minutes")
    parser.add_argument("--only", nargs="+", choices=FIGURES, metavar="ROW", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--workers", type=int, default=1, help="worker processes; default %(default)s")
    parser.add_argument(
        "--misses", action="store_true", help="what was left in development notes; no figures"
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    console = Console(width=140)
    if arguments.misses:
        show_misses(64 if arguments.quick else NOTES, arguments.workers, console)
        return 0
    names = list(arguments.only or FIGURES)
    if importlib.util.find_spec(KNOWN_RECALL) is None:
        left_out = [name for name in names if FIGURES[name].set in OF_KNOWN_RECALL]
        names = [name for name in names if name not in left_out]
        if left_out:
            console.print(f"{', '.join(left_out)} left out: {KNOWN_RECALL} is not in this installation.")
    with Progress(transient=True) as progress:
        found, sets = measure(names, arguments.quick, arguments.workers, progress)
    console.print(sets)
    return report(found, console, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
