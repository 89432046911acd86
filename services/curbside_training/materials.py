"""What a run is made of and leaves behind: examples out of a dataset's blobs, an adapter into one."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curbside.contracts.tasks import Task
from curbside.errors import CurbsideError
from curbside.storage.blobs import BlobRef, BlobStore
from curbside_training.domain.examples import Example, Group


class DamagedDataset(CurbsideError):
    code = "training.damaged-dataset"


@dataclass(frozen=True)
class Materials:
    """The examples of a dataset version, by what they are for."""

    train: Sequence[Example]
    validation: Sequence[Example]
    held_out: Sequence[Example]


async def read_materials(
    manifest: BlobRef, *, blobs: BlobStore, max_test: int, max_holdout: int
) -> Materials:
    """Read and check a version's files. Raises DamagedDataset where one is not what the manifest says."""
    described: dict[str, Any] = json.loads(await blobs.get(manifest))
    splits: dict[str, list[Example]] = {}
    for split, part in described["splits"].items():
        data = await blobs.get(BlobRef.from_json(part["blob"]))
        if hashlib.sha256(data).hexdigest() != part["sha256"]:
            raise DamagedDataset(
                f"the {split} file of {described['version']} is not the one that was published"
            )
        splits[split] = _examples(data, Group.HOLDOUT if split == "holdout" else Group.TEST)
    return Materials(
        train=splits.get("train", []),
        validation=splits.get("validation", []),
        held_out=[
            *at_most(splits.get("test", []), max_test),
            *at_most(splits.get("holdout", []), max_holdout),
        ],
    )


def _examples(data: bytes, group: Group) -> list[Example]:
    import pyarrow.parquet as pq

    rows: Iterable[Mapping[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return [
        Example(
            example_id=row["example_id"],
            report_id=row["report_id"],
            subject=row["subject"],
            task=Task(row["task"]),
            input=row["input"],
            output=row["output"],
            prior=row["prior"],
            group=group,
        )
        for row in rows
    ]


def at_most(examples: Sequence[Example], limit: int) -> list[Example]:
    """Whole reports, in the order of a hash so that patients mix, until `limit` questions are reached."""
    by_report: dict[str, list[Example]] = {}
    for example in examples:
        by_report.setdefault(example.report_id, []).append(example)
    chosen: list[Example] = []
    for report_id in sorted(by_report, key=lambda one: hashlib.sha256(one.encode()).digest()):
        if len(chosen) >= limit:
            break
        chosen += by_report[report_id]
    return chosen


def pack_adapter(directory: Path) -> bytes:
    """A tar of the adapter's files, byte for byte the same for the same adapter."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(directory.iterdir()):
            if path.is_file():
                entry = tarfile.TarInfo(path.name)
                content = path.read_bytes()
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
