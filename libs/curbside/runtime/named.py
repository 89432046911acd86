"""Every setting there is, so that a misspelled one is an error and not a default in silence."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic_settings import BaseSettings

from curbside.settings import (
    BlobSettings,
    BusSettings,
    DatabaseSettings,
    KafkaSettings,
    ProvisionSettings,
    RuntimeSettings,
    check_names,
)


def check_environment() -> None:
    """Raise BadSetting where this process's environment names a setting of ours that there is not."""
    check_names(_all_settings())


def _all_settings() -> Iterator[type[BaseSettings]]:
    from curbside_datasets.settings import DatasetsSettings
    from curbside_deidentification.settings import DeidentificationSettings
    from curbside_inference.engine.settings import EngineSettings
    from curbside_inference.settings import InferenceSettings
    from curbside_ingestion.settings import IngestionSettings
    from curbside_training.settings import TrainingSettings
    from curbside_workbench.settings import WorkbenchSettings

    yield from (RuntimeSettings, BusSettings, KafkaSettings, DatabaseSettings, BlobSettings)
    yield from (ProvisionSettings, IngestionSettings, DeidentificationSettings, DatasetsSettings)
    yield from (TrainingSettings, InferenceSettings, EngineSettings, WorkbenchSettings)
