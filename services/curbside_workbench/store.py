"""The workbench keeps nothing: its database holds the platform's own tables (inbox, outbox, audit)."""

from __future__ import annotations

from typing import Final

from curbside.storage.tables import service_metadata

METADATA: Final = service_metadata()
