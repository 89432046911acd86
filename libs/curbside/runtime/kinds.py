"""What a data directory belongs to: an installation of this machine's files, or one of servers.

It is written down when the installation first runs, so that no command takes the one for the other: what it
would find there is empty, and looks as if all were in order.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from curbside.errors import OperatorError
from curbside.runtime.supervisor import supervisor_runs
from curbside.settings import BlobSettings, DatabaseSettings, KafkaSettings, RuntimeSettings, load
from curbside.storage.directories import private_directory, write_private
from curbside.storage.postgres import IDENTITY

_NAME_THEM: Final = (
    "Set what it was started with: CURBSIDE_DATABASE__…, CURBSIDE_KAFKA__… and CURBSIDE_BLOBS__…"
)
# In an embedded installation's note, behind it the settings that name servers of some halves.
_SERVERS_NAMED: Final = "servers: "


class Kind(StrEnum):
    """What an installation on one machine keeps its data in, which is never changed by how it is started."""

    # `curbside up`: files of the data directory, but for the halves, one or two, whose servers settings name.
    EMBEDDED = "embedded"
    FULL = "full"  # `curbside up --full`: PostgreSQL, Kafka and S3 that run from the data directory
    SERVERS = "servers"  # `curbside up` or `migrate --from` with settings that name servers of all three


class OtherKind(OperatorError):
    """Started here, it would know nothing of what the data directory holds, and begin an empty one beside."""

    code = "operator.other-kind"


class HalfCarried(OperatorError):
    """What is not there yet would look as if it had never been."""

    code = "operator.half-carried"


class ServersNotRunning(OperatorError):
    code = "operator.servers-not-running"


class ServersNotNamed(OperatorError):
    code = "operator.servers-not-named"


def kind_of(data: Path) -> Kind | None:
    """None where nothing ran yet."""
    path = _kind_path(data)
    try:
        return Kind(path.read_text().split("\n", 1)[0].strip())
    except (FileNotFoundError, NotADirectoryError):
        # Earlier releases wrote no such file.
        return Kind.EMBEDDED if (data / f"{IDENTITY}.db").exists() else None
    except ValueError:
        kinds = ", ".join(repr(str(kind)) for kind in Kind)
        raise OperatorError(f"{str(path)!r} says none of {kinds}: write there which it is.") from None


def check_kind(settings: RuntimeSettings, kind: Kind, *, carrying: Path | None = None) -> None:
    """Raises OtherKind where the data directory belongs to an installation of another kind, and HalfCarried
    where one is carried there that is not `carrying`."""
    check_whole(settings.data, kind, carrying)
    found = kind_of(settings.data)
    if found is Kind.EMBEDDED and kind is not Kind.FULL:
        # Earlier releases wrote no other kind, so all three may be named, too.
        _check_same_servers(settings.data)
        return
    if found is None or found is kind:
        return
    place = str(settings.data)
    if found is Kind.EMBEDDED:
        raise OtherKind(
            f"{place!r} holds an installation of `curbside up`, of which --full would know nothing",
            mend=f"Carry it with `curbside migrate --from {place} --full --data OTHER`, or name another data "
            "directory with --data.",
        )
    if found is Kind.SERVERS:
        raise OtherKind(
            f"{place!r} holds the keys of an installation on servers of your own, of which this one would "
            "know nothing",
            mend=f"{_NAME_THEM}, or name another data directory with --data.",
        )
    raise OtherKind(
        f"{place!r} holds an installation on PostgreSQL, Kafka and S3, of which `curbside up` without --full "
        "would know nothing",
        mend="Use `curbside up --full`, or name another data directory with --data; `curbside migrate --from`"
        " carries to servers, never back.",
    )


def record_kind(settings: RuntimeSettings, kind: Kind) -> None:
    """Write into the data directory what it belongs to, for `check_kind`."""
    path = _kind_path(settings.data)
    said = f"{kind}\n"
    if kind is Kind.EMBEDDED:
        said += f"{_SERVERS_NAMED}{' '.join(named_servers())}\n"
    if not path.exists() or path.read_text() != said:
        private_directory(settings.data)
        write_private(path, said)


def servers_beside(data: Path) -> list[str] | None:
    """The settings that named servers of some halves when the embedded installation ran; None where it was
    not noted, as by earlier releases."""
    try:
        _, noted, names = _kind_path(data).read_text().partition(_SERVERS_NAMED)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return names.split() if noted else None


def _check_same_servers(data: Path) -> None:
    """What it left in other halves than those that the settings name would wait there for ever."""
    then, now = servers_beside(data), named_servers()
    if then is None or then == now:
        return
    changes = [
        *(f"set {name} as it was" for name in then if name not in now),
        *(f"unset {name}" for name in now if name not in then),
    ]
    raise OtherKind(
        f"{str(data)!r} holds an installation that ran with {' and '.join(then) or 'files alone'}, and would "
        f"now run with {' and '.join(now) or 'files alone'}: what lies in the one is not in the other",
        mend=f"To go on with it {' and '.join(changes)}; or name another data directory with --data "
        "(`curbside migrate --from` carries an installation of files alone).",
    )


def begin_carrying(data: Path, source: Path, kind: Kind) -> None:
    """Note that `source` is being carried to the installation of `data`, which is not whole until
    `end_carrying`: nothing runs on it meanwhile."""
    private_directory(data)
    write_private(_carrying_path(data), f"{source.resolve()}\n{kind}\n")


def end_carrying(data: Path) -> None:
    _carrying_path(data).unlink(missing_ok=True)


def check_whole(data: Path, kind: Kind, carrying: Path | None = None) -> None:
    """Raises HalfCarried where something other than `carrying` was not carried there to its end."""
    try:
        source, *said = _carrying_path(data).read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    if carrying is not None and str(carrying.resolve()) == source:
        return
    if kind is Kind.EMBEDDED and str(data.resolve()) == source:
        return  # its files are what is carried, and are whole
    full = " --full" if Kind.FULL in (kind, *said) else ""
    raise HalfCarried(
        f"{source!r} was not carried to {str(data)!r} to the end",
        mend=f"Run `curbside migrate --from {shlex.quote(source)}{full} --data {shlex.quote(str(data))}` "
        "again, which goes on where it was.",
    )


def named_kind() -> Kind:
    """What `curbside up` runs by the settings of this process."""
    return Kind.SERVERS if not unnamed_servers() else Kind.EMBEDDED


def unnamed_servers() -> list[str]:
    """The settings that would name a server of each pair, and do not."""
    return [name for name, given in _server_settings().items() if given is None]


def named_servers() -> list[str]:
    """The settings that name a server."""
    return [name for name, given in _server_settings().items() if given is not None]


def _server_settings() -> Mapping[str, str | None]:
    return {
        "CURBSIDE_DATABASE__URL": load(DatabaseSettings).url,
        "CURBSIDE_KAFKA__BOOTSTRAP_SERVERS": load(KafkaSettings).bootstrap_servers,
        "CURBSIDE_BLOBS__BUCKET": load(BlobSettings).bucket,
    }


def record_servers(data: Path, servers: Mapping[str, Mapping[str, Any]]) -> None:
    """Note how the servers of a full installation are reached: the settings of each half, by its name."""
    path = _servers_path(data)
    private_directory(path.parent)
    write_private(path, json.dumps(servers, indent=2) + "\n")


def recorded_servers(data: Path) -> Mapping[str, Mapping[str, Any]]:
    """What `record_servers` noted, while they run. Raises ServersNotRunning."""
    try:
        if supervisor_runs(data, "servers"):
            servers: Mapping[str, Mapping[str, Any]] = json.loads(_servers_path(data).read_text())
            return servers
    except (FileNotFoundError, ValueError):
        pass  # they start for the first time, or an earlier release runs them
    raise ServersNotRunning(
        f"the PostgreSQL, Kafka and S3 of {str(data)!r} do not run",
        mend=f"Start them with `{start_command(data)}`.",
    )


def check_named(data: Path) -> None:
    """Raise ServersNotNamed unless the settings of this process name the servers that `data` is of."""
    missing = unnamed_servers()
    if missing:
        raise ServersNotNamed(
            f"the data of {str(data)!r} lie on servers of your own, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not set",
            mend=f"{_NAME_THEM}.",
        )


def start_command(data: Path) -> str:
    """What starts the installation of this data directory."""
    full = " --full" if kind_of(data) is Kind.FULL else ""
    default = data == load(RuntimeSettings).data
    return f"curbside up{full}{'' if default else f' --data {shlex.quote(str(data))}'}"


def _kind_path(data: Path) -> Path:
    # Not in run/, which a stopped installation may lose.
    return data / "installation"


def _carrying_path(data: Path) -> Path:
    return data / "carried-from"


def _servers_path(data: Path) -> Path:
    return data / "servers" / "settings.json"
