"""Settings of deidentification: CURBSIDE_DEIDENTIFICATION__<FIELD>."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings

from curbside.settings import settings_config


class DeidentificationSettings(BaseSettings):
    """How many workers there are and how long one call may take. What is PHI is policy, not a setting."""

    model_config = settings_config("deidentification")

    # Each worker holds its own model: 370 MB once loaded.
    workers: int = Field(default=2, ge=1, le=64)
    # 60 s: the longest text the policy allows (200,000 characters) takes 7 s of one core.
    call_timeout: timedelta = Field(default=timedelta(seconds=60), gt=timedelta(0), le=timedelta(minutes=30))
