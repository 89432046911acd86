"""Wiring of the inference gateway: the shield, the engine, and the questions between them."""

from __future__ import annotations

from functools import partial

from curbside.runtime.services import Platform, Service
from curbside.settings import load
from curbside_inference import grpc, handlers, http, preparation
from curbside_inference.consumer import subscriptions
from curbside_inference.domain.model import EngineModels
from curbside_inference.engine_client import EngineClient
from curbside_inference.settings import InferenceSettings
from curbside_inference.shield import Shield
from curbside_inference.store import METADATA

__all__ = ["METADATA", "build"]


def build(platform: Platform) -> Service:
    settings = load(InferenceSettings)
    database, blobs = platform.database, platform.blobs
    key = settings.engine_api_key
    engine = EngineClient(
        settings.engine_url,
        api_key=key.get_secret_value() if key is not None else None,
        connect_timeout=settings.engine_connect_timeout,
        idle_timeout=settings.engine_idle_timeout,
        timeout=settings.engine_timeout,
        check_timeout=settings.check_timeout,
    )
    shield = Shield(
        settings.deidentification_target or platform.settings.grpc_target,
        token_path=platform.settings.service_token_path,
        timeout=settings.shield_timeout,
        check_timeout=settings.check_timeout,
    )
    served = EngineModels(platform.settings.base_model, settings.engine_base_name, settings.engine_adapters)
    seats = handlers.Seats(settings.max_concurrent)
    prepare = partial(
        preparation.prepare,
        database=database,
        blobs=blobs,
        ring=platform.ring,
        deidentify=shield.deidentify,
        engine=served,
    )
    conclude = partial(handlers.conclude_opinion, database=database, blobs=blobs)
    give = partial(
        handlers.give_opinion,
        seats=seats,
        prepare=prepare,
        complete=engine.complete,
        restore=shield.restore,
        conclude=conclude,
    )
    stream = partial(
        handlers.stream_opinion,
        seats=seats,
        prepare=prepare,
        stream=engine.stream,
        restore=shield.restore,
        conclude=conclude,
    )
    adapters_dir = (settings.adapters_dir or platform.settings.data / "adapters").expanduser()
    return Service(
        name="inference",
        router=http.routes(
            give=give,
            stream=stream,
            model=partial(preparation.find_model, database=database, engine=served),
            settings=settings,
        ),
        grpc=[grpc.binding(give, stream, settings)],
        subscriptions=subscriptions(
            learn_reports=partial(handlers.learn_reports, database=database),
            displace_report=partial(handlers.displace_report, database=database),
            place_model=partial(
                handlers.place_model,
                database=database,
                blobs=blobs,
                adapters_dir=adapters_dir,
                engine=served,
            ),
        ),
        checks={"engine": engine.check, "shield": shield.check},
        stop=[engine.close, shield.close],
    )
