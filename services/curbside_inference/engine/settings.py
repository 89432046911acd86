"""What the embedded engine needs to know. Names: CURBSIDE_ENGINE__<FIELD>."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from curbside.settings import settings_config


class EngineSettings(BaseSettings):
    model_config = settings_config("engine")

    # One PEFT directory for each model version; a version may appear while the engine runs.
    adapters_dir: Path = Path(".curbside/models")
    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=0, le=65535)  # 0: any free port
    cache_dir: Path = Path("~/.cache/curbside")
    # Waiting and running together; beyond it a request is answered 429. TGI's default is 128.
    max_concurrent_requests: int = Field(default=32, ge=1, le=10_000)
    # Rows decoded together: 8 give 4 times the tokens per second of one on 2 cores, 16 little more.
    max_batch_size: int = Field(default=8, ge=1, le=256)
    max_total_tokens: int = Field(default=4096, ge=64, le=131_072)
    # Adapters kept in memory (10 MB each for the embedded model); the one used longest ago goes first.
    max_loaded_adapters: int = Field(default=4, ge=1, le=64)
    threads: int | None = Field(default=None, ge=1, le=512)
    api_key: SecretStr | None = None
