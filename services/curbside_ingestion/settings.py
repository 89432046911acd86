"""Settings of ingestion: CURBSIDE_INGESTION__<FIELD>."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings

from curbside.settings import settings_config


class IngestionSettings(BaseSettings):
    model_config = settings_config("ingestion")

    # The longest of 1,652 MTSamples reports has 20,838 characters: ten times that is no single report.
    max_report_characters: int = Field(default=200_000, ge=1_000, le=5_000_000)
    # Reports that wait to be written, of all callers together; beyond, 429. At 3 KB each they take 15 MB.
    max_waiting_reports: int = Field(default=5_000, ge=1, le=1_000_000)
    # A batch is acknowledged when all of it is durable: at 10 ms a report this one takes 20 s.
    max_batch_reports: int = Field(default=2_000, ge=1, le=100_000)
    # Of a ZIP, all its files together.
    max_unpacked_bytes: int = Field(default=500_000_000, ge=1_000)
    # Limited children that parse side by side, as many for what is acknowledged already as for what is read
    # before, and what each may take of a processor and of memory.
    extraction_children: int = Field(default=2, ge=1, le=64)
    extraction_cpu: timedelta = Field(default=timedelta(seconds=60), ge=timedelta(seconds=1))
    extraction_memory_bytes: int = Field(default=2_000_000_000, ge=500_000_000)
