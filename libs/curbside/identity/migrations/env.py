"""Alembic environment of the identity database."""

from curbside.identity.tokens import METADATA
from curbside.storage.migrate import run_environment

run_environment(METADATA)
