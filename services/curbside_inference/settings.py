"""Settings of the inference gateway: CURBSIDE_INFERENCE__<FIELD>."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from curbside.settings import settings_config

Wait = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(minutes=30))]


class InferenceSettings(BaseSettings):
    model_config = settings_config("inference")

    engine_url: str = Field(default="http://127.0.0.1:8090", pattern=r"^https?://[^\s?#]+$")
    engine_api_key: SecretStr | None = None
    # What the engine calls its base model: TGI and the embedded engine "tgi", vLLM its --served-model-name.
    engine_base_name: str = "tgi"
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
