"""Ray for as long as a piece of work takes, and a queue by which its workers say how far they are."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, Final

from curbside.errors import CurbsideError, MissingExtra
from curbside.settings import set_process_environment
from curbside_training.domain.recipe import Recipe

# Ray reads these when it is imported. Without them it would build a virtual environment for each worker
# when the driver was started by `uv run`, and send usage reports to its makers.
RAY_ENVIRONMENT: Final = MappingProxyType(
    {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_TRAIN_V2_ENABLED": "1"}
)
# 256 MB: the object store only carries token ids. Ray's default takes a third of the machine's memory.
OBJECT_STORE_BYTES: Final = 256_000_000
# Ray gives its own node 60 s to start, which a machine that does much else may not have.
_OWN_ATTEMPTS: Final = 2
log = logging.getLogger(__name__)


class TrainingFailed(CurbsideError):
    code = "training.failed"
    title = "The training did not end well"


@contextmanager
def on_ray(
    what: str, recipe: Recipe, address: str | None, on_message: Callable[[Mapping[str, Any]], None]
) -> Iterator[Any]:
    """Ray for as long as `what` takes: the cluster at `address`, or one of its own on this machine.

    Yields the queue whose messages `on_message` gets, on a thread. Raises TrainingFailed where Ray does not
    start or gives up; an error of ours passes as it is.
    """
    set_process_environment(**RAY_ENVIRONMENT)
    try:
        import ray
        from ray.exceptions import RayTaskError
        from ray.util.queue import Queue
    except ImportError as error:
        raise MissingExtra(error.name or "ray", "training") from error

    begun_here = not ray.is_initialized()
    began = False
    stop = threading.Event()
    listener: threading.Thread | None = None
    try:
        if begun_here:
            _begin(
                ray,
                **({"address": address} if address else _own_ray(recipe)),
                attempts=1 if address else _OWN_ATTEMPTS,
                log_to_driver=False,
                logging_level=logging.WARNING,
                runtime_env={
                    # A model is found in the cache or not at all: a worker never waits for a hub.
                    "env_vars": {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", **RAY_ENVIRONMENT}
                },
            )
        # Started again where its node dies: what it held is lost, what follows is not.
        queue: Any = Queue(actor_options={"num_cpus": 0, "max_restarts": -1})
        listener = threading.Thread(target=_listen, args=(queue, stop, on_message), daemon=True)
        listener.start()
        began = True
        yield queue
    except Exception as error:
        cause = error.cause if isinstance(error, RayTaskError) else error
        if isinstance(cause, CurbsideError):
            raise cause from None
        if not began:
            raise TrainingFailed(
                f"Ray did not start for {what} ({type(error).__name__}).",
                mend="Set CURBSIDE_TRAINING__RAY_ADDRESS to a cluster that answers."
                if address
                else "Free memory and /dev/shm on this machine, and start the run again.",
            ) from error
        raise TrainingFailed(
            f"Ray gave {what} up ({type(error).__name__}); its workers' logs say why.",
            mend="Read the worker logs, mend the cause, and start the run again: it resumes.",
        ) from error
    finally:
        stop.set()
        if listener is not None:
            listener.join(timeout=5)
        if begun_here:
            ray.shutdown()


def _begin(ray: Any, *, attempts: int, **options: Any) -> None:
    for attempt in range(1, attempts + 1):
        try:
            ray.init(**options)
        except Exception as error:
            if attempt == attempts:
                raise
            log.warning("Ray did not start, and is begun again", extra={"error": type(error).__name__})
            ray.shutdown()
        else:
            return


def _own_ray(recipe: Recipe) -> dict[str, Any]:
    return {
        # Without it Ray joins whichever cluster RAY_ADDRESS or its own notes in /tmp name.
        "address": "local",
        "num_cpus": recipe.workers * recipe.cpus_per_worker,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }


def _listen(queue: Any, stop: threading.Event, on_message: Callable[[Mapping[str, Any]], None]) -> None:
    """Hand on what the workers say, until `stop` and all is said; a lost message costs a bar's tick."""
    from ray.exceptions import RayError
    from ray.util.queue import Empty

    while True:
        ending = stop.is_set()
        try:
            on_message(queue.get(block=not ending, timeout=1))
        except (Empty, RayError) as error:
            if ending:
                return
            if isinstance(error, RayError):
                stop.wait(1)


def tell(queue: Any, message: Mapping[str, Any]) -> None:
    """Say `message` to the driver. A queue that is lost costs a bar's tick, never the run."""
    from ray.exceptions import RayError

    with suppress(RayError):
        queue.put(dict(message))
