"""`curbside provision` makes what the outside halves need before a service starts, and again after a release:
roles, schemas and migrations in PostgreSQL, topics in Kafka, the bucket of S3."""

from __future__ import annotations

import asyncio

from rich.console import Console

from curbside.errors import OperatorError
from curbside.runtime.platform import database_url, halves, key_ring, open_objects, open_outside_bus
from curbside.runtime.services import SERVICES
from curbside.settings import ProvisionSettings, RuntimeSettings, load
from curbside.storage import postgres
from curbside.storage.migrate import migrate


class NothingToProvision(OperatorError):
    code = "operator.nothing-to-provision"


def provision(settings: RuntimeSettings, *, console: Console | None = None) -> None:
    """Make what is missing and say so, line by line; run again, it changes nothing."""
    console = console or Console(soft_wrap=True)
    done = [
        *_provision_database(settings),
        *asyncio.run(_provision_bus(settings)),
        *open_objects(settings).provision(),
    ]
    if not done:
        raise NothingToProvision(
            "no outside half is named: set CURBSIDE_DATABASE__URL, CURBSIDE_KAFKA__BOOTSTRAP_SERVERS and "
            "CURBSIDE_BLOBS__BUCKET. The embedded halves need no provisioning."
        )
    for line in done:
        console.print(line, highlight=False)


def _provision_database(settings: RuntimeSettings) -> list[str]:
    chosen = halves(settings).database
    if chosen.url is None:
        return []
    path = load(ProvisionSettings).database_admin_url_file
    done = []
    if path is None:
        done.append("roles and schemas: left alone (CURBSIDE_PROVISION__DATABASE_ADMIN_URL_FILE is not set)")
    else:
        try:
            admin_url = path.expanduser().read_text().strip()
        except OSError as error:
            raise OperatorError(
                f"the administrator's URL cannot be read from {str(path)!r} ({error.strerror}): mount it, or "
                "set CURBSIDE_PROVISION__DATABASE_ADMIN_URL_FILE."
            ) from None
        done += postgres.provision(chosen, settings.profile, admin_url)
    ring = key_ring(settings)
    for name in SERVICES:
        migrate(f"curbside_{name}", database_url(settings, name), ring)
        done.append(f"{name}: at the newest revision")
    migrate("curbside.identity", database_url(settings, postgres.IDENTITY))
    postgres.open_tokens_to_services(chosen, settings.profile)
    return [*done, "identity: at the newest revision, its tokens readable by every service"]


async def _provision_bus(settings: RuntimeSettings) -> list[str]:
    bus = open_outside_bus(settings)
    if bus is None:
        return []
    try:
        return await bus.provision()
    finally:
        await bus.close()
