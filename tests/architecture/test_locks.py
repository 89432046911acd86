"""The lock files hold what the project asks for, each file by its hash, and name no registry."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {
    "constraints.txt": ROOT / "constraints.txt",
    "builder.txt": ROOT / "deploy" / "docker" / "builder.txt",
}
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def entries(lock: Path) -> list[str]:
    """The logical lines of a requirements file: continued lines joined, comments gone."""
    text = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.M))
    return [line.strip() for line in text.splitlines() if line.strip()]


def pins(lock: Path) -> dict[str, Requirement]:
    pinned = [Requirement(line.split(" --hash=")[0]) for line in entries(lock)]
    return {canonicalize_name(pin.name): pin for pin in pinned}


def project_requirements() -> Iterator[tuple[str, Requirement]]:
    """Each requirement of pyproject.toml, with the table that it stands in."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tables = {
        "build-system": project["build-system"]["requires"],
        "dependencies": project["project"]["dependencies"],
        **project["project"]["optional-dependencies"],
        **project["dependency-groups"],
    }
    for table, lines in tables.items():
        for line in lines:
            requirement = Requirement(line)
            if requirement.name != project["project"]["name"]:  # an extra made of extras, each seen itself
                yield table, requirement


def unmet(requirement: Requirement, pinned: dict[str, Requirement]) -> bool:
    """Whether a lock's version is not one that `requirement` admits."""
    pin = pinned.get(canonicalize_name(requirement.name))
    if pin is None:
        return True
    (version,) = [one.version for one in pin.specifier]
    return not requirement.specifier.contains(version, prereleases=True)


def test_every_requirement_of_the_project_is_met_by_its_pin() -> None:
    pinned = pins(LOCKS["constraints.txt"])
    required = list(project_requirements())
    assert {"dependencies", "training", "dev"} <= {table for table, _ in required}
    assert [f"{table}: {one}" for table, one in required if unmet(one, pinned)] == []


def test_every_requirement_of_the_image_builder_is_met_by_its_pin() -> None:
    pinned = pins(LOCKS["builder.txt"])
    required = [Requirement(line) for line in entries(ROOT / "deploy" / "docker" / "builder.in")]
    assert required
    assert [str(one) for one in required if unmet(one, pinned)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_one_version_by_hash(lock: str) -> None:
    lines = entries(LOCKS[lock])
    assert lines
    assert len(pins(LOCKS[lock])) == len(lines)
    for line in lines:
        operators = [one.operator for one in Requirement(line.split(" --hash=")[0]).specifier]
        assert operators == ["=="], line[:80]
        assert _HASH.findall(line), line[:80]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_registry(lock: str) -> None:
    """A hospital installs from its own mirror; an address here would go round it."""
    for line in entries(LOCKS[lock]):
        assert not line.startswith("-"), line[:80]  # --index-url, --extra-index-url, --find-links
        assert "://" not in line, line[:80]
        assert " @ " not in line, line[:80]


@pytest.mark.parametrize(
    ("requirement", "pin", "missed"),
    [
        ("torch==2.13.0", "torch==2.13.0", False),
        ("ray[default]>=2.60", "ray==2.60.0", False),
        ("Typing_Extensions", "typing-extensions==4.15.0", False),
        ("torch==2.13.0", "torch==2.12.0", True),
        ("ray>=2.61", "ray==2.60.0", True),
        ("spacy>=3.8", "numpy==2.0.0", True),
    ],
)
def test_a_pin_that_falls_behind_is_found(requirement: str, pin: str, missed: bool) -> None:
    pinned = Requirement(pin)
    assert unmet(Requirement(requirement), {canonicalize_name(pinned.name): pinned}) is missed
