"""Which processes make up an installation: all services on one machine, or one service in a pod."""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum
from pathlib import Path

from curbside.errors import OperatorError, Unauthenticated
from curbside.identity.tokens import Tokens
from curbside.runtime.platform import key_ring, open_tokens, state_directory
from curbside.runtime.services import SERVICES
from curbside.runtime.supervisor import Child
from curbside.settings import RuntimeSettings, load
from curbside.storage.directories import private_directory
from curbside.storage.postgres import IDENTITY


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


class Kind(StrEnum):
    """What an installation on one machine keeps its data in, which is never changed by how it is started."""

    EMBEDDED = "embedded"  # `curbside up`: files of the data directory, where no settings name servers
    FULL = "full"  # `curbside up --full`: PostgreSQL, Kafka and S3 that lie in the data directory


class OtherKind(OperatorError):
    """Started here, it would know nothing of what the data directory holds, and begin an empty one beside."""

    code = "operator.other-kind"


def check_kind(settings: RuntimeSettings, kind: Kind) -> None:
    """Raises OtherKind where the data directory belongs to an installation of the other kind."""
    found = _kind_of(settings)
    if found is None or found is kind:
        return
    place = str(settings.data)
    if found is Kind.EMBEDDED:
        raise OtherKind(
            f"{place!r} holds an installation of `curbside up`, of which --full would know nothing",
            mend=f"Carry it with `curbside migrate --from {place} --full --data OTHER`, or name another data "
            "directory with --data.",
        )
    raise OtherKind(
        f"{place!r} holds an installation on PostgreSQL, Kafka and S3, of which `curbside up` without --full "
        "would know nothing",
        mend="Use `curbside up --full`, or name another data directory with --data; `curbside migrate --from`"
        " carries to servers, never back.",
    )


def record_kind(settings: RuntimeSettings, kind: Kind) -> None:
    """Write into the data directory what it belongs to, for `check_kind`."""
    if _kind_of(settings) is not kind or not _kind_path(settings).exists():
        private_directory(settings.data)
        _write_private(_kind_path(settings), f"{kind}\n")


def _kind_of(settings: RuntimeSettings) -> Kind | None:
    path = _kind_path(settings)
    try:
        return Kind(path.read_text().strip())
    except (FileNotFoundError, NotADirectoryError):
        # Earlier releases wrote no such file.
        return Kind.EMBEDDED if (settings.data / f"{IDENTITY}.db").exists() else None
    except ValueError:
        raise OperatorError(
            f"{str(path)!r} says neither {' nor '.join(map(repr, map(str, Kind)))}: write there which it is."
        ) from None


def _kind_path(settings: RuntimeSettings) -> Path:
    # Not in run/, which a stopped installation may lose.
    return settings.data / "installation"


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
                _write_private(path, token + "\n")
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


def _write_private(path: Path, content: str) -> None:
    """`content` as a file of mode 0600, whole or not at all."""
    scratch = path.with_suffix(".part")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
