"""PostgreSQL of the system's packages, on loopback, for tests, benchmarks and `make up-full`."""

from __future__ import annotations

import argparse
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from curbside.errors import OperatorError
from curbside.settings import DatabaseSettings
from curbside.testing.servers.certificates import write_certificates, write_secret
from curbside.testing.servers.process import (
    LocalServer,
    ServerDidNotStart,
    descendants,
    die_with_parent,
    free_port,
    hold,
    kill_9,
    start_child,
    unprivileged_user,
    wait_until,
)

_PLACES: Final = "/usr/lib/postgresql"  # Debian's, by major version
_OLDEST: Final = 15
_ADMIN: Final = "curbside_admin"
# Where root's clusters lie: their server is another user, who may pass through here and list nothing.
_OF_ROOT: Final = Path("/var/lib/curbside")
# Said with each start, so that root writes nothing into what belongs to the server's user.
_CONFIGURATION: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "fatal",
    "ssl": "on",
    "ssl_cert_file": "tls/server.pem",
    "ssl_key_file": "tls/server.pem",
    "max_wal_size": "512MB",
}

# What it says while sessions of a server that was killed are still there: each ends when it next waits.
_ORPHANS: Final = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
_ORPHANS_SECONDS: Final = 60.0  # as long as a statement of a service may take


class NoPostgres(OperatorError):
    code = "operator.no-postgres"


class NotOurs(OperatorError):
    """Somebody else made what lies where the cluster belongs."""

    code = "operator.not-our-cluster"


class LocalPostgres(LocalServer):
    """One server in `directory`, on `port` or a free one, which it keeps over restarts.

    What is not `durable` survives a kill of its processes, and no loss of power: the system still writes what
    it was given, only nobody waits for the disk.
    """

    def __init__(self, directory: Path, *, port: int | None = None, durable: bool = True) -> None:
        super().__init__(directory)
        self.data = _reachable(directory)
        self._durable = durable
        self._password_file = self.data.with_suffix(".password")
        self._part = self.data.with_suffix(".part")
        self.port = port or free_port()

    def start(self) -> None:
        """Make the cluster where there is none, and answer when this returns. Raises NoPostgres, NotOurs."""
        binaries = _binaries()
        user = unprivileged_user("postgres")  # it refuses to run as root
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.data.parent != self.directory:
            _passable(self.data.parent)
            note = (
                f"The files of this PostgreSQL lie in {self.data}, which its own user can reach, and its "
                f"administrator's password in {self._password_file}. A backup of this directory needs both; "
                "whoever removes it removes them too.\n"
            )
            write_secret(self.directory / "where", note.encode())
        shutil.rmtree(self._part, ignore_errors=True)  # of a start that was cut short
        if not os.path.lexists(self.data):
            try:
                self._make(binaries, user)
            finally:
                shutil.rmtree(self._part, ignore_errors=True)  # what a failed start leaves is found by nobody
        _check_owner(self.data, user)
        configuration = _CONFIGURATION | {"port": str(self.port), "fsync": "on" if self._durable else "off"}
        log = self.directory / "log"
        deadline = time.monotonic() + _ORPHANS_SECONDS
        while True:
            self._process = start_child(
                [
                    *(binaries / "postgres", "-D", str(self.data)),
                    *(f"--{name}={value}" for name, value in configuration.items()),
                ],
                log=log,
                user=user,
                cwd="/",
            )
            try:
                return wait_until(self.answers, self._process, "PostgreSQL", log=log)
            except ServerDidNotStart as error:
                if time.monotonic() > deadline or not any(words in error.message for words in _ORPHANS):
                    raise
            time.sleep(0.2)

    def stop(self) -> None:
        """End open sessions and stop in order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": it waits for no client
            self._process.wait(60)
            self._process = None

    def kill(self) -> None:
        """kill -9 of the server, and with it of every session; `start` recovers."""
        if self._process is None:
            return
        backends = descendants(self._process.pid)
        kill_9(self._process)
        # A backend notices only when it next waits, and until the last is gone no server can start.
        for pid in backends:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process = None
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def destroy(self) -> None:
        """Stop, and leave no file behind."""
        self.kill()
        for directory in (self.data, self._part):
            shutil.rmtree(directory, ignore_errors=True)
        for file in (self._password_file, self.directory / "where", self.directory / "cluster"):
            file.unlink(missing_ok=True)

    def admin_url(self, database: str = "postgres") -> str:
        password = self._password_file.read_text().strip()
        return f"postgresql://{_ADMIN}:{password}@127.0.0.1:{self.port}/{database}"

    def settings(self, database: str, password_dir: Path) -> DatabaseSettings:
        """How services reach `database`: over TLS, with the server's name checked."""
        trusted = f"sslmode=verify-full&sslrootcert={self.data / 'tls' / 'ca.pem'}"
        return DatabaseSettings(
            url=f"postgresql://127.0.0.1:{self.port}/{database}?{trusted}", password_dir=password_dir
        )

    def answers(self, database: str = "postgres") -> bool:
        try:
            with psycopg.connect(self.admin_url(database), connect_timeout=5):
                return True
        except (OSError, psycopg.OperationalError):
            return False

    def create_database(self, name: str, *, template: str = "template1") -> None:
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )

    def ensure_database(self, name: str) -> None:
        with psycopg.connect(self.admin_url(), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if not there:
            self.create_database(name)

    def drop_database(self, name: str) -> None:
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_url(), autocommit=True) as connection:
            connection.execute(statement)

    def _make(self, binaries: Path, user: str | None) -> None:
        """The cluster, its certificates and the password, which all have their names only once it is whole.

        Until then they lie in a directory that is ours alone: of what we write nothing is where the server's
        user could have put a link.
        """
        self._part.mkdir(mode=0o700)
        cluster, tls, password = self._part / "cluster", self._part / "tls", self._part / "password"
        cluster.mkdir(mode=0o700)
        tls.mkdir(mode=0o700)
        write_certificates(tls)
        write_secret(password, f"{secrets.token_urlsafe(24)}\n".encode())
        if user is not None:
            for path in (cluster, *tls.iterdir(), tls, password):
                shutil.chown(path, user)
            self._part.chmod(0o711)
        done = subprocess.run(
            [
                *(binaries / "initdb", "-D", str(cluster), "-U", _ADMIN, "--auth=scram-sha-256"),
                *(f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8"),
                *(() if self._durable else ("--no-sync",)),
            ],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=user,
            cwd="/",
            preexec_fn=die_with_parent,
        )
        if done.returncode != 0:
            raise NoPostgres(
                f"PostgreSQL could not make its files in {str(cluster)!r}:\n{done.stdout[-2000:]}"
            )
        tls.rename(cluster / "tls")
        password.replace(self._password_file)
        cluster.rename(self.data)
        self._part.rmdir()


def _binaries() -> Path:
    """The newest installed server's programs. Raises NoPostgres."""
    installed = sorted(Path(_PLACES).glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    found = [path.parent for path in installed if int(path.parts[-3]) >= _OLDEST]
    if not found:
        raise NoPostgres(
            f"there is no PostgreSQL {_OLDEST} or newer in {_PLACES}: run deploy/system-packages, or install "
            "Debian's package postgresql."
        )
    return found[-1]


def _reachable(directory: Path) -> Path:
    """Where the cluster's files lie: in `directory`, or, for another user who may not pass through what lies
    above it, in root's own place under a name that `directory` keeps. A directory that is made anew has a
    cluster of its own: it has other keys too."""
    if os.geteuid() != 0:
        return directory / "data"
    directory.mkdir(parents=True, exist_ok=True)
    scratch = directory / f"cluster.{secrets.token_hex(4)}"
    write_secret(scratch, f"postgres-{secrets.token_hex(8)}".encode())
    with suppress(FileExistsError):  # it has a name already
        os.link(scratch, directory / "cluster")
    scratch.unlink()
    return _OF_ROOT / (directory / "cluster").read_text()


def _passable(place: Path) -> None:
    """Make `place`, where others may pass through and nobody but root puts anything. Raises NotOurs."""
    with suppress(FileExistsError):
        place.mkdir(mode=0o711)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise NotOurs(
            f"{str(place)!r} is not a directory that root alone may write",
            mend="Remove it, or run as another user than root: the files lie in the data directory then.",
        )
    place.chmod(0o711)  # whatever our umask is


def _check_owner(data: Path, user: str | None) -> None:
    """Raises NotOurs unless `data` is a directory of `user`'s (None: ours)."""
    found = data.lstat()
    owner = os.geteuid() if user is None else pwd.getpwnam(user).pw_uid
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise NotOurs(
            f"{str(data)!r} is not a directory of {user or 'this user'!r}, as whom PostgreSQL runs",
            mend="Move it away, or give it to that user.",
        )


def main() -> None:
    """Run a server until SIGTERM: what `make up-full` starts."""
    parser = argparse.ArgumentParser(description="PostgreSQL on loopback.")
    parser.add_argument("--data", type=Path, required=True, help="where its files lie")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", default="curbside", help="made where it is not there")
    arguments = parser.parse_args()
    server = LocalPostgres(arguments.data, port=arguments.port)

    def started() -> str:
        server.ensure_database(arguments.database)
        return f"PostgreSQL listens on 127.0.0.1:{server.port}, database {arguments.database}"

    hold(server, started)


if __name__ == "__main__":
    main()
