"""Which processes make up an installation: all services on one machine, or one service in a pod."""

from __future__ import annotations

import asyncio
from pathlib import Path

from curbside.errors import Unauthenticated
from curbside.identity.tokens import Tokens
from curbside.runtime.platform import key_ring, open_tokens, state_directory
from curbside.runtime.services import SERVICES
from curbside.runtime.supervisor import Child
from curbside.settings import RuntimeSettings, load
from curbside.storage.directories import write_private


def children_of(services: tuple[str, ...], settings: RuntimeSettings) -> list[Child]:
    """The processes that run `services`: their host, and the children that they need beside it."""
    environment = {
        "CURBSIDE_RUNTIME__DATA_DIR": str(settings.data),
        "CURBSIDE_RUNTIME__HTTP_PORT": str(settings.http_port),
        "CURBSIDE_RUNTIME__GRPC_PORT": str(settings.grpc_port),
    }
    children: list[Child] = []
    if "deidentification" in services:
        from curbside_deidentification.settings import DeidentificationSettings

        sockets = [
            state_directory(settings) / f"worker-{number}.sock"
            for number in range(load(DeidentificationSettings).workers)
        ]
        children += [
            Child(path.stem, ("serve", "worker", "--socket", str(path)), environment) for path in sockets
        ]
    if "inference" in services:
        from curbside_inference.settings import InferenceSettings

        inference = load(InferenceSettings)
        # Whoever names an engine's address (the chart names TGI's) runs it; else we run the embedded one.
        if "engine_url" not in inference.model_fields_set:
            from curbside_inference.engine.settings import EngineSettings

            port = load(EngineSettings).port
            environment["CURBSIDE_INFERENCE__ENGINE_URL"] = f"http://127.0.0.1:{port}"
            places = {
                "CURBSIDE_ENGINE__PORT": str(port),
                "CURBSIDE_ENGINE__CACHE_DIR": str(settings.cache),
                # Where the gateway unpacks what was promoted.
                "CURBSIDE_ENGINE__ADAPTERS_DIR": str(inference.adapters_dir or settings.data / "adapters"),
            }
            children.append(Child("engine", ("serve", "engine"), environment | places))
    if "training" in services:
        children.append(Child("driver", ("serve", "driver"), environment))
    children.append(Child("web", ("serve", "--here", *services), environment))
    return children


def all_services(settings: RuntimeSettings) -> list[Child]:
    return children_of(SERVICES, settings)


def provide_tokens(settings: RuntimeSettings) -> Path:
    """Make the administrator's and the services' tokens where there are none that the token store knows;
    return the former's path.

    Both files have mode 0600. In a cluster the service token is a mounted secret instead.
    """
    admin = state_directory(settings) / "admin-token"
    asyncio.run(
        _provide(
            settings,
            (
                (admin, "administrator", "administrator of this machine"),
                (settings.service_token_path, "service", "services of this machine"),
            ),
        )
    )
    return admin


async def _provide(settings: RuntimeSettings, wanted: tuple[tuple[Path, str, str], ...]) -> None:
    tokens, database = await asyncio.to_thread(open_tokens, settings, key_ring(settings))
    try:
        for path, role, name in wanted:
            token = await asyncio.to_thread(_read, path)
            if token is None or not await _is_known(tokens, token):
                token = await tokens.issue(name, [role], tenant=settings.tenant, actor="curbside up")
                write_private(path, token + "\n")
    finally:
        await database.close()


def _read(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None


async def _is_known(tokens: Tokens, token: str) -> bool:
    """Whether it is one of the store at hand: it may have been revoked, or be another store's."""
    try:
        await tokens.authenticate(token)
    except Unauthenticated:
        return False
    return True
