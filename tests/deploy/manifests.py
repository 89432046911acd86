"""Finding one's way in rendered documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Document = dict[str, Any]
Charts = dict[str, list[Document]]
Render = Callable[..., list[Document]]
Notes = Callable[..., str]
SETS = ("closed", "hub", "outside", "skaffold", "skaffold-full")
# Those that need no GPU: the embedded engine, and no Ray.
ON_KIND = frozenset({"skaffold", "skaffold-full"})
# Those that keep everything in Kafka, PostgreSQL and S3.
OUTSIDE = ("outside", "skaffold-full")


def named(documents: list[Document], kind: str, name: str) -> Document:
    (document,) = [d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name]
    return document


def pod_specs(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    """Every pod's spec with a name: of Deployments, of the Job, and of the RayCluster's groups."""
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]
        if document["kind"] == "RayCluster":
            yield "head", document["spec"]["headGroupSpec"]["template"]["spec"]
            for group in document["spec"]["workerGroupSpecs"]:
                yield group["groupName"], group["template"]["spec"]


def container(documents: list[Document], service: str) -> Document:
    spec = named(documents, "Deployment", f"curbside-{service}")["spec"]["template"]["spec"]
    (only,) = spec["containers"]
    return dict(only)


def environments(documents: list[Document]) -> dict[str, dict[str, str]]:
    """The environment of every pod, by the pod's name."""
    return {name: environment(one) for name, spec in pod_specs(documents) for one in spec["containers"]}


def mounted_keys(documents: list[Document], service: str) -> dict[str, str]:
    """The entry of the keys Secret that each file of a pod's key directory holds, by the file's name."""
    pod = dict(pod_specs(documents))[f"curbside-{service}"]
    (keys,) = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "keys"]
    return {item["path"]: item["key"] for item in keys["items"]}


def environment(of: Document) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in of["env"]}


def secret_entries(spec: Document) -> set[tuple[str, str]]:
    """(Secret, entry) of everything that a pod mounts, plain or projected."""
    mounted = set()
    for volume in spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            mounted |= {(source["secret"]["name"], item["key"]) for item in source["secret"]["items"]}
        secret = volume.get("secret")
        if secret:
            mounted |= {(secret["secretName"], item["key"]) for item in secret.get("items", [])}
    return mounted


def mounted_files(spec: Document) -> dict[str, tuple[str, str]]:
    """The Secret and entry behind every file that a pod's projected volumes hold, by the file's path."""
    (one,) = spec["containers"]
    places = {mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]}
    return {
        f"{places[volume['name']]}/{item['path']}": (source["secret"]["name"], item["key"])
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
