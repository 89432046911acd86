"""What must hold of every pod, where the GPUs are, who may reach whom, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifests import (
    ON_KIND,
    SETS,
    Charts,
    Document,
    Render,
    container,
    environment,
    environments,
    named,
    pod_specs,
)
from refusals import REFUSALS, Refusal
from rendering import CHART, RenderingRefused, ValueSet, render
from strictness import faults, schema_faults

from curbside.runtime.services import SERVICES

# The image of text-generation-inference 3.3.7 starts as nobody else: its Python lies in /root/.local
# (huggingface/text-generation-inference, issue 3082).
ROOT_PODS = frozenset({"curbside-tgi"})
# They neither train nor answer.
WITHOUT_MODEL = frozenset({"curbside-provision", "curbside-operations"})


@pytest.mark.parametrize("values", SETS)
def test_no_pod_but_tgis_runs_as_root_and_none_writes_its_root_file_system(
    charts: Charts, values: str
) -> None:
    for name, spec in pod_specs(charts[values]):
        assert spec["securityContext"]["runAsUser"] == 10001, name
        for one in spec["containers"]:
            security = one["securityContext"]
            user = 0 if name in ROOT_PODS else 10001
            assert (security["runAsUser"], security["runAsNonRoot"]) == (user, user != 0), name
            assert security["readOnlyRootFilesystem"], name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert "tmp" in {mount["name"] for mount in one["volumeMounts"]}, name
            assert one["resources"]["requests"], name
            assert one["resources"]["limits"]["memory"], name


def test_tgi_of_a_derived_image_runs_as_the_user_of_the_other_pods(closed_with: Render) -> None:
    security = container(closed_with(**{"tgi.runAsUser": "10001"}), "tgi")["securityContext"]
    assert (security["runAsUser"], security["runAsNonRoot"]) == (10001, True)


def test_root_without_capabilities_can_write_where_tgi_writes(charts: Charts) -> None:
    """Root without CAP_DAC_OVERRIDE writes what it owns, as it does every emptyDir; others by the group."""
    spec = named(charts["hub"], "Deployment", "curbside-tgi")["spec"]["template"]["spec"]
    (one,) = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    writable = {
        mount["mountPath"]: mount["name"] for mount in one["volumeMounts"] if not mount.get("readOnly")
    }
    assert set(writable) == {"/data", "/tmp", "/dev/shm"}  # noqa: S108
    assert all("emptyDir" in volumes[name] for name in writable.values())
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"] == 10001
    env = environment(one)
    for variable in ("HOME", "HF_HOME", "NUMBA_CACHE_DIR", "TRITON_CACHE_DIR"):
        assert any(Path(env[variable]).is_relative_to(path) for path in writable), variable


@pytest.mark.parametrize("values", SETS)
def test_only_rays_head_gets_a_token_of_the_kubernetes_api(charts: Charts, values: str) -> None:
    with_token = [
        name for name, spec in pod_specs(charts[values]) if spec.get("automountServiceAccountToken", True)
    ]
    assert with_token == ([] if values in ON_KIND else ["head"])
    accounts = {d["metadata"]["name"] for d in charts[values] if d["kind"] == "ServiceAccount"}
    assert {
        s["serviceAccountName"] for _, s in pod_specs(charts[values]) if "serviceAccountName" in s
    } <= accounts


@pytest.mark.parametrize("values", SETS)
def test_every_mount_has_a_volume(charts: Charts, values: str) -> None:
    for name, spec in pod_specs(charts[values]):
        volumes = {volume["name"] for volume in spec["volumes"]}
        for one in spec["containers"]:
            assert {mount["name"] for mount in one["volumeMounts"]} == volumes, name


def test_services_share_one_volume_on_one_node_and_never_overlap(charts: Charts) -> None:
    claims = set()
    for service in SERVICES:
        deployment = named(charts["hub"], "Deployment", f"curbside-{service}")["spec"]
        assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
        pod = deployment["template"]
        (term,) = pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        assert term["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        (data,) = [v["persistentVolumeClaim"] for v in pod["spec"]["volumes"] if v["name"] == "data"]
        claims.add(data["claimName"])
    (claim,) = claims
    assert named(charts["hub"], "PersistentVolumeClaim", claim)["spec"]["accessModes"] == ["ReadWriteOnce"]
    models = named(charts["hub"], "PersistentVolumeClaim", "curbside-models")
    assert models["spec"]["accessModes"] == ["ReadWriteMany"]


def test_tgi_stands_on_the_serving_gpus(charts: Charts) -> None:
    tgi = named(charts["closed"], "Deployment", "curbside-tgi")["spec"]["template"]["spec"]
    assert tgi["nodeSelector"] == {"curbside/gpu-pool": "inference"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in tgi["tolerations"]
    (one,) = tgi["containers"]
    assert one["image"] == "ghcr.io/huggingface/text-generation-inference:3.3.7"
    assert one["resources"]["limits"]["nvidia.com/gpu"] == 4
    assert "--num-shard=4" in one["args"]
    assert environment(one)["LORA_ADAPTERS"] == ",".join(
        f"{version}=/var/lib/curbside-models/adapters/{version}" for version in ("v1", "v2")
    )
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in one["volumeMounts"]}
    assert mounts["/var/lib/curbside-models"] is True
    (shm,) = [volume["emptyDir"] for volume in tgi["volumes"] if volume["name"] == "shm"]
    assert shm["medium"] == "Memory"


@pytest.mark.parametrize("values", SETS)
def test_every_pod_names_the_same_base_model(charts: Charts, values: str) -> None:
    named_there = {
        name: env.get("CURBSIDE_RUNTIME__BASE_MODEL")
        for name, env in environments(charts[values]).items()
        if name not in WITHOUT_MODEL
    }
    if values not in ON_KIND:
        del named_there["curbside-tgi"]  # it is told by an argument
        (argument,) = [a for a in container(charts[values], "tgi")["args"] if a.startswith("--model-id=")]
        named_there["--model-id"] = argument.removeprefix("--model-id=")
        assert {"head", "gpu"} <= set(named_there)
    else:
        assert "curbside-engine" in named_there
    (model,) = set(named_there.values())
    assert model
    leftover = [
        name for env in environments(charts[values]).values() for name in env if name.endswith("BASE_MODEL")
    ]
    assert set(leftover) == {"CURBSIDE_RUNTIME__BASE_MODEL"}


def test_tgi_reads_adapters_where_they_are_written(charts: Charts) -> None:
    tgi = container(charts["closed"], "tgi")
    written = environment(container(charts["closed"], "inference"))["CURBSIDE_INFERENCE__ADAPTERS_DIR"]
    assert f"={written}/v1" in environment(tgi)["LORA_ADAPTERS"]


def test_the_gateway_routes_to_no_adapter_that_tgi_was_not_started_with(charts: Charts) -> None:
    def known(values: str) -> str | None:
        return environment(container(charts[values], "inference")).get("CURBSIDE_INFERENCE__ENGINE_ADAPTERS")

    assert known("closed") == '["v1","v2"]'
    assert known("hub") == "[]"
    assert known("skaffold") is None  # the embedded engine finds an adapter as soon as it is placed


def test_ray_trains_on_gpus_of_its_own_pool_within_bounds(charts: Charts) -> None:
    cluster = named(charts["closed"], "RayCluster", "curbside-ray")["spec"]
    assert cluster["enableInTreeAutoscaling"]
    (workers,) = cluster["workerGroupSpecs"]
    assert (workers["minReplicas"], workers["maxReplicas"]) == (0, 2)
    pod = workers["template"]["spec"]
    assert pod["nodeSelector"] == {"curbside/gpu-pool": "training"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    assert "nvidia.com/gpu" not in head["resources"]["limits"]
    assert {head["image"], pod["containers"][0]["image"]} == {
        container(charts["closed"], "training")["image"]
    }
    assert environment(container(charts["closed"], "training"))["CURBSIDE_TRAINING__RAY_ADDRESS"] == (
        "ray://curbside-ray-head-svc:10001"
    )


@pytest.mark.parametrize("values", SETS)
def test_only_tgi_and_rays_workers_need_a_gpu(charts: Charts, values: str) -> None:
    """The driver among them: it stands with the services, on a node that need have none."""
    asked = {
        name
        for name, spec in pod_specs(charts[values])
        for one in spec["containers"]
        if {"nvidia.com/gpu"} & {*one["resources"]["limits"], *one["resources"]["requests"]}
    }
    assert asked == (set() if values in ON_KIND else {"curbside-tgi", "gpu"})


def test_training_fetches_a_model_to_where_rays_workers_read_it(charts: Charts) -> None:
    """What the driver fetched is a path, and must be the same one in a worker on another node."""
    hub = charts["hub"]
    specs = dict(pod_specs(hub))
    for name in ("curbside-training", "head", "gpu"):
        assert environments(hub)[name]["HF_HOME"] == "/var/lib/curbside-models/hub"
        (one,) = specs[name]["containers"]
        (mount,) = [m for m in one["volumeMounts"] if m["mountPath"] == "/var/lib/curbside-models"]
        assert not mount.get("readOnly")
        (volume,) = [v for v in specs[name]["volumes"] if v["name"] == mount["name"]]
        assert volume["persistentVolumeClaim"] == {"claimName": "curbside-models"}
    assert not [
        name for name, env in environments(charts["closed"]).items() if "hub" in env.get("HF_HOME", "")
    ]


def test_training_presents_the_token_that_rays_head_demands(charts: Charts) -> None:
    cluster = named(charts["closed"], "RayCluster", "curbside-ray")
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    env = {entry["name"]: entry for entry in container(charts["closed"], "training")["env"]}
    assert env["RAY_AUTH_MODE"]["value"] == "token"
    secret = {"name": cluster["metadata"]["name"], "key": "auth_token"}  # KubeRay makes it
    assert env["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"] == secret


def test_without_ray_training_is_told_no_address(charts: Charts) -> None:
    assert "CURBSIDE_TRAINING__RAY_ADDRESS" not in environment(container(charts["skaffold"], "training"))
    assert not [d for d in charts["skaffold"] if d["kind"] == "RayCluster"]


def policies(documents: list[Document]) -> dict[str, Document]:
    return {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "NetworkPolicy"}


def arrows(documents: list[Document]) -> set[tuple[str, str, int]]:
    """(from, to, port) for every pair of components that both ends' policies allow."""
    ingress: set[tuple[str, str, int]] = set()
    egress: set[tuple[str, str, int]] = set()
    key = "app.kubernetes.io/component"
    for spec in policies(documents).values():
        own = spec["podSelector"]["matchLabels"].get(key)
        for rules, side in ((spec.get("ingress") or [], "from"), (spec.get("egress") or [], "to")):
            for rule in rules:
                for peer in rule.get(side, []):
                    other = peer.get("podSelector", {}).get("matchLabels", {}).get(key)
                    if other is None or other == own:
                        continue
                    for port in rule["ports"]:
                        (ingress if side == "from" else egress).add(
                            (other, own, port["port"]) if side == "from" else (own, other, port["port"])
                        )
    assert ingress == egress  # a policy at one end alone denies
    return ingress


def test_components_reach_only_what_they_call(charts: Charts) -> None:
    shared = {("workbench", "inference", 8080), ("inference", "deidentification", 8081)}
    assert arrows(charts["closed"]) == shared | {("inference", "tgi", 8080), ("training", "ray", 10001)}
    assert arrows(charts["outside"]) == arrows(charts["closed"])
    for values in ON_KIND:
        assert arrows(charts[values]) == shared | {("inference", "engine", 8090)}


def reach_the_hub(documents: list[Document]) -> set[str]:
    """The components that may reach any address on port 443."""
    return {
        spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for spec in policies(documents).values()
        for rule in spec.get("egress") or []
        if {"ipBlock": {"cidr": "0.0.0.0/0"}} in rule["to"]
    }


def test_what_loads_a_model_by_its_id_may_reach_the_hub_and_nothing_else(
    charts: Charts, closed_with: Render
) -> None:
    assert reach_the_hub(charts["closed"]) == reach_the_hub(charts["skaffold"]) == set()
    assert reach_the_hub(charts["hub"]) == {"training", "ray", "tgi"}
    embedded = closed_with(
        **{"engine.kind": "embedded", "baseModel": "some/model", "modelHub.allowed": "true"}
    )
    assert reach_the_hub(embedded) == {"training", "ray", "engine"}
    assert "HF_HUB_OFFLINE" not in environment(container(embedded, "engine"))


@pytest.mark.parametrize("values", SETS)
def test_every_pod_is_denied_what_no_policy_names(charts: Charts, values: str) -> None:
    every = policies(charts[values])
    deny = every["curbside-default-deny"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert "egress" not in deny
    for document in charts[values]:
        if document["kind"] in ("Deployment", "Job"):
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert deny["podSelector"]["matchLabels"].items() <= labels.items()
    for spec in every.values():
        for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
            assert rule.get("from") or rule.get("to")  # an empty list would admit everybody


def test_nobody_outside_is_admitted_by_default(charts: Charts) -> None:
    for spec in policies(charts["hub"]).values():
        for rule in spec.get("ingress") or []:
            assert all(set(peer) == {"podSelector"} for peer in rule["from"])


def test_a_closed_hospital_has_no_way_out(charts: Charts) -> None:
    blocks = [
        peer["ipBlock"]["cidr"]
        for spec in policies(charts["closed"]).values()
        for rule in spec.get("egress") or []
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert blocks == ["10.0.0.1/32"]  # the Kubernetes API, for Ray's autoscaler
    for service in ("training", "tgi"):
        assert environment(container(charts["closed"], service))["HF_HUB_OFFLINE"] == "1"
        assert "HF_HUB_OFFLINE" not in environment(container(charts["hub"], service))


def test_the_ingress_sends_each_path_to_its_service_and_has_tls(charts: Charts) -> None:
    ingress = named(charts["closed"], "Ingress", "curbside")["spec"]
    (rule,) = ingress["rules"]
    routes = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert routes == {
        f"/{service}": f"curbside-{service}" for service in SERVICES if service != "workbench"
    } | {"/": "curbside-workbench"}
    assert ingress["tls"] == [{"hosts": [rule["host"]], "secretName": "curbside-tls"}]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: f"{one.base} {dict(one.settings)}"[:70])
def test_wrong_values_are_refused_with_what_to_set(helm: Path, refusal: Refusal) -> None:
    values = ValueSet(refusal.base, CHART / "ci" / f"{refusal.base}-values.yaml", refusal.settings)
    with pytest.raises(RenderingRefused, match="(?s)" + re.escape(refusal.sentence)):
        render(helm, values.arguments)


def test_the_defaults_name_all_that_must_be_set_at_once(helm: Path) -> None:
    with pytest.raises(RenderingRefused) as refusal:
        render(helm, [])
    for name in ("image.registry", "image.tag", "secrets.keys", "baseModel", "ray.apiServer.cidr"):
        assert f"{name} is empty" in str(refusal.value)


def _with(document: Document, path: str, value: Any) -> Document:
    changed: Any = yaml.safe_load(yaml.safe_dump(document))
    place = changed
    *parents, last = path.split(".")
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    return dict(changed)


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Deployment", "curbside-tgi", "spec.template.spec.containers.0.redinessProbe", {}),
        ("Deployment", "curbside-tgi", "spec.replica", 1),
        ("NetworkPolicy", "curbside-tgi", "spec.ingres", []),
        ("RayCluster", "curbside-ray", "spec.shutdownAfterJobFinish", True),
        ("RayCluster", "curbside-ray", "spec.headGroupSpec.template.spec.nodeSelecter", {}),
        (
            "RayCluster",
            "curbside-ray",
            "spec.workerGroupSpecs.0.template.spec.containers.0.imagePullPolice",
            "x",
        ),
        ("RayCluster", "curbside-ray", "spec.autoscalerOptions.securityContext.runAsUzer", 1),
        ("ServiceMonitor", "curbside-tgi", "spec.endpoints.0.intervall", "30s"),
    ],
)
def test_validation_finds_a_misspelt_field(
    charts: Charts, kind: str, name: str, path: str, value: object
) -> None:
    document = named(charts["closed"], kind, name)
    assert list(faults(document)) == []
    assert list(faults(_with(document, path, value)))


def test_validation_finds_a_misspelt_field_of_skaffold() -> None:
    config = yaml.safe_load((CHART.parents[1] / "skaffold.yaml").read_text())
    assert list(schema_faults(config, "skaffold")) == []
    assert list(schema_faults(_with(config, "build.artifacts.0.docker.buildArg", {}), "skaffold"))


def test_every_value_is_commented() -> None:
    """A comment stands above each value, above its group, or above the line that it follows at once."""
    uncommented = []
    stack: list[tuple[int, bool]] = []  # (indent, described) of the groups that a line stands in
    previous: tuple[int, bool] = (0, False)
    comment = False
    for line in (CHART / "values.yaml").read_text().splitlines():
        text, indent = line.strip(), len(line) - len(line.lstrip())
        if not text or text.startswith("#"):
            comment = text.startswith("#")
            continue
        stack = [group for group in stack if group[0] < indent]
        described = comment or any(known for _, known in stack) or previous == (indent, True)
        if text.endswith(":"):
            stack.append((indent, comment))
        elif not described:
            uncommented.append(text)
        previous = (indent, described)
        comment = False
    assert uncommented == []
