"""What the chart says of the code is what the code has."""

from __future__ import annotations

import importlib
import pkgutil
import re
import secrets
import stat
import subprocess
from pathlib import Path

import httpx2
import pytest
import yaml
from manifests import SETS, Charts, Notes, container, environment, mounted_keys, named, pod_specs
from pydantic_settings import BaseSettings
from rendering import CHART, ROOT

from curbside.identity.principal import Role
from curbside.runtime.health import LIVE_PATH, METRICS_PATH, READY_PATH
from curbside.runtime.services import CHILDREN, SERVICES
from curbside.settings import Profile, RuntimeSettings, child_environment
from curbside.storage.zones import key_names
from curbside.testing.platform import open_test_platform


def all_settings() -> dict[str, type[BaseSettings]]:
    """Every settings class of the code, by its prefix."""
    modules = [importlib.import_module(name) for name in ("curbside.settings", "curbside.runtime.provision")]
    for service in SERVICES:
        package = importlib.import_module(f"curbside_{service}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith(".settings"):
                modules.append(importlib.import_module(module.name))
    return {
        str(value.model_config["env_prefix"]): value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseSettings) and value is not BaseSettings
    }


@pytest.fixture(scope="session")
def variables() -> dict[str, type[BaseSettings]]:
    return {
        f"{prefix}{field.upper()}": settings
        for prefix, settings in all_settings().items()
        for field in settings.model_fields
    }


@pytest.mark.parametrize("values", SETS)
def test_every_setting_in_the_chart_is_one_that_the_code_reads(
    charts: Charts, variables: dict[str, type[BaseSettings]], values: str
) -> None:
    used = {
        entry["name"]
        for _, spec in pod_specs(charts[values])
        for one in spec["containers"]
        for entry in one["env"]
        if entry["name"].startswith("CURBSIDE_")
    }
    assert used
    assert used - set(variables) == set()


@pytest.mark.parametrize("values", SETS)
def test_every_setting_in_the_chart_has_a_value_that_the_code_accepts(
    charts: Charts, variables: dict[str, type[BaseSettings]], values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _, spec in pod_specs(charts[values]):
        with monkeypatch.context() as patch:
            present = {
                name: value
                for one in spec["containers"]
                for name, value in environment(one).items()
                if name.startswith("CURBSIDE_")
            }
            for name, value in present.items():
                patch.setenv(name, value)
            for settings in {variables[name] for name in present}:
                settings()


@pytest.mark.parametrize(
    "name", ["deploy/docker/Dockerfile", "charts/curbside/values.yaml", "deploy/README.md"]
)
def test_settings_named_in_recipes_and_comments_exist(
    variables: dict[str, type[BaseSettings]], name: str
) -> None:
    named_there = set(re.findall(r"CURBSIDE_[A-Z]+__[A-Z_]+", (ROOT / name).read_text()))
    assert named_there - set(variables) == set()


@pytest.mark.parametrize("values", SETS)
def test_ports_are_those_that_the_code_listens_on(charts: Charts, values: str) -> None:
    defaults = {name: field.default for name, field in RuntimeSettings.model_fields.items()}
    for service in SERVICES:
        one = container(charts[values], service)
        ports = {port["name"]: port["containerPort"] for port in one["ports"]}
        assert ports.pop("http") == defaults["http_port"]
        assert ports.pop("grpc", defaults["grpc_port"]) == defaults["grpc_port"]
        assert not ports
        assert environment(one)["CURBSIDE_RUNTIME__HTTP_PORT"] == str(defaults["http_port"])
        assert environment(one)["CURBSIDE_RUNTIME__GRPC_PORT"] == str(defaults["grpc_port"])


def test_the_embedded_engine_listens_where_its_service_points(charts: Charts) -> None:
    from curbside_inference.engine.settings import EngineSettings

    port = EngineSettings.model_fields["port"].default
    engine = container(charts["skaffold"], "engine")
    assert [one["containerPort"] for one in engine["ports"]] == [port]
    assert environment(engine)["CURBSIDE_ENGINE__PORT"] == str(port)
    url = environment(container(charts["skaffold"], "inference"))["CURBSIDE_INFERENCE__ENGINE_URL"]
    assert url == f"http://curbside-engine:{port}"


@pytest.mark.parametrize("values", SETS)
def test_grpc_is_offered_by_the_services_that_speak_it(charts: Charts, values: str) -> None:
    offered = {
        service
        for service in SERVICES
        if "grpc" in {port["name"] for port in container(charts[values], service)["ports"]}
    }
    speaks = {
        path.parent.name.removeprefix("curbside_") for path in (ROOT / "services").glob("curbside_*/grpc.py")
    }
    assert offered == speaks


@pytest.mark.parametrize("values", SETS)
def test_a_services_port_reaches_a_port_of_its_pod(charts: Charts, values: str) -> None:
    for document in charts[values]:
        if document["kind"] == "Service":
            pod = named(charts[values], "Deployment", document["metadata"]["name"])["spec"]
            assert document["spec"]["selector"] == pod["selector"]["matchLabels"]
            labels = pod["template"]["metadata"]["labels"]
            assert document["spec"]["selector"].items() <= labels.items()
            (one,) = pod["template"]["spec"]["containers"]
            assert {port["targetPort"] for port in document["spec"]["ports"]} == {
                port["name"] for port in one["ports"]
            }


@pytest.mark.parametrize("values", SETS)
def test_probes_ask_paths_that_the_code_answers(charts: Charts, values: str) -> None:
    for service in SERVICES:
        one = container(charts[values], service)
        assert one["livenessProbe"]["httpGet"] == {"path": LIVE_PATH, "port": "http"}
        assert one["startupProbe"]["httpGet"] == {"path": LIVE_PATH, "port": "http"}
        assert one["readinessProbe"]["httpGet"] == {"path": READY_PATH, "port": "http"}


def test_monitors_scrape_the_path_that_the_code_answers(charts: Charts) -> None:
    monitors = [d for d in charts["closed"] if d["kind"] == "ServiceMonitor"]
    assert {d["metadata"]["name"] for d in monitors} == {f"curbside-{s}" for s in (*SERVICES, "tgi")}
    for monitor in monitors:
        (endpoint,) = monitor["spec"]["endpoints"]
        assert (endpoint["path"], endpoint["port"]) == (METRICS_PATH, "http")


@pytest.mark.parametrize("values", SETS)
def test_commands_are_ones_that_curbside_serve_accepts(charts: Charts, values: str) -> None:
    for name, spec in pod_specs(charts[values]):
        service = name.removeprefix("curbside-")
        for one in spec["containers"]:
            if service == "operations":
                assert one["command"] == ["sleep", "infinity"]  # its commands come by `kubectl exec`
                continue
            assert "command" not in one
            if service in (*SERVICES, *CHILDREN):
                assert one["args"] == ["serve", service]
            if service == "provision":
                assert one["args"] == ["provision"]


def test_images_are_built_for_every_service_and_start_it() -> None:
    recipe = (ROOT / "deploy/docker/Dockerfile").read_text()
    stages = re.findall(
        r'^FROM runtime AS (\w+)$(?:(?!^FROM).)*?^CMD \["serve", "(\w+)"\]', recipe, re.M | re.S
    )
    assert [stage for stage, _ in stages] == [service for _, service in stages] == [*SERVICES, "engine"]
    artifacts = yaml.safe_load((ROOT / "skaffold.yaml").read_text())["build"]["artifacts"]
    assert {one["image"]: one["docker"]["buildArgs"]["SERVICE"] for one in artifacts} == {
        f"curbside-{service}": service for service, _ in stages
    }


def test_health_checks_in_the_recipe_ask_paths_that_the_code_answers() -> None:
    from curbside_inference.engine.settings import EngineSettings

    asked = re.findall(
        r"urlopen\('http://127\.0\.0\.1:(\d+)(/\w+)'", (ROOT / "deploy/docker/Dockerfile").read_text()
    )
    http, engine = (
        settings.model_fields[field].default
        for settings, field in ((RuntimeSettings, "http_port"), (EngineSettings, "port"))
    )
    assert asked == [(str(http), LIVE_PATH), (str(engine), "/health")]


@pytest.mark.parametrize("values", SETS)
def test_addresses_in_settings_are_services_of_the_chart(charts: Charts, values: str) -> None:
    """host:port of every address that a pod is given, but Ray's head, whose Service KubeRay makes, and those
    of servers outside."""
    services = {
        f"{d['metadata']['name']}:{port['port']}"
        for d in charts[values]
        if d["kind"] == "Service"
        for port in d["spec"]["ports"]
    }
    for service in SERVICES:
        for name, value in environment(container(charts[values], service)).items():
            if name.endswith(("_URL", "_TARGET")) and name != "CURBSIDE_DATABASE__URL":
                assert value.removeprefix("http://") in services, name


def test_a_pod_stops_later_than_its_service_does(charts: Charts) -> None:
    grace = RuntimeSettings.model_fields["shutdown_grace"].default.total_seconds()
    for service in SERVICES:
        pod = named(charts["hub"], "Deployment", f"curbside-{service}")["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > grace


def test_a_service_mounts_the_keys_that_it_uses_and_no_others(charts: Charts) -> None:
    for service in SERVICES:
        mounted = mounted_keys(charts["hub"], service)
        assert mounted == {f"{name}.key": f"{name}.key" for name in key_names(service, "default")}


async def test_ingestion_takes_and_lists_a_report_in_production_with_the_keys_that_it_mounts(
    charts: Charts, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in mounted_keys(charts["hub"], "ingestion"):
        (keys / name).write_text(secrets.token_hex(32))
    settings = RuntimeSettings(
        profile=Profile.PRODUCTION, data_dir=tmp_path / "data", key_dir=keys, min_free_disk_bytes=0
    )
    async with open_test_platform("ingestion", tmp_path, settings=settings) as opened:
        transport = httpx2.ASGITransport(app=opened.app)
        headers = await opened.headers(Role.STEWARD)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            body = {"text": "FINDINGS: clear.", "external_id": "ACC-99871", "patient_id": "MRN-4471"}
            taken = await client.post("/ingestion/v1/reports", json=body)
            assert taken.status_code == 202, taken.text
            listed = await client.get("/ingestion/v1/reports")
            assert listed.status_code == 200, listed.text
            assert [report["external_id"] for report in listed.json()["reports"]] == ["ACC-99871"]


def test_following_the_notes_makes_every_key_in_a_directory_that_holds_nothing_else(
    notes: Notes, tmp_path: Path
) -> None:
    """The notes' own lines are run; kubectl is a script that prints the files that it would take."""
    printed = notes(tenant="ward-3")
    (lines,) = re.findall(r"Where the Secret does not exist yet:\n((?: {5}.*\n)+)", printed)
    programs = tmp_path / "bin"
    programs.mkdir()
    kubectl = programs / "kubectl"
    kubectl.write_text('#!/bin/sh\nfor last; do :; done\ncat "${last#--from-file=}"/*\n')
    kubectl.chmod(0o755)
    place = tmp_path / "home"
    place.mkdir()
    (place / "notes.txt").write_text("not a key")
    path = child_environment()["PATH"]
    done = subprocess.run(
        ["bash", "-eu", "-c", lines],
        cwd=place,
        env=child_environment(PATH=f"{programs}:{path}"),
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = {name for service in SERVICES for name in key_names(service, "ward-3")}
    made = {file.stem: file.read_text() for file in place.glob("*/*.key")}
    assert set(made) == wanted
    assert sorted(made.values()) == sorted(done.stdout.splitlines(keepends=True))
    assert {stat.S_IMODE(file.stat().st_mode) for file in place.glob("*/*.key")} == {0o600}


def test_the_notes_carry_the_notice() -> None:
    assert "does not replace it" in (CHART / "templates" / "NOTES.txt").read_text()


def test_ray_in_the_chart_is_the_ray_that_the_image_holds() -> None:
    pinned = re.search(r"^ray==(\S+)", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned
    assert yaml.safe_load((CHART / "values.yaml").read_text())["ray"]["version"] == pinned[1]


def test_metrics_in_alerts_and_dashboard_are_ones_that_the_code_has() -> None:
    from prometheus_client import REGISTRY

    importlib.import_module("curbside.telemetry.metrics")
    known = {name for family in REGISTRY.collect() for name in _series(family.name, family.type)}
    for path in ("prometheus/rules.yaml", "grafana/curbside.json"):
        text = (ROOT / "deploy" / path).read_text()
        used = set(re.findall(r"\bcurbside_\w+", text)) - {"curbside_engine"}
        assert used
        assert used - known == set()


def _series(name: str, kind: str) -> tuple[str, ...]:
    return {
        "counter": (f"{name}_total",),
        "histogram": (f"{name}_bucket", f"{name}_count", f"{name}_sum"),
    }.get(kind, (name,))


def test_the_image_context_holds_what_the_recipe_copies() -> None:
    recipe = (ROOT / "deploy/docker/Dockerfile").read_text()
    allowed = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.M)
    copied = [
        source for line in re.findall(r"^COPY (?!--from)(.*)$", recipe, re.M) for source in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(Path(source).is_relative_to(entry) for entry in allowed), source
