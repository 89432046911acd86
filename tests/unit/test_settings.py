"""A setting that cannot be meant is one sentence at the start, which names it and what to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from curbside.bus.kafka import BusRefused, check_settings
from curbside.runtime.named import check_environment
from curbside.runtime.platform import open_bus
from curbside.settings import BadSetting, KafkaSettings, Profile, RuntimeSettings
from curbside.testing.servers.certificates import write_certificates

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"CURBSIDE_[A-Z]+__[A-Z0-9]+(?:_[A-Z0-9]+)*\b(?!_)")


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("CURBSIDE_KAFKA__BOOTSTRAP_SERVER", "CURBSIDE_KAFKA__BOOTSTRAP_SERVERS"),
        ("CURBSIDE_DATABASE__URI", "CURBSIDE_DATABASE__URL"),
        ("curbside_blobs__buckets", "CURBSIDE_BLOBS__BUCKET"),
        ("CURBSIDE_KAFKAS__USERNAME", "CURBSIDE_KAFKA__USERNAME"),
        ("CURBSIDE_ENGINE__PROT", "CURBSIDE_ENGINE__PORT"),
    ],
)
def test_a_misspelled_setting_is_an_error_that_names_the_nearest(
    variable: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_environment()
    monkeypatch.setenv(variable, "a secret")
    with pytest.raises(BadSetting) as refused:
        check_environment()
    assert refused.value.sentence == f"there is no setting {variable}. Unset it, or write {nearest}."


def test_what_tests_and_kubernetes_set_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CURBSIDE_TEST_KAFKA", "CURBSIDE_INGESTION_SERVICE_HOST", "CURBSIDE_INGESTION_PORT"):
        monkeypatch.setenv(name, "x")
    check_environment()


@pytest.mark.parametrize(
    "place", ["README.md", "docs", "charts", "deploy", "skaffold.yaml", "libs", "services", "benchmarks"]
)
def test_every_setting_that_is_named_anywhere_is_one(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = ROOT / place
    paths = [root] if root.is_file() else [path for path in root.rglob("*") if path.is_file()]
    for path in paths:
        if path.suffix in (".py", ".md", ".yaml", ".tpl", ".txt") or path.name.startswith("Dockerfile"):
            for name in NAME.findall(path.read_text()):
                monkeypatch.setenv(name, "x")
    check_environment()


def kafka(**fields: object) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers="127.0.0.1:9", **fields)  # type: ignore[arg-type]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    write_certificates(tmp_path)
    (tmp_path / "password").write_text("x\n")
    (tmp_path / "empty").write_text("\n")
    return tmp_path


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "USERNAME"),
        ({"username": "u"}, "PASSWORD_FILE"),
        ({"username": "u", "password_file": "nothing"}, "PASSWORD_FILE"),
        ({"username": "u", "password_file": "empty"}, "PASSWORD_FILE"),
        ({"username": "u", "password_file": "password", "ca_file": "nothing"}, "CA_FILE"),
        ({"username": "u", "password_file": "password", "ca_file": "password"}, "CA_FILE"),
        ({"security_protocol": "SSL", "certificate_file": "nothing"}, "CERTIFICATE_FILE"),
        ({"security_protocol": "SSL", "certificate_file": "password"}, "CERTIFICATE_FILE"),
        ({"security_protocol": "SSL", "certificate_file": "server.pem", "key_file": "no"}, "KEY_FILE"),
    ],
)
def test_settings_by_which_no_broker_can_be_reached_end_the_start(
    fields: dict[str, str],
    field: str,
    secrets: Path,
    runtime: RuntimeSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CURBSIDE_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9")
    for name, value in fields.items():
        path = str(secrets / value) if name.endswith("_file") else value
        monkeypatch.setenv(f"CURBSIDE_KAFKA__{name.upper()}", path)
    with pytest.raises((BadSetting, BusRefused)) as refused:
        open_bus(runtime)
    assert f"CURBSIDE_KAFKA__{field}" in refused.value.sentence
    assert refused.value.field == field.lower()


@pytest.mark.parametrize("servers", ["kafka", "kafka:", ":9092", "a:9092,", "a:b"])
def test_servers_without_a_port_are_refused(servers: str) -> None:
    settings = kafka(security_protocol="PLAINTEXT")
    check_settings(settings, Profile.DEVELOPMENT)
    with pytest.raises(BadSetting, match="host:port"):
        check_settings(settings.model_copy(update={"bootstrap_servers": servers}), Profile.DEVELOPMENT)


def test_what_is_whole_is_taken(secrets: Path) -> None:
    check_settings(
        kafka(username="u", password_file=secrets / "password", ca_file=secrets / "ca.pem"),
        Profile.PRODUCTION,
    )
