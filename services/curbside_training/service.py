"""Training, wired. The driver, a process of its own, does the work: driver.py."""

from __future__ import annotations

from functools import partial

from curbside.runtime.platform import state_directory
from curbside.runtime.services import Platform, Service
from curbside.settings import load
from curbside_training import handlers
from curbside_training.consumer import GROUP, subscriptions
from curbside_training.driver import HEARTBEAT
from curbside_training.grpc import TrainingServicer, binding
from curbside_training.http import routes
from curbside_training.settings import TrainingSettings
from curbside_training.store import METADATA

__all__ = ["METADATA", "build"]


def build(platform: Platform) -> Service:
    settings = load(TrainingSettings)
    database, base_model = platform.database, platform.settings.base_model
    start_run = partial(handlers.start_run, database=database, base_model=base_model)
    show_run = partial(handlers.show_run, database=database)
    learn = partial(
        handlers.learn_dataset,
        database=database,
        group=GROUP,
        base_model=base_model,
        auto_train=settings.auto_train,
    )
    return Service(
        name="training",
        router=routes(
            start_run=start_run,
            show_run=show_run,
            list_runs=partial(handlers.list_runs, database=database),
            list_models=partial(handlers.list_models, database=database),
            show_model=partial(handlers.show_model, database=database),
            promote=partial(handlers.promote, database=database, base_model=base_model),
            rollback=partial(handlers.rollback, database=database, base_model=base_model),
        ),
        grpc=[binding(TrainingServicer(start_run, show_run))],
        subscriptions=subscriptions(learn),
        checks={
            "driver": partial(
                handlers.check_driver,
                heartbeat=state_directory(platform.settings) / HEARTBEAT,
                silence=settings.driver_silence,
            )
        },
    )
