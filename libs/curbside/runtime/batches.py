"""Batches on this machine, without a server: `curbside deidentify`, `deid` and `segment`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.table import Table

from curbside.runtime.reading import console, progress_bar
from curbside.settings import RuntimeSettings, load


def deidentify_batch(source: Path, output: Path, workers: int, settings: RuntimeSettings) -> None:
    from curbside_deidentification.batch import deidentify_file

    _say_what_replaces()
    with progress_bar() as bar:
        task = bar.add_task("de-identifying", total=1, note="")

        def on_progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=max(total, 1))

        deidentify_file(source, output, workers, settings.cache, on_progress)
    console.print(f"written: {output}")


def _say_what_replaces() -> None:
    """A policy needs a patient's key and table, which are the service's: whoever set one is told that it does
    nothing here."""
    from curbside_deidentification.settings import DeidentificationSettings

    settings = load(DeidentificationSettings)
    policies = sorted({settings.replacement, *settings.replacement_by_tenant.values()} - {"placeholders"})
    if policies:
        print(
            "curbside: what is found becomes placeholders ([NAME], [DATE]) in this file. "
            f"CURBSIDE_DEIDENTIFICATION__REPLACEMENT ({', '.join(policies)}) is of reports and texts that go "
            "through the service; send them there (curbside ingest) to have it applied.",
            file=sys.stderr,
        )


def sample_batch(source: Path, output: Path, count: int, seed: int, originals: Path | None) -> None:
    from curbside_deidentification.sampling import draw_sample

    drawn = draw_sample(source, output, count, seed, originals=originals)
    console.print(
        f"written: {output}: {drawn.drawn} of {drawn.passed_on} documents that were passed on, by seed "
        f"{seed} ({drawn.quarantined} were quarantined)"
    )
    if drawn.bad_originals:
        console.print(f"{drawn.bad_originals} lines of {originals} are no documents and were left out")
    if drawn.without_original:
        console.print(
            f"{drawn.without_original} of those drawn stand alone: {originals} has no original of them"
        )


def recall_of_sample(sample: Path) -> None:
    from curbside_deidentification.sampling import measure_recall

    recall = measure_recall(sample)
    rows = [
        *recall.by_category.items(),
        ("every category", recall.overall),
        ("precision", recall.precision),
        ("documents without a leak", recall.documents),
    ]
    table = Table("of", "share", "95 % interval", "count")
    for name, share in rows:
        low, high = share.interval
        table.add_row(
            name, f"{share.value:.2%}", f"{low:.2%} to {high:.2%}", f"{share.hits} of {share.trials}"
        )
    console.print(table)


def segment_batch(source: Path, output: Path) -> None:
    from curbside_datasets.batch import segment_file

    segment_file(source, output)
    console.print(f"written: {output}")
