"""Alembic environment of ingestion's database."""

from curbside.storage.migrate import run_environment
from curbside_ingestion.service import METADATA  # with the tables of every room

run_environment(METADATA)
