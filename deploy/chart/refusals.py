"""Values that the chart must refuse, and a part of the sentence with which it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Refusal:
    """`settings` on top of ci/<base>-values.yaml, which alone renders."""

    settings: Mapping[str, str]
    sentence: str
    base: str = "closed"


def _outside(settings: Mapping[str, str], sentence: str) -> Refusal:
    return Refusal(settings, sentence, base="outside")


REFUSALS: Final = (
    Refusal({"image.registry": ""}, "image.registry is empty"),
    Refusal({"image.tag": ""}, "image.tag is empty"),
    Refusal({"image.tag": "latest"}, "image.tag is latest"),
    Refusal({"image.overrides.datasets": "mirror/datasets"}, "image.overrides.datasets has no tag"),
    Refusal({"image.overrides.datasets": "mirror:5000/datasets"}, "image.overrides.datasets has no tag"),
    Refusal({"image.overrides.datasets": "mirror/datasets:latest"}, "image.overrides.datasets is :latest"),
    Refusal({"ingestion.replicas": "2"}, "ingestion.replicas is more than 1 while everything lies on"),
    Refusal({"inference.replicas": "3"}, "inference.replicas is more than 1 while everything lies on"),
    Refusal({"training.replicas": "2"}, "training.replicas is more than 1, and one driver alone"),
    Refusal({"storage.kafka.bootstrapServers": "k:9092"}, "storage.postgresql.host is empty while"),
    Refusal({"storage.s3.bucket": "curbside"}, "storage.kafka.bootstrapServers is empty while"),
    Refusal({"storage.postgresql.host": "db"}, "storage.s3.bucket is empty while"),
    # A Secret for a server that nobody named: the data would stay on a volume in silence.
    Refusal({"storage.postgresql.passwordsSecret": "database"}, "storage.postgresql.host is empty while"),
    _outside({"storage.kafka.bootstrapServers": ""}, "storage.kafka.bootstrapServers is empty while"),
    _outside({"storage.kafka.bootstrapServers": "kafka"}, "/storage/kafka/bootstrapServers"),
    _outside({"storage.kafka.securityProtocol": "PLAINTEXT"}, "securityProtocol is PLAINTEXT while profile"),
    _outside({"storage.kafka.securityProtocol": "SASL_PLAINTEXT"}, "is SASL_PLAINTEXT while profile is"),
    _outside({"storage.kafka.securityProtocol": "SSL"}, "storage.kafka.sasl names a user"),
    _outside(
        {"storage.kafka.securityProtocol": "SSL", "storage.kafka.certificateSecret": ""},
        "SSL without a certificate of ours",
    ),
    _outside(
        {"profile": "development", "storage.kafka.securityProtocol": "PLAINTEXT"},
        "storage.kafka names certificates, which securityProtocol PLAINTEXT never looks at",
    ),
    _outside({"storage.kafka.sasl.username": ""}, "storage.kafka.sasl.username is empty"),
    _outside({"storage.kafka.sasl.passwordSecret": ""}, "storage.kafka.sasl.passwordSecret is empty"),
    _outside({"storage.kafka.sasl.mechanism": "PLAIN"}, "/storage/kafka/sasl/mechanism"),
    _outside({"storage.kafka.minInsyncReplicas": "4"}, "minInsyncReplicas is above"),
    _outside({"storage.kafka.topicPrefix": "curbside"}, "/storage/kafka/topicPrefix"),
    _outside({"storage.kafka.network.to": "null"}, "/storage/kafka/network"),
    _outside({"storage.postgresql.host": "curbside:secret@db"}, "/storage/postgresql/host"),
    _outside({"storage.postgresql.sslMode": "require"}, "sslMode is require while profile is production"),
    _outside({"storage.postgresql.caSecret": ""}, "storage.postgresql.caSecret is empty while sslMode is"),
    _outside({"storage.postgresql.passwordsSecret": ""}, "storage.postgresql.passwordsSecret is empty"),
    _outside({"storage.s3.bucket": ""}, "storage.s3.bucket is empty while"),
    _outside({"storage.s3.endpoint": "http://s3.hospital.example"}, "endpoint is http while profile is"),
    _outside({"storage.s3.serverSideEncryption": "AES256"}, "storage.s3.kmsKeyId is set while"),
    _outside({"storage.s3.partMebibytes": "4"}, "/storage/s3/partMebibytes"),
    _outside({"storage.s3.serviceAccountAnnotations.role": "arn"}, "keys would win over the role"),
    _outside({"storage.data.existingClaim": "reports"}, "storage.data.existingClaim is set while"),
    _outside({"profile": "development", "secrets.keys": ""}, "each pod would make keys of its own"),
    _outside({"training.replicas": "2"}, "training.replicas is more than 1, and one driver alone"),
    _outside({"provision.deadlineSeconds": "0"}, "/provision/deadlineSeconds"),
    Refusal({"secrets.keys": ""}, "secrets.keys is empty while profile is production"),
    Refusal({"secrets.serviceToken": ""}, "secrets.serviceToken is empty"),
    Refusal({"baseModel": ""}, "baseModel is empty"),
    Refusal({"baseModel": "/models/llama"}, "baseModel is a directory outside of the models volume"),
    Refusal({"baseModel": "some/model"}, "modelHub.allowed is false"),
    Refusal({"baseModel": "embedded"}, "which TGI does not serve"),
    Refusal({"tgi.image.tag": "latest"}, "tgi.image.tag is latest"),
    Refusal({"tgi.image.tag": ""}, "tgi.image.tag is empty"),
    Refusal({"tgi.nodeSelector": "null"}, "tgi"),
    Refusal({"tgi.nodeSelector.curbside/gpu-pool": "null"}, "tgi.nodeSelector is empty"),
    Refusal({"tgi.tolerations": "{}"}, "tgi"),
    Refusal({"tgi.gpusPerReplica": "0"}, "/tgi/gpusPerReplica"),
    Refusal({"tgi.maxTotalTokens": "6144"}, "tgi.maxTotalTokens leaves no room"),
    Refusal({"ray.workers.minReplicas": "3"}, "ray.workers.minReplicas is above"),
    Refusal({"ray.workers.nodeSelector.curbside/gpu-pool": "inference"}, "set two pools"),
    Refusal({"ray.apiServer.cidr": ""}, "ray.apiServer.cidr is empty"),
    Refusal({"ingress.tlsSecret": ""}, "reports must not travel unencrypted"),
    Refusal({"ingress.host": ""}, "ingress.host is empty"),
    Refusal({"ingress.className": ""}, "ingress.className is empty"),
    Refusal({"networkPolicy.clients": "null"}, "networkPolicy"),
    Refusal({"networkPolicy.monitoring": "null"}, "networkPolicy"),
    Refusal({"telemetry.otlpEndpoint": "collector"}, "/telemetry/otlpEndpoint"),
    Refusal({"ingestion.replica": "1"}, "replica"),  # misspelt
    Refusal({"logLevel": "TRACE"}, "/logLevel"),
)
