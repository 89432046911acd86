"""Alembic environment of ingestion's database."""

from curbside.storage.migrate import run_environment
from curbside_ingestion.store import METADATA

run_environment(METADATA)
