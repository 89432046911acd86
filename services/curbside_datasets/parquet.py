"""Parquet files of examples: deterministic bytes, zstd, one schema."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from curbside_datasets.domain.examples import COLUMNS, Example, rows_of
from curbside_datasets.domain.splitting import Split


def to_parquet(examples: Sequence[Example], split: Split) -> bytes:
    """All columns are strings; `prior` and `prior_report_id` may be null. Rows are in the order of ids."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    table = pa.Table.from_pylist(rows_of(examples, split.value), schema=schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(data: bytes) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows
