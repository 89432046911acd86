"""Where it is carried to: what must hold there before the first write, and the mark that stays behind.

A copy that services have run on must not be written to again: it would bring back what they erased. A carry
that was interrupted goes on, because all that stands there is then a part of what is carried.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.engine import make_url

from curbside.bus.kafka.admin import Admin
from curbside.bus.kafka.client import wire_topic
from curbside.bus.kafka.routing import NotProvisioned
from curbside.contracts.topics import DEAD_LETTER_SUFFIX, TOPICS
from curbside.errors import OperatorError
from curbside.runtime.carrying_from import Source
from curbside.runtime.platform import halves, open_objects
from curbside.settings import RuntimeSettings
from curbside.storage.objects import NameTaken, Objects
from curbside.storage.postgres import owner_url
from curbside.storage.wrapped_keys import PostgresWrappedKeys
from curbside.storage.zones import GRANTS, Zone

_PAGE: Final = 500
# Beside the zones, of which none begins with a dot.
_MARK: Final = ".carried"


class NotEqual(OperatorError):
    """What is there is not what was carried: something else wrote there."""

    code = "operator.not-equal"


class AlreadyCarried(OperatorError):
    code = "operator.already-carried"


@dataclass(frozen=True)
class Target:
    """The outside halves that the settings name."""

    settings: RuntimeSettings

    def objects(self) -> Objects:
        return open_objects(self.settings)

    def blobs(self) -> Iterator[str]:
        objects = self.objects()
        for zone in Zone:
            yield from objects.names(f"{zone.value}/")

    def wrapped_keys(self, zone: Zone) -> PostgresWrappedKeys:
        """As a service that the server lets into the zone."""
        service = next(name for name, zones in GRANTS.items() if zone in zones)
        chosen = halves(self.settings).database
        url = owner_url(chosen, self.settings.profile, service)
        return PostgresWrappedKeys(url.render_as_string(hide_password=False), service, chosen)

    def check_unmarked(self) -> None:
        """Raise AlreadyCarried where a carry came to its end."""
        mark = self.objects().read(_MARK)
        if mark is not None:
            raise AlreadyCarried(
                f"an installation was carried there on {json.loads(mark)['at']}; services may have run "
                "since, and what they erased would come back. To carry again, name an empty database, an "
                "empty bucket or prefix, and topics that nothing has used."
            )

    def mark(self) -> None:
        """Note that all was carried."""
        said = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds")})
        try:
            self.objects().write_new(_MARK, said.encode())
        except NameTaken:
            raise AlreadyCarried("another process has carried an installation there meanwhile.") from None

    def check_keys(self, source: Source) -> None:
        """Raise NotEqual where a data key is there that the source does not have."""
        carried = source.wrapped_keys()
        for zone in Zone:
            there, place = self.wrapped_keys(zone), ("", "")
            while page := there.after(zone, place, _PAGE):
                for tenant, subject, wrapped in page:
                    if carried is None or carried.find(zone, tenant, subject) != wrapped:
                        raise NotEqual(
                            f"there are data keys of {zone.value!r} that are not the source's. {EMPTY_IT}"
                        )
                place = page[-1][:2]
            there.close()
        if carried is not None:
            carried.close()

    def check_blobs(self, source: Source) -> None:
        """Raise NotEqual where a blob is there that the source does not have."""
        if not all(source.has_blob(name) for name in self.blobs()):
            raise NotEqual(f"there are blobs that are not the source's. {EMPTY_IT}")

    def check_topics(self, stored: Iterable[str]) -> str:
        """Ask for every topic, also those `stored` in a log; return what identifies where events go and whose
        database their readers keep, so that another, or one made anew, is another. Raises NotProvisioned."""
        kafka = halves(self.settings).kafka
        names = sorted({*TOPICS, *(f"{name}{DEAD_LETTER_SUFFIX}" for name in TOPICS), *stored})
        admin = Admin(kafka)
        try:
            routes = admin.routes()
            missing = [
                name
                for name in names
                if not admin.partitions(name)
                or (name not in routes and not name.endswith(DEAD_LETTER_SUFFIX))
            ]
            if missing:
                raise NotProvisioned(
                    f"Kafka at {kafka.bootstrap_servers} lacks {len(missing)} of the topics that are "
                    f"carried, {missing[0]!r} among them.",
                    mend="Run `curbside provision` against this Kafka.",
                )
            wires = [wire_topic(kafka, name) for name in names]
            cluster = admin.call(lambda client: client.describe_cluster())
            described = admin.call(lambda client: client.describe_topics(wires))
        finally:
            admin.close()
        url = make_url(halves(self.settings).database.url or "")
        place = [
            kafka.bootstrap_servers,
            kafka.topic_prefix,
            str(cluster.get("cluster_id")),
            *sorted(f"{one['name']} {one.get('topic_id')}" for one in described),
            f"{url.host}:{url.port}/{url.database}",
        ]
        return hashlib.sha256(json.dumps(place).encode()).hexdigest()


EMPTY_IT: Final = (
    "Services have run there, or on the source since an earlier carry was interrupted: carry into a "
    "database, a bucket or prefix, and topics that nothing has used."
)
