"""The chart, rendered once per set of values by the same helm that `make chart` uses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "chart"))

import programs
from manifests import Charts, Render
from rendering import CHART, ValueSet, render, value_sets


@pytest.fixture(scope="session")
def helm() -> Path:
    return programs.helm()


@pytest.fixture(scope="session")
def charts(helm: Path) -> Charts:
    """The documents of each set of values that `make chart` renders, by its name."""
    return {values.name: render(helm, values.arguments) for values in value_sets()}


@pytest.fixture(scope="session")
def closed_with(helm: Path) -> Render:
    """Renders ci/closed-values.yaml with settings on top."""
    return lambda **settings: render(
        helm, ValueSet("closed", CHART / "ci" / "closed-values.yaml", settings).arguments
    )
