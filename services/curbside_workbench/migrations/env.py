"""Alembic environment of the workbench's database."""

from curbside.storage.migrate import run_environment
from curbside_workbench.store import METADATA

run_environment(METADATA)
