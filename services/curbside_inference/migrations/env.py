"""Alembic environment of the inference database."""

from curbside.storage.migrate import run_environment
from curbside_inference.store import METADATA

run_environment(METADATA)
