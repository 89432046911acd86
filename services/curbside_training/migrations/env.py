"""Alembic environment of the training database."""

from curbside.storage.migrate import run_environment
from curbside_training.store import METADATA

run_environment(METADATA)
