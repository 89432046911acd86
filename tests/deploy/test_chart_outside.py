"""The chart on Kafka, PostgreSQL and S3: who is given what, and what falls away with the volume."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from manifests import (
    OUTSIDE,
    Charts,
    Document,
    Render,
    container,
    environment,
    mounted_files,
    mounted_keys,
    named,
    pod_specs,
)

from curbside.bus.kafka import check_security
from curbside.runtime.command import app
from curbside.runtime.services import SERVICES
from curbside.settings import BlobSettings, DatabaseSettings, KafkaSettings, Profile, ProvisionSettings, load
from curbside.storage.postgres import OWNERS, checked_url, role_of
from curbside.storage.zones import GRANTS, PROVISION_KEYS, key_names

# In which an operator's commands run, apart from the services.
COMMANDS = ("provision", "operations")


def pods(documents: list[Document]) -> dict[str, Document]:
    return {name.removeprefix("curbside-"): spec for name, spec in pod_specs(documents)}


def container_of(spec: Document) -> Document:
    (one,) = spec["containers"]
    return dict(one)


def environment_of(spec: Document) -> dict[str, str]:
    return environment(container_of(spec))


@pytest.mark.parametrize("values", OUTSIDE)
def test_a_service_holds_the_password_of_its_own_role_alone(charts: Charts, values: str) -> None:
    wanted = {service: {role_of(service)} for service in SERVICES}
    wanted |= {name: {role_of(owner) for owner in OWNERS} for name in COMMANDS}
    for name, roles in wanted.items():
        spec = pods(charts[values])[name]
        place = environment_of(spec)["CURBSIDE_DATABASE__PASSWORD_DIR"]
        files = {path: entry for path, (_, entry) in mounted_files(spec).items() if path.startswith(place)}
        assert files == {f"{place}/{role}.password": f"{role}.password" for role in roles}, name


@pytest.mark.parametrize("values", OUTSIDE)
def test_who_opens_no_zone_knows_nothing_of_s3(charts: Charts, values: str) -> None:
    openers = {service for service, zones in GRANTS.items() if zones} | {"provision"}
    for name in (*SERVICES, *COMMANDS):
        spec = pods(charts[values])[name]
        told = {variable for variable in environment_of(spec) if variable.startswith("CURBSIDE_BLOBS__")}
        mounted = {secret for secret, _ in mounted_files(spec).values()}
        assert bool(told) == ("curbside-s3" in mounted) == (name in openers), name


@pytest.mark.parametrize("values", OUTSIDE)
def test_the_administrators_url_is_the_jobs_alone(charts: Charts, values: str) -> None:
    (holder,) = [
        name
        for name, spec in pods(charts[values]).items()
        if "curbside-database-administrator" in str(spec["volumes"])
    ]
    assert holder == "provision"
    spec = pods(charts[values])[holder]
    place = environment_of(spec)["CURBSIDE_PROVISION__DATABASE_ADMIN_URL_FILE"]
    assert mounted_files(spec)[place] == ("curbside-database-administrator", "url")
    assert "database_admin_url_file" in ProvisionSettings.model_fields


def test_the_job_runs_a_command_that_there_is(charts: Charts) -> None:
    (command,) = container_of(pods(charts["outside"])["provision"])["args"]
    assert command in {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}


@pytest.mark.parametrize("values", OUTSIDE)
def test_the_job_has_the_keys_that_migrations_seal_with_and_no_others(charts: Charts, values: str) -> None:
    assert mounted_keys(charts[values], "provision") == {
        f"{name}.key": f"{name}.key" for name in PROVISION_KEYS
    }
    job = environment_of(pods(charts[values])["provision"])
    assert (
        job["CURBSIDE_RUNTIME__KEY_DIR"]
        == environment_of(pods(charts[values])["datasets"])["CURBSIDE_RUNTIME__KEY_DIR"]
    )


def test_without_an_administrators_url_roles_are_left_alone(outside_with: Render) -> None:
    spec = pods(outside_with(**{"provision.adminUrlSecret": ""}))["provision"]
    assert "CURBSIDE_PROVISION__DATABASE_ADMIN_URL_FILE" not in environment_of(spec)
    assert not [path for path in mounted_files(spec) if "admin" in path]


@pytest.mark.parametrize("values", OUTSIDE)
def test_every_file_that_a_variable_names_is_mounted(charts: Charts, values: str) -> None:
    for name in (*SERVICES, *COMMANDS):
        spec = pods(charts[values])[name]
        variables = environment_of(spec)
        wanted = {
            value
            for variable, value in variables.items()
            if re.match(r"CURBSIDE_(KAFKA|BLOBS|PROVISION)__\w+_FILE$", variable)
        }
        wanted |= {re.findall(r"sslrootcert=([^&]+)", variables["CURBSIDE_DATABASE__URL"])[0]}
        passwords = variables["CURBSIDE_DATABASE__PASSWORD_DIR"]
        mounted = {path for path in mounted_files(spec) if not path.startswith(passwords)}
        assert wanted == mounted, name


@pytest.mark.parametrize("values", OUTSIDE)
def test_the_code_accepts_the_servers_in_production(
    charts: Charts, values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment(container(charts[values], "ingestion")).items():
        monkeypatch.setenv(variable, value)
    assert environment(container(charts[values], "ingestion"))["CURBSIDE_RUNTIME__PROFILE"] == "production"
    check_security(load(KafkaSettings), Profile.PRODUCTION)
    url = checked_url(load(DatabaseSettings), Profile.PRODUCTION)
    assert url.query["sslrootcert"] == "/etc/curbside/postgresql/ca.crt"
    assert (load(BlobSettings).endpoint or "https://").startswith("https://")


def test_all_servers_are_named_as_the_values_name_them(charts: Charts) -> None:
    told = environment(container(charts["outside"], "training"))
    assert told["CURBSIDE_KAFKA__TOPIC_PREFIX"] == "curbside-a."
    assert told["CURBSIDE_DATABASE__URL"].startswith(
        "postgresql://db.hospital.example:6432/curbside?sslmode="
    )
    assert (told["CURBSIDE_BLOBS__PREFIX"], told["CURBSIDE_BLOBS__KMS_KEY_ID"]) == ("a/", "alias/curbside")
    assert told["CURBSIDE_BLOBS__PART_BYTES"] == str(16 * 1024 * 1024)


def test_embedded_pods_are_told_of_no_server(charts: Charts) -> None:
    for values in ("closed", "hub", "skaffold"):
        for name, spec in pods(charts[values]).items():
            assert name not in COMMANDS
            for one in spec["containers"]:
                assert not re.findall(r"CURBSIDE_(?:KAFKA|DATABASE|BLOBS)__\w+", str(one["env"])), name


@pytest.mark.parametrize("values", OUTSIDE)
def test_there_is_no_data_volume_and_no_one_node(charts: Charts, values: str) -> None:
    claims = [d["metadata"]["name"] for d in charts[values] if d["kind"] == "PersistentVolumeClaim"]
    assert claims == ["curbside-models"]
    for service in SERVICES:
        template = named(charts[values], "Deployment", f"curbside-{service}")["spec"]["template"]
        assert "affinity" not in template["spec"]
        assert "curbside/data-volume" not in template["metadata"]["labels"]
        (data,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "data"]
        assert data["emptyDir"] == {"sizeLimit": "10Gi"}


@pytest.mark.parametrize("values", OUTSIDE)
def test_services_are_replaced_without_a_gap_but_one_driver_alone_runs(charts: Charts, values: str) -> None:
    for service in SERVICES:
        strategy = named(charts[values], "Deployment", f"curbside-{service}")["spec"]["strategy"]
        if service == "training":
            assert strategy == {"type": "Recreate"}
        else:
            assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_replicas_are_spread_and_drained_one_at_a_time(charts: Charts) -> None:
    documents = charts["outside"]
    budgets = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "PodDisruptionBudget"}
    several = {
        d["metadata"]["name"]: d["spec"]
        for d in documents
        if d["kind"] == "Deployment" and d["spec"]["replicas"] > 1
    }
    assert set(budgets) == set(several) == {f"curbside-{s}" for s in SERVICES if s != "training"}
    for name, budget in budgets.items():
        assert budget["maxUnavailable"] == 1
        assert budget["selector"] == several[name]["selector"]
        spread = several[name]["template"]["spec"]["topologySpreadConstraints"]
        assert {one["topologyKey"] for one in spread} == {
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        }
        assert all(one["labelSelector"] == several[name]["selector"] for one in spread)
    training = named(documents, "Deployment", "curbside-training")["spec"]
    assert training["replicas"] == 1
    assert "topologySpreadConstraints" not in training["template"]["spec"]


def test_tgi_with_replicas_has_a_budget_too(charts: Charts) -> None:
    assert named(charts["closed"], "PodDisruptionBudget", "curbside-tgi")
    assert not [d for d in charts["hub"] if d["kind"] == "PodDisruptionBudget"]


def test_a_browser_comes_back_to_the_replica_that_answers_it(charts: Charts) -> None:
    assert named(charts["outside"], "Service", "curbside-workbench")["spec"]["sessionAffinity"] == "ClientIP"
    for service in SERVICES:
        assert "sessionAffinity" not in named(charts["hub"], "Service", f"curbside-{service}")["spec"]


def egress(documents: list[Document], name: str) -> list[tuple[str, set[int]]]:
    """Where to, as text, and on which ports, `name` may go outside of the release."""
    rules: list[Any] = named(documents, "NetworkPolicy", f"curbside-{name}")["spec"]["egress"]
    return [
        (str(peer), {port["port"] for port in rule["ports"]})
        for rule in rules
        for peer in rule["to"]
        if "app.kubernetes.io" not in str(peer) and "kube-dns" not in str(peer)
    ]


def test_each_pod_reaches_the_servers_that_it_uses_and_no_others(charts: Charts) -> None:
    kafka = (
        str(
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}},
                "podSelector": {"matchLabels": {"app": "kafka"}},
            }
        ),
        {9094, 9095},
    )
    postgresql = (str({"ipBlock": {"cidr": "10.20.0.7/32"}}), {5432, 6432})
    s3 = (str({"ipBlock": {"cidr": "10.20.0.8/31"}}), {443})
    for name in (*SERVICES, *COMMANDS):
        servers = [kafka, postgresql, *([s3] if GRANTS.get(name) or name == "provision" else [])]
        assert egress(charts["outside"], name) == servers, name
    for name in ("tgi", "ray"):
        assert egress(charts["outside"], name) == []


def test_ports_follow_the_addresses_unless_others_are_named(charts: Charts, outside_with: Render) -> None:
    assert [ports for _, ports in egress(charts["skaffold-full"], "ingestion")] == [{9094}, {5432}, {8333}]
    aws = outside_with(**{"storage.s3.endpoint": ""})
    assert egress(aws, "ingestion")[-1][1] == {443}
    moved = outside_with(**{"storage.s3.network.ports": "{8443,9443}"})
    assert egress(moved, "ingestion")[-1][1] == {8443, 9443}


def test_the_job_runs_before_the_release_with_an_account_and_a_policy_that_are_there(charts: Charts) -> None:
    for values in OUTSIDE:
        job = named(charts[values], "Job", "curbside-provision")
        account = named(charts[values], "ServiceAccount", "curbside-provision")
        policy = named(charts[values], "NetworkPolicy", "curbside-provision")
        assert job["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation"
        weights = []
        for document in (account, policy, job):
            annotations = document["metadata"]["annotations"]
            assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
            weights.append(int(annotations["helm.sh/hook-weight"]))
        assert weights[0] == weights[1] < weights[2]
        template = job["spec"]["template"]
        assert template["spec"]["serviceAccountName"] == "curbside-provision"
        selector = policy["spec"]["podSelector"]["matchLabels"]
        assert selector.items() <= template["metadata"]["labels"].items()
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert "ingress" not in policy["spec"]


def test_who_provisions_elsewhere_has_no_job(outside_with: Render) -> None:
    documents = outside_with(**{"provision.enabled": "false"})
    assert not [d for d in documents if "provision" in d["metadata"]["name"]]


def test_the_image_that_provisions_holds_what_every_migration_imports() -> None:
    """Ingestion's image: the project's base dependencies, and no extra's."""
    extras = (
        "torch ray gradio pyarrow presidio_analyzer spacy huggingface_hub transformers peft accelerate gguf"
    )
    program = f"""
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {extras.split()}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
import curbside.runtime.provision, curbside.bus.kafka
for service in {SERVICES}:
    importlib.import_module(f"curbside_{{service}}.store")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_operators_commands_have_no_pod_until_one_is_asked_for(charts: Charts, outside_notes: str) -> None:
    deployment = named(charts["outside"], "Deployment", "curbside-operations")["spec"]
    assert deployment["replicas"] == 0
    assert mounted_keys(charts["outside"], "operations") == {
        f"{name}.key": f"{name}.key" for name in key_names("workbench", "default")
    }
    assert "scale deploy/curbside-operations --replicas=1" in outside_notes
    assert "scale deploy/curbside-operations --replicas=0" in outside_notes
    assert "deploy/curbside-ingestion" not in outside_notes
    assert "does not replace it" in outside_notes


def test_a_role_instead_of_keys_stands_on_the_accounts_of_those_who_open_blobs(outside_with: Render) -> None:
    role = "eks.amazonaws.com/role-arn"
    escaped = role.replace(".", r"\.")
    documents = outside_with(
        **{
            "storage.s3.credentialsSecret": "",
            f"storage.s3.serviceAccountAnnotations.{escaped}": "arn:aws:iam::1:role/curbside",
        }
    )
    with_role = {
        d["metadata"]["name"].removeprefix("curbside-")
        for d in documents
        if d["kind"] == "ServiceAccount" and role in d["metadata"].get("annotations", {})
    }
    assert with_role == {service for service in SERVICES if GRANTS[service]} | {"provision"}
    assert "CURBSIDE_BLOBS__ACCESS_KEY_FILE" not in environment(container(documents, "ingestion"))


def test_without_passwords_and_certificates_kafka_has_no_files(outside_with: Render) -> None:
    """Development on one machine: the other production refusals stay out of the way."""
    documents = outside_with(
        **{
            "profile": "development",
            "storage.kafka.securityProtocol": "PLAINTEXT",
            "storage.kafka.sasl.username": "",
            "storage.kafka.sasl.passwordSecret": "",
            "storage.kafka.caSecret": "",
            "storage.kafka.certificateSecret": "",
        }
    )
    one = container(documents, "ingestion")
    assert "kafka" not in {mount["name"] for mount in one["volumeMounts"]}
    assert environment(one)["CURBSIDE_KAFKA__SECURITY_PROTOCOL"] == "PLAINTEXT"
    assert "CURBSIDE_KAFKA__USERNAME" not in environment(one)


def test_no_password_stands_in_what_is_rendered(charts: Charts) -> None:
    for values in OUTSIDE:
        for document in charts[values]:
            assert document["kind"] != "Secret"
        for spec in pods(charts[values]).values():
            for one in spec["containers"]:
                for entry in one["env"]:
                    assert not re.search(r"PASSWORD$|SECRET_KEY$|ACCESS_KEY$", entry["name"])
                    assert "@" not in Path(entry.get("value", "")).name
