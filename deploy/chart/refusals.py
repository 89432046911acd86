"""Values that the chart must refuse, and a part of the sentence with which it does."""

from __future__ import annotations

from typing import Final

# On top of ci/closed-values.yaml, which alone renders.
REFUSALS: Final[tuple[tuple[dict[str, str], str], ...]] = (
    ({"image.registry": ""}, "image.registry is empty"),
    ({"image.tag": ""}, "image.tag is empty"),
    ({"image.tag": "latest"}, "image.tag is latest"),
    ({"image.overrides.datasets": "mirror/datasets"}, "image.overrides.datasets has no tag"),
    ({"image.overrides.datasets": "mirror:5000/datasets"}, "image.overrides.datasets has no tag"),
    ({"image.overrides.datasets": "mirror/datasets:latest"}, "image.overrides.datasets is :latest"),
    ({"ingestion.replicas": "2"}, "ingestion.replicas is more than 1 while storage.bus is embedded"),
    ({"inference.replicas": "3"}, "inference.replicas is more than 1 while storage.bus is embedded"),
    ({"storage.bus": "kafka"}, "/storage/bus"),  # there is none yet: the schema knows only embedded
    ({"secrets.keys": ""}, "secrets.keys is empty while profile is production"),
    ({"secrets.serviceToken": ""}, "secrets.serviceToken is empty"),
    ({"baseModel": ""}, "baseModel is empty"),
    ({"baseModel": "/models/llama"}, "baseModel is a directory outside of the models volume"),
    ({"baseModel": "some/model"}, "modelHub.allowed is false"),
    ({"baseModel": "embedded"}, "which TGI does not serve"),
    ({"tgi.image.tag": "latest"}, "tgi.image.tag is latest"),
    ({"tgi.image.tag": ""}, "tgi.image.tag is empty"),
    ({"tgi.nodeSelector": "null"}, "tgi"),
    ({"tgi.nodeSelector.curbside/gpu-pool": "null"}, "tgi.nodeSelector is empty"),
    ({"tgi.tolerations": "{}"}, "tgi"),
    ({"tgi.gpusPerReplica": "0"}, "/tgi/gpusPerReplica"),
    ({"tgi.maxTotalTokens": "6144"}, "tgi.maxTotalTokens leaves no room"),
    ({"ray.workers.minReplicas": "3"}, "ray.workers.minReplicas is above"),
    ({"ray.workers.nodeSelector.curbside/gpu-pool": "inference"}, "set two pools"),
    ({"ray.apiServer.cidr": ""}, "ray.apiServer.cidr is empty"),
    ({"ingress.tlsSecret": ""}, "reports must not travel unencrypted"),
    ({"ingress.host": ""}, "ingress.host is empty"),
    ({"ingress.className": ""}, "ingress.className is empty"),
    ({"networkPolicy.clients": "null"}, "networkPolicy"),
    ({"networkPolicy.monitoring": "null"}, "networkPolicy"),
    ({"telemetry.otlpEndpoint": "collector"}, "/telemetry/otlpEndpoint"),
    ({"ingestion.replica": "1"}, "replica"),  # misspelt
    ({"logLevel": "TRACE"}, "/logLevel"),
)
