"""Alembic environment of the deidentification database."""

from curbside.storage.migrate import run_environment
from curbside_deidentification.store import METADATA

run_environment(METADATA)
