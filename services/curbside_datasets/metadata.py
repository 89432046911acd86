"""Of all tables of datasets, with inbox, outbox and audit."""

from __future__ import annotations

from typing import Final

from curbside.storage.tables import service_metadata

METADATA: Final = service_metadata()
