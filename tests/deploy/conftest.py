"""The chart, rendered once per set of values by the same helm that `make chart` uses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "chart"))

import programs
from manifests import Charts, Notes, Render
from rendering import CHART, ValueSet, render, render_notes, value_sets

from curbside.settings import child_environment


@pytest.fixture(scope="session")
def helm() -> Path:
    """The pinned helm. Where this machine can have none its tests are skipped, in CI they fail."""
    try:
        return programs.helm()
    except programs.ProgramMissing as error:
        if "CI" in child_environment():
            raise
        pytest.skip(f"{error} Until then nothing is known of the chart.")


@pytest.fixture(scope="session")
def charts(helm: Path) -> Charts:
    """The documents of each set of values that `make chart` renders, by its name."""
    return {values.name: render(helm, values.arguments) for values in value_sets()}


@pytest.fixture(scope="session")
def notes(helm: Path) -> Notes:
    """Prints the notes of ci/hub-values.yaml with settings on top."""
    return lambda **settings: render_notes(
        helm, ValueSet("hub", CHART / "ci" / "hub-values.yaml", settings).arguments
    )


@pytest.fixture(scope="session")
def closed_with(helm: Path) -> Render:
    """Renders ci/closed-values.yaml with settings on top."""
    return lambda **settings: render(
        helm, ValueSet("closed", CHART / "ci" / "closed-values.yaml", settings).arguments
    )


@pytest.fixture(scope="session")
def outside_with(helm: Path) -> Render:
    """Renders ci/outside-values.yaml with settings on top."""
    return lambda **settings: render(
        helm, ValueSet("outside", CHART / "ci" / "outside-values.yaml", settings).arguments
    )


@pytest.fixture(scope="session")
def outside_notes(helm: Path) -> str:
    """The notes of ci/outside-values.yaml."""
    return render_notes(helm, ValueSet("outside", CHART / "ci" / "outside-values.yaml").arguments)
