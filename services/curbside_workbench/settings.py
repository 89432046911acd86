"""Settings of the workbench: CURBSIDE_WORKBENCH__<FIELD>."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings

from curbside.settings import settings_config


class WorkbenchSettings(BaseSettings):
    model_config = settings_config("workbench")

    # Where inference answers; without it, this machine's CURBSIDE_RUNTIME__HTTP_PORT.
    inference_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    # Longer than the gateway's own limits (shield 60 s, engine 180 s), so that its sentence arrives.
    answer_timeout: timedelta = Field(
        default=timedelta(seconds=270), gt=timedelta(0), le=timedelta(minutes=60)
    )
    # A shift: after it the token is asked for again.
    session_lifetime: timedelta = Field(
        default=timedelta(hours=8), ge=timedelta(minutes=1), le=timedelta(hours=24)
    )
    max_concurrent: int = Field(default=16, ge=1, le=1_000)
    # Questions that wait for their turn; one more is told to come back later.
    max_waiting: int = Field(default=64, ge=1, le=10_000)
