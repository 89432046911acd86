"""Alembic environment of the datasets database."""

from curbside.storage.migrate import run_environment
from curbside_datasets.store import METADATA

run_environment(METADATA)
