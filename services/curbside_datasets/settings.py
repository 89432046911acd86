"""What an operator may set of the datasets service."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings

from curbside.settings import settings_config


class DatasetsSettings(BaseSettings):
    model_config = settings_config("datasets")

    # How often the builder looks for queued builds that another process left.
    build_poll: timedelta = timedelta(seconds=2)
    max_page: int = Field(default=500, ge=1, le=5000)
