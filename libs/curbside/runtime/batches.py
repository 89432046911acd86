"""Batches on this machine, without a server: `curbside deidentify` and `curbside segment`."""

from __future__ import annotations

from pathlib import Path

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


def segment_batch(source: Path, output: Path) -> None:
    from curbside_datasets.batch import segment_file

    segment_file(source, output)
    console.print(f"written: {output}")
