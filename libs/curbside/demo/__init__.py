"""`make demo`: the main job, start to finish, through the same HTTP API that a hospital uses."""

from curbside.demo.journey import run_demo

__all__ = ["run_demo"]
