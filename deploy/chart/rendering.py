"""Rendering the chart with helm, and the sets of values that it is rendered with."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "charts" / "curbside"
KUBERNETES: Final = "1.37"
# helm built from its module believes in Kubernetes 1.20 unless it is told.
_VERSION: Final = ("--kube-version", f"{KUBERNETES}.0")

Document = dict[str, Any]


class RenderingRefused(Exception):
    """helm refused; the message is what it said."""


@dataclass(frozen=True)
class ValueSet:
    """One way of installing the chart: a file of values, and settings on top."""

    name: str
    file: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        settings = [part for key, value in self.settings.items() for part in ("--set", f"{key}={value}")]
        return ["--values", str(self.file), *settings]


def value_sets() -> list[ValueSet]:
    """Every file in ci/, and what skaffold deploys with and without `full`, its images named as it does."""
    sets = [
        ValueSet(path.stem.removesuffix("-values"), path) for path in sorted((CHART / "ci").glob("*.yaml"))
    ]
    overrides = yaml.safe_load((CHART / "values.yaml").read_text())["image"]["overrides"]
    images = {f"image.overrides.{name}": f"curbside-{name}:0123abc" for name in overrides}
    kind = ROOT / "deploy" / "kind"
    return [
        *sets,
        ValueSet("skaffold", kind / "values.yaml", images),
        ValueSet("skaffold-full", kind / "values-full.yaml", images),
    ]


def kind_manifests() -> list[Document]:
    """What is applied on kind beside the chart; cluster.yaml is kind's own and no object of Kubernetes."""
    kind = ROOT / "deploy" / "kind"
    paths = (kind / "models-volume.yaml", *sorted((kind / "full").glob("*.yaml")))
    return [
        document for path in paths for document in yaml.load_all(path.read_text(), _NoDuplicates) if document
    ]


def lint(helm: Path, arguments: Sequence[str]) -> None:
    """`helm lint --strict`; raises RenderingRefused with its output."""
    _run([str(helm), "lint", "--strict", "--quiet", *_VERSION, str(CHART), *arguments])


def render(helm: Path, arguments: Sequence[str], *, chart: Path = CHART) -> list[Document]:
    """The documents of the chart; raises RenderingRefused with helm's message."""
    command = [
        str(helm),
        "template",
        "curbside",
        str(chart),
        "--namespace",
        "curbside",
        *_VERSION,
        *arguments,
    ]
    return [document for document in yaml.load_all(_run(command), Loader=_NoDuplicates) if document]


def render_notes(helm: Path, arguments: Sequence[str]) -> str:
    """What is printed after an install.

    `helm template` leaves the notes out, so a copy of the chart holds them in a ConfigMap.
    """
    with tempfile.TemporaryDirectory() as scratch:
        chart = Path(scratch) / CHART.name
        shutil.copytree(CHART, chart)
        (chart / "templates" / "NOTES.txt").rename(chart / "notes.txt")
        (chart / "templates" / "notes.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n"
            'data: {notes: {{ tpl (.Files.Get "notes.txt") . | quote }}}\n'
        )
        (notes,) = [d for d in render(helm, arguments, chart=chart) if d["metadata"]["name"] == "notes"]
        return str(notes["data"]["notes"])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RenderingRefused((done.stderr + done.stdout).strip())
    return done.stdout


class _NoDuplicates(yaml.SafeLoader):
    """Refuses a key that stands twice, of which Kubernetes would keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.MarkedYAMLError(problem=f"keys stand twice: {twice}", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)
