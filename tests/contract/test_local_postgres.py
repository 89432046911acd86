"""PostgreSQL on this machine: nobody else's files are taken for its own, and no half of a cluster for one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from curbside.testing.servers.postgres import LocalPostgres, NoPostgres, NotOurs, _passable
from curbside.testing.servers.process import free_port

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="for root alone the files lie elsewhere")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalPostgres]:
    server = LocalPostgres(tmp_path / "postgres", durable=False)
    try:
        yield server
    finally:
        server.destroy()


def plant(server: LocalPostgres, elsewhere: Path) -> None:
    """What somebody does who knows where the cluster will be."""
    server.data.parent.mkdir(exist_ok=True)
    elsewhere.mkdir()
    server.data.symlink_to(elsewhere)


def test_a_cluster_is_made_whole_and_is_found_again(server: LocalPostgres) -> None:
    left_by_a_kill = server.data.with_suffix(".part") / "cluster"
    left_by_a_kill.mkdir(parents=True)
    (left_by_a_kill / "PG_VERSION").write_text("15\n")
    server.start()
    server.create_database("kept")
    server.stop()
    assert not server.data.with_suffix(".part").exists()
    assert not (server.data / "postmaster.pid").exists()
    server.start()
    assert server.answers("kept")
    with psycopg.connect(server.admin_url("kept")) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("off",)
        assert connection.execute("SHOW ssl").fetchone() == ("on",)
    password = server.data.with_suffix(".password")
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    data = server.data
    server.destroy()
    assert not data.exists()
    assert not password.exists()


def test_a_cluster_that_cannot_be_made_leaves_nothing(
    server: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curbside.testing.servers.postgres._ADMIN", "pg_not_for_us")  # reserved to the server
    with pytest.raises(NoPostgres, match="could not make its files"):
        server.start()
    assert not server.data.exists()
    assert not server.data.with_suffix(".part").exists()


def test_what_somebody_put_where_the_cluster_belongs_is_refused(
    server: LocalPostgres, tmp_path: Path
) -> None:
    plant(server, tmp_path / "elsewhere")
    try:
        with pytest.raises(NotOurs, match="is not a directory of"):
            server.start()
        assert not list((tmp_path / "elsewhere").iterdir())
    finally:
        server.data.unlink()


def test_the_program_ends_with_a_sentence_and_status_2(server: LocalPostgres, tmp_path: Path) -> None:
    plant(server, tmp_path / "elsewhere")
    program = (sys.executable, "-m", "curbside.testing.servers.postgres")
    options = ("--data", str(server.directory), "--port", str(free_port()))
    try:
        done = subprocess.run([*program, *options], capture_output=True, text=True, check=False)
    finally:
        server.data.unlink()
    assert done.returncode == 2
    assert done.stderr.startswith(f"curbside: {str(server.data)!r} is not a directory of")
    assert done.stderr.count("\n") == 1


@as_root
def test_a_note_says_where_the_files_of_roots_cluster_lie(server: LocalPostgres) -> None:
    server.start()
    assert str(server.data) in (server.directory / "where").read_text()
    above = server.data.parent.stat()
    assert (above.st_uid, stat.S_IMODE(above.st_mode)) == (0, 0o711)
    assert server.data.stat().st_uid not in (0, above.st_uid)


@as_root
def test_root_takes_no_place_that_others_may_change(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    _passable(ours)
    _passable(ours)
    link, shared, given = tmp_path / "link", tmp_path / "shared", tmp_path / "given"
    link.symlink_to(ours)
    shared.mkdir()
    shared.chmod(0o777)
    given.mkdir()
    os.chown(given, 65534, 65534)
    for place in (link, shared, given):
        with pytest.raises(NotOurs, match="root alone"):
            _passable(place)


def test_one_that_was_killed_is_followed_once_its_last_session_is_gone(server: LocalPostgres) -> None:
    server.start()
    with psycopg.connect(server.admin_url()) as connection:
        session = connection.info.backend_pid
        os.kill(session, signal.SIGSTOP)  # one that is busy, and does not see that its server is no more
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        log = server.directory / "log"

        def let_go() -> None:
            while "pre-existing shared memory block" not in log.read_text():
                time.sleep(0.05)
            os.kill(session, signal.SIGCONT)

        following = threading.Thread(target=let_go, daemon=True)
        following.start()
        server.start()
        following.join()
    assert server.answers()
