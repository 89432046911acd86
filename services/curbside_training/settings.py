"""What an operator may set of training."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from curbside.settings import RuntimeSettings, settings_config


class TrainingSettings(BaseSettings):
    model_config = settings_config("training")

    # Runs and checkpoints. On a cluster it lies on the volume that Ray's workers mount too.
    storage_dir: Path | None = None
    # Nothing: a Ray of its own on this machine. ray://host:10001 or host:6379: a cluster.
    ray_address: str | None = None
    # Whether every published dataset is trained on at once.
    auto_train: bool = False
    # Held-out questions asked of base and tuned. 240 take 2 minutes on 2 cores, and give ROUGE-L an
    # interval of about 0.05 to either side.
    max_test_questions: int = Field(default=160, ge=1)
    max_holdout_questions: int = Field(default=80, ge=0)
    driver_poll: timedelta = timedelta(milliseconds=500)
    # A driver that has not been heard of for so long is not ready. It writes every second, but Ray's start
    # can hold the interpreter for several.
    driver_silence: timedelta = timedelta(seconds=30)

    def runs_directory(self, runtime: RuntimeSettings) -> Path:
        return (self.storage_dir or runtime.data / "training").expanduser() / "runs"
