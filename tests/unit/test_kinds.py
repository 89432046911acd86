"""A data directory knows whose it is: no command takes an installation on servers for one of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from curbside.errors import OperatorError
from curbside.runtime.carrying import carry
from curbside.runtime.carrying_from import NotEmbedded, NothingThere
from curbside.runtime.client import NotRunning, connect
from curbside.runtime.doctor import examine
from curbside.runtime.full import PROCESSES, Occupied, carry_to_local_servers
from curbside.runtime.installation import provide_tokens
from curbside.runtime.kinds import (
    HalfCarried,
    Kind,
    OtherKind,
    ServersNotNamed,
    ServersNotRunning,
    begin_carrying,
    check_kind,
    end_carrying,
    kind_of,
    record_kind,
    record_servers,
)
from curbside.runtime.platform import halves, key_ring, open_data_keys
from curbside.runtime.supervisor import lock_path
from curbside.runtime.upkeep import (
    NothingWrapped,
    Unfinished,
    bus_status,
    create_token,
    grow_topic,
    migrate_all,
    replay,
    revoke_token,
    rewrap_keys,
    rotate_key,
    verify_audit,
)
from curbside.settings import Profile, RuntimeSettings
from curbside.storage.keys import DamagedKey, DataKeys
from curbside.storage.zones import Zone

TOPIC = "curbside.reports.received.v1"
COMMANDS: dict[str, Callable[[RuntimeSettings], object]] = {
    "token create": lambda settings: create_token(settings, ["steward"], "ward", 1),
    "token revoke": lambda settings: revoke_token(settings, "t"),
    "audit verify": verify_audit,
    "bus status": bus_status,
    "bus replay": lambda settings: replay(settings, TOPIC),
    "bus grow": lambda settings: grow_topic(settings, TOPIC, 9),
    "migrate": migrate_all,
    "keys rotate": lambda settings: rotate_key(settings, "phi"),
    "keys rewrap": lambda settings: rewrap_keys(settings, "phi"),
}
SERVERS = {
    "database": {"url": "postgresql://127.0.0.1:1/curbside", "password_dir": "/p"},
    "kafka": {"bootstrap_servers": "127.0.0.1:2", "username": "curbside", "replication_factor": 1},
    "blobs": {"bucket": "curbside", "endpoint": "https://127.0.0.1:3"},
}


def files(data: Path) -> list[str]:
    return sorted(path.name for path in data.iterdir())


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_without_its_servers_a_full_installation_is_left_alone(
    command: Callable[[RuntimeSettings], object], runtime: RuntimeSettings
) -> None:
    record_kind(runtime, Kind.FULL)
    with pytest.raises(ServersNotRunning) as refused:
        command(runtime)
    assert refused.value.sentence.endswith(f"`curbside up --full --data {runtime.data}`.")
    assert files(runtime.data) == ["installation"]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_nothing_is_made_where_nothing_ran(
    command: Callable[[RuntimeSettings], object], runtime: RuntimeSettings
) -> None:
    with pytest.raises(OperatorError, match="there is no installation"):
        command(runtime)
    assert not runtime.data.exists()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_what_lies_on_servers_that_nobody_names_is_left_alone(
    command: Callable[[RuntimeSettings], object], runtime: RuntimeSettings
) -> None:
    record_kind(runtime, Kind.SERVERS)
    with pytest.raises(ServersNotNamed, match="CURBSIDE_DATABASE__URL and CURBSIDE_KAFKA__"):
        command(runtime)
    assert files(runtime.data) == ["installation"]


def test_the_servers_of_a_full_installation_are_used_while_they_run_and_what_is_named_wins(
    runtime: RuntimeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_kind(runtime, Kind.FULL)
    record_servers(runtime.data, SERVERS)
    (runtime.data / "run").mkdir()
    with FileLock(lock_path(runtime.data, "servers")):
        monkeypatch.setenv("CURBSIDE_DATABASE__POOL_SIZE", "3")
        found = halves(runtime)
        assert (found.database.url, found.database.pool_size) == (SERVERS["database"]["url"], 3)
        assert (found.kafka.username, found.kafka.replication_factor) == ("curbside", 1)
        assert found.blobs.endpoint == "https://127.0.0.1:3"
        monkeypatch.setenv("CURBSIDE_KAFKA__BOOTSTRAP_SERVERS", "elsewhere:9092")
        found = halves(runtime)
        # No server gets another's user and password.
        assert (found.kafka.bootstrap_servers, found.kafka.username) == ("elsewhere:9092", None)
        assert found.database.url == SERVERS["database"]["url"]
    with pytest.raises(ServersNotRunning):
        halves(runtime)


def test_a_command_of_a_stopped_full_installation_asks_no_other_ones_address(
    runtime: RuntimeSettings,
) -> None:
    record_kind(runtime, Kind.FULL)
    (runtime.data / "run").mkdir()
    (runtime.data / "run" / "admin-token").write_text("t")
    with pytest.raises(NotRunning, match="curbside up --full --data"):
        connect(runtime)


def test_doctor_looks_at_a_full_installation_and_not_at_the_ports_of_another(
    runtime: RuntimeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    record_kind(runtime, Kind.FULL)
    examine(runtime)
    said = " ".join(capsys.readouterr().out.split())
    assert "do not run" in said
    assert str(runtime.http_port) not in said


def test_servers_of_ones_own_are_no_files_and_no_full_installation(runtime: RuntimeSettings) -> None:
    record_kind(runtime, Kind.SERVERS)
    check_kind(runtime, Kind.SERVERS)
    for kind in (Kind.EMBEDDED, Kind.FULL):
        with pytest.raises(OtherKind, match="servers of your own"):
            check_kind(runtime, kind)


# Keys


@pytest.fixture
def keys(runtime: RuntimeSettings) -> DataKeys:
    """Those of an embedded installation."""
    provide_tokens(runtime)
    return open_data_keys(runtime, key_ring(runtime), "ingestion")


def test_a_key_is_replaced_once_every_data_key_opens_with_the_new_one(
    runtime: RuntimeSettings, keys: DataKeys
) -> None:
    made = [keys.get_or_create(Zone.PHI, "default", name) for name in ("one", "two")]
    old = key_ring(runtime).key("kek-phi")
    assert rotate_key(runtime, "phi") == "2 data keys of phi wrapped anew; the new key opens all 2"
    assert key_ring(runtime).key("kek-phi") != old
    assert not list(runtime.keys.glob("*retired*"))
    again = open_data_keys(runtime, key_ring(runtime), "ingestion")
    assert [again.get(Zone.PHI, "default", name) for name in ("one", "two")] == made


def test_a_store_without_a_data_key_costs_no_key(runtime: RuntimeSettings, keys: DataKeys) -> None:
    old = key_ring(runtime).key("kek-phi")
    with pytest.raises(NothingWrapped, match="nothing was changed"):
        rotate_key(runtime, "phi")
    assert key_ring(runtime).key("kek-phi") == old
    key_ring(runtime).rotate("kek-phi")
    assert "stays where it is" in rewrap_keys(runtime, "phi")
    assert key_ring(runtime).read_again("kek-phi")[1] == old


def test_in_production_a_mounted_key_is_given_up_by_no_empty_store(
    runtime: RuntimeSettings, keys: DataKeys
) -> None:
    key_ring(runtime).key("kek-phi")
    mounted = runtime.model_copy(update={"profile": Profile.PRODUCTION})
    with pytest.raises(NothingWrapped):
        rewrap_keys(mounted, "phi")
    keys.get_or_create(Zone.PHI, "default", "one")
    key_ring(runtime).rotate("kek-phi")
    assert rewrap_keys(mounted, "phi").startswith(
        "1 data keys of phi wrapped anew; the new key opens 1 of 1."
    )
    assert (runtime.keys / "kek-phi.retired.key").exists()


def test_a_store_of_other_keys_costs_no_key(runtime: RuntimeSettings, keys: DataKeys) -> None:
    keys.get_or_create(Zone.PHI, "default", "one")
    (runtime.keys / "kek-phi.key").write_text("0" * 64)
    with pytest.raises(DamagedKey):
        rotate_key(runtime, "phi")
    assert (runtime.keys / "kek-phi.key").read_text() == "0" * 64


def test_the_old_key_stays_while_a_data_key_needs_it(
    runtime: RuntimeSettings, keys: DataKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.get_or_create(Zone.PHI, "default", "one")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(DataKeys, "rewrap", lambda *_: 0)  # it passed before a service wrapped one
        with pytest.raises(Unfinished, match="1 of 1 data keys of phi still need"):
            rotate_key(runtime, "phi")
    assert (runtime.keys / "kek-phi.retired.key").exists()
    assert rewrap_keys(runtime, "phi") == "1 data keys of phi wrapped anew; the new key opens all 1"
    assert not (runtime.keys / "kek-phi.retired.key").exists()


# What is carried


@pytest.mark.parametrize("kind", [Kind.FULL, Kind.SERVERS])
def test_only_what_lies_in_files_is_carried(kind: Kind, runtime: RuntimeSettings, tmp_path: Path) -> None:
    provide_tokens(runtime)  # a mistake's stray database
    record_kind(runtime, kind)
    target = RuntimeSettings(data_dir=tmp_path / "target")
    for refused in (
        lambda: carry(runtime.data, target),
        lambda: carry_to_local_servers(runtime.data, target, PROCESSES),
    ):
        with pytest.raises(NotEmbedded, match="only an installation of `curbside up`"):
            refused()
    assert not target.data.exists()


def test_a_source_that_is_not_there_is_found_before_a_server_is_started(
    runtime: RuntimeSettings, tmp_path: Path
) -> None:
    with pytest.raises(NothingThere, match="--from"):
        carry_to_local_servers(tmp_path / "typo", runtime, PROCESSES)
    assert not runtime.data.exists()


def test_an_occupied_place_is_said_to_be_occupied(runtime: RuntimeSettings, tmp_path: Path) -> None:
    provide_tokens(runtime)
    migrate_all(runtime)
    target = RuntimeSettings(data_dir=tmp_path / "target")
    record_kind(target, Kind.FULL)
    with pytest.raises(Occupied, match="already"):
        carry_to_local_servers(runtime.data, target, PROCESSES)
    assert files(target.data) == ["installation"]
    assert kind_of(runtime.data) is Kind.EMBEDDED


def test_the_files_that_are_carried_from_run_on(runtime: RuntimeSettings) -> None:
    begin_carrying(runtime.data, runtime.data, Kind.SERVERS)
    check_kind(runtime, Kind.EMBEDDED)


def test_what_ran_with_a_server_beside_its_files_does_not_run_without_it(
    runtime: RuntimeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = "CURBSIDE_KAFKA__BOOTSTRAP_SERVERS"
    record_kind(runtime, Kind.EMBEDDED)
    monkeypatch.setenv(kafka, "127.0.0.1:9094")
    with pytest.raises(OtherKind) as refused:
        check_kind(runtime, Kind.EMBEDDED)
    assert f"unset {kafka}" in refused.value.sentence
    mixed = RuntimeSettings(data_dir=tmp_path / "mixed")
    record_kind(mixed, Kind.EMBEDDED)
    check_kind(mixed, Kind.EMBEDDED)
    with pytest.raises(NotEmbedded, match=kafka):
        carry(mixed.data, runtime)
    monkeypatch.delenv(kafka)
    with pytest.raises(OtherKind) as refused:
        check_kind(mixed, Kind.EMBEDDED)
    assert f"set {kafka} as it was" in refused.value.sentence
    assert kind_of(mixed.data) is Kind.EMBEDDED


def test_what_an_earlier_release_noted_runs_as_its_settings_say(
    runtime: RuntimeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.data.mkdir(parents=True)
    (runtime.data / "installation").write_text("embedded\n")
    monkeypatch.setenv("CURBSIDE_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9094")
    check_kind(runtime, Kind.EMBEDDED)


def test_nothing_runs_on_what_is_half_carried(runtime: RuntimeSettings, tmp_path: Path) -> None:
    source = tmp_path / "source"
    begin_carrying(runtime.data, source, Kind.FULL)
    for carrying in (None, tmp_path / "other"):
        for kind in Kind:
            with pytest.raises(HalfCarried) as refused:
                check_kind(runtime, kind, carrying=carrying)
            command = f"`curbside migrate --from {source} --full --data {runtime.data}`"
            assert command in refused.value.sentence
    with pytest.raises(HalfCarried):
        bus_status(runtime)
    check_kind(runtime, Kind.FULL, carrying=source)
    end_carrying(runtime.data)
    check_kind(runtime, Kind.FULL)
