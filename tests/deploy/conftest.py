"""The chart, rendered once per set of values by the same helm that `make chart` uses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "chart"))

import programs
from rendering import CHART, ValueSet, render, value_sets

Document = dict[str, Any]
Render = Callable[..., list[Document]]


@pytest.fixture(scope="session")
def helm() -> Path:
    return programs.helm()


@pytest.fixture(scope="session")
def charts(helm: Path) -> dict[str, list[Document]]:
    """The documents of each set of values that `make chart` renders, by its name."""
    return {values.name: render(helm, values.arguments) for values in value_sets()}


@pytest.fixture(scope="session")
def closed_with(helm: Path) -> Render:
    """Renders ci/closed-values.yaml with settings on top."""
    return lambda **settings: render(
        helm, ValueSet("closed", CHART / "ci" / "closed-values.yaml", settings).arguments
    )
