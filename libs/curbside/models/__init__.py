"""Base models: the embedded one, and any directory or model id in its place."""

from curbside.models.base import EMBEDDED, base_model_directory

__all__ = ["EMBEDDED", "base_model_directory"]
