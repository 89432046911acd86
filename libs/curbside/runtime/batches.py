"""Batches on this machine, without a server: `curbside deidentify`, `deid` and `segment`."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from curbside.runtime.reading import console, progress_bar
from curbside.settings import RuntimeSettings


def deidentify_batch(source: Path, output: Path, workers: int, settings: RuntimeSettings) -> None:
    from curbside_deidentification.batch import deidentify_file

    with progress_bar() as bar:
        task = bar.add_task("de-identifying", total=1, note="")

        def on_progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=max(total, 1))

        deidentify_file(source, output, workers, settings.cache, on_progress)
    console.print(f"written: {output}")


def sample_batch(source: Path, output: Path, count: int, seed: int, originals: Path | None) -> None:
    from curbside_deidentification.sampling import draw_sample

    drawn = draw_sample(source, output, count, seed, originals=originals)
    console.print(
        f"written: {output}: {drawn.drawn} of {drawn.passed_on} documents that were passed on, by seed "
        f"{seed} ({drawn.quarantined} were quarantined)"
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
