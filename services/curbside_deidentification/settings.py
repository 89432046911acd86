"""Settings of deidentification: CURBSIDE_DEIDENTIFICATION__<FIELD>."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from curbside.settings import settings_config

# The policies of domain/policies, or the placeholders of domain/policy.yaml for everything.
Replacement = Literal["placeholders", "safe_harbor", "expert_determination", "tags"]


class DeidentificationSettings(BaseSettings):
    """How many workers there are, how long one call may take, and which policy replaces what they find.

    What is PHI is policy, not a setting.
    """

    model_config = settings_config("deidentification")

    # Each worker holds its own model: 370 MB once loaded.
    workers: int = Field(default=2, ge=1, le=64)
    # 60 s: the longest text the policy allows (200,000 characters) takes 7 s of one core.
    call_timeout: timedelta = Field(default=timedelta(seconds=60), gt=timedelta(0), le=timedelta(minutes=30))
    # Single calls beyond so many characters under way are refused, to come again. 1,000,000: ten seconds of
    # two workers.
    call_characters: int = Field(default=1_000_000, ge=1)
    # Streams together have so many under way, and are read no further until some are done. 200,000: enough to
    # keep two workers at work, and two seconds at most that a single call waits behind them.
    stream_characters: int = Field(default=200_000, ge=1)
    # Placeholders ([NAME] for everybody) keep nothing that could be turned back. expert_determination needs
    # an expert's determination on file, 45 CFR 164.514(b)(1).
    replacement: Replacement = "placeholders"
    # By tenant, where one has another: '{"north": "expert_determination"}'.
    replacement_by_tenant: Mapping[str, Replacement] = Field(default_factory=dict)
    # A reversal that nobody approved by then is over, and one that was approved and not read.
    reversal_request_lifetime: timedelta = Field(default=timedelta(days=1), gt=timedelta(0))
    reversal_read_within: timedelta = Field(default=timedelta(hours=1), gt=timedelta(0))
