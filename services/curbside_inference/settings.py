"""Settings of the inference gateway: CURBSIDE_INFERENCE__<FIELD>."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from curbside.settings import settings_config
from curbside_inference.domain.question import VERSION

Wait = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(minutes=30))]


class InferenceSettings(BaseSettings):
    model_config = settings_config("inference")

    engine_url: str = Field(default="http://127.0.0.1:8090", pattern=r"^https?://[^\s?#]+$")
    engine_api_key: SecretStr | None = None
    # What the engine calls its base model: TGI and the embedded engine "tgi", vLLM its --served-model-name.
    engine_base_name: str = "tgi"
    # The model versions whose adapters the engine was started with, as a JSON list: ["m1", "m2"], or [] for
    # none. For an engine that loads adapters only when it starts, as TGI does. Without it: one that finds
    # what is placed in the adapters' directory, as the embedded one does.
    engine_adapters: Annotated[frozenset[str] | None, NoDecode] = None
    # host:port of deidentification's gRPC; without it, this machine's CURBSIDE_RUNTIME__GRPC_PORT.
    deidentification_target: str | None = Field(default=None, pattern=r"^\S+:\d+$")
    # Where promoted adapters are unpacked for the engine to find; without it, <data>/adapters.
    adapters_dir: Path | None = None
    # As ingestion's limit; the engine's own, in tokens, is lower and is named when it is met.
    max_report_characters: int = Field(default=200_000, ge=1_000, le=5_000_000)
    # The embedded engine takes 32 at once and answers 429 beyond.
    max_concurrent: int = Field(default=32, ge=1, le=10_000)
    # 60 s: the longest text that the PHI policy allows takes 10 s on one idle core.
    shield_timeout: Wait = timedelta(seconds=60)
    engine_connect_timeout: Wait = timedelta(seconds=3)
    # Between two pieces of a stream, and before the first: a 4k-token prompt takes 20 s on 2 busy cores.
    engine_idle_timeout: Wait = timedelta(seconds=60)
    engine_timeout: Wait = timedelta(seconds=180)
    # Below the 3 s that a readiness check may take in all.
    check_timeout: Wait = timedelta(seconds=2)

    @field_validator("engine_adapters", mode="before")
    @classmethod
    def _versions(cls, value: Any) -> Any:
        try:
            versions = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            versions = value
        if versions is None or (
            isinstance(versions, list | frozenset)
            and all(isinstance(version, str) and VERSION.fullmatch(version) for version in versions)
        ):
            return versions
        raise ValueError('must be a JSON list of model versions, such as ["m1", "m2"], or []')
