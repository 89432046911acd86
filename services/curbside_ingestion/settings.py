"""Settings of ingestion: CURBSIDE_INGESTION__<FIELD>."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from curbside.settings import settings_config


class IngestionSettings(BaseSettings):
    model_config = settings_config("ingestion")

    # The longest of 1,652 MTSamples reports has 20,838 characters: ten times that is no single report.
    max_report_characters: int = Field(default=200_000, ge=1_000, le=5_000_000)
    # Reports that wait to be written, of all callers together; beyond, 429. At 3 KB each they take 15 MB.
    max_waiting_reports: int = Field(default=5_000, ge=1, le=1_000_000)
    # And their bytes, original and text: of the largest bodies that are let in, twenty wait.
    max_waiting_bytes: int = Field(default=250_000_000, ge=1_000_000, le=1_000_000_000_000)
    # What one client (a token's name, in its tenant) may send to each replica; beyond, 429. 0 is no limit.
    # At once it may send `burst` requests, and the bytes of a minute (of bodies).
    client_requests_per_second: int = Field(default=0, ge=0, le=1_000_000)
    client_burst_requests: int = Field(default=100, ge=1, le=1_000_000)
    client_bytes_per_minute: int = Field(default=0, ge=0, le=10**12)
    # A batch is acknowledged when all of it is durable: at 10 ms a report this one takes 20 s.
    max_batch_reports: int = Field(default=2_000, ge=1, le=100_000)
    # Live streams of what becomes of batches, of one token: each keeps a connection.
    max_watched_batches: int = Field(default=8, ge=1, le=1_000)
    # How long the answer to a request with an Idempotency-Key is kept, and given again.
    idempotency_expiry: timedelta = Field(default=timedelta(hours=24), ge=timedelta(minutes=1))
    # A listener for HL7 v2 over TCP (MLLP), which has no tokens: whoever reaches it may send reports of the
    # runtime's tenant. Off unless it has a port; beyond this machine only with TLS, whose clients show a
    # certificate of `mllp_client_ca_file`.
    mllp_host: str = "127.0.0.1"
    mllp_port: int | None = Field(default=None, ge=0, le=65_535)
    mllp_source: str = Field(default="mllp", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    mllp_certificate_file: Path | None = None
    mllp_key_file: Path | None = None
    mllp_client_ca_file: Path | None = None
    mllp_max_message_bytes: int = Field(default=25_000_000, ge=1_000, le=1_000_000_000)
    mllp_max_connections: int = Field(default=64, ge=1, le=10_000)
    mllp_idle: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(seconds=1))
    # Of a ZIP, all its files together.
    max_unpacked_bytes: int = Field(default=500_000_000, ge=1_000)
    # Of an archive that is sent in pieces; it may hold so many files or lines, and unpack to a hundred times
    # its size. In memory are its directory (500 bytes a file) and some megabytes.
    max_upload_bytes: int = Field(default=2 * 2**30, ge=1_000, le=2**40)
    max_upload_members: int = Field(default=200_000, ge=1, le=10_000_000)
    # Uploads of one token that are not worked through yet.
    max_open_uploads: int = Field(default=16, ge=1, le=10_000)
    # An upload to which nothing was added for so long is removed.
    upload_expiry: timedelta = Field(default=timedelta(hours=24), ge=timedelta(minutes=1))
    # Limited children that parse side by side, as many for what is acknowledged already as for what is read
    # before, and what each may take of a processor and of memory.
    extraction_children: int = Field(default=2, ge=1, le=64)
    extraction_cpu: timedelta = Field(default=timedelta(seconds=60), ge=timedelta(seconds=1))
    extraction_memory_bytes: int = Field(default=2_000_000_000, ge=500_000_000)
    # Directories, separated by colons, in which Tesseract is looked for.
    ocr_path: str = Field(default="/usr/local/bin:/usr/bin:/bin", min_length=1)
