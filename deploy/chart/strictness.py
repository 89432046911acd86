"""Strict validation: built-in kinds against Kubernetes' own schemas, custom ones against deploy/schemas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import jsonschema
import kubernetes_validate
from rendering import KUBERNETES, ROOT, Document

SCHEMAS: Final = ROOT / "deploy" / "schemas"
_CUSTOM: Final = {"RayCluster": "raycluster", "ServiceMonitor": "servicemonitor"}


def faults(document: Document) -> Iterator[str]:
    """What is wrong with `document`, one sentence each; nothing where it is well."""
    place = f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"
    if document.get("kind") in _CUSTOM:
        for message in schema_faults(document, _CUSTOM[document["kind"]]):
            yield f"{place}: {message}"
        if document["kind"] == "RayCluster":
            for pod in _pods(document):
                yield from (f"{place}: {message}" for message in faults(pod))
        return
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{place}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        yield f"{place}: Kubernetes {KUBERNETES} has no such kind in {document.get('apiVersion')}"


def schema_faults(data: object, schema: str) -> Iterator[str]:
    """What `deploy/schemas/<schema>.json` refuses in `data`."""
    validator = jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{schema}.json").read_text()))
    for error in validator.iter_errors(data):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


def repeated(documents: Iterable[Document]) -> list[str]:
    """Kinds and names that stand twice, of which the cluster would keep one."""
    names = [f"{document['kind']}/{document['metadata']['name']}" for document in documents]
    return sorted({name for name in names if names.count(name) > 1})


def _pods(cluster: Document) -> Iterator[Document]:
    """A RayCluster's pods as Pods, the autoscaler's options as the container that KubeRay makes of them."""
    spec: dict[str, Any] = cluster.get("spec", {})
    for name, group in (
        ("head", spec.get("headGroupSpec", {})),
        *((group.get("groupName"), group) for group in spec.get("workerGroupSpecs", [])),
    ):
        template = group.get("template", {})
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, **template.get("metadata", {})},
            "spec": template.get("spec", {}),
        }
    options = spec.get("autoscalerOptions")
    if options:
        container = {
            key: options[key] for key in ("imagePullPolicy", "securityContext", "resources") if key in options
        }
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "autoscaler"},
            "spec": {"containers": [{"name": "autoscaler", "image": "as-head", **container}]},
        }
