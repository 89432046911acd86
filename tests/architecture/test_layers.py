"""Laws 1, 5 and 6: who may import whom, and what a file may be called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path for path in (ROOT / "services").iterdir() if path.name.startswith("curbside_"))
SOURCES = sorted((ROOT / "libs").rglob("*.py")) + sorted((ROOT / "services").rglob("*.py"))

# Transports and stores that domain code must not know.
TRANSPORTS = {
    "aiohttp",
    "alembic",
    "fastapi",
    "gradio",
    "grpc",
    "httpx2",
    "kafka",
    "sqlalchemy",
    "starlette",
    "uvicorn",
}
# Room of libs → what a file in it must not import, at any depth.
SAYS_NOTHING = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "processor",
}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """The modules that `path` imports, also inside functions, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_six_services() -> None:
    assert [path.name.removeprefix("curbside_") for path in SERVICES] == [
        "datasets",
        "deidentification",
        "inference",
        "ingestion",
        "training",
        "workbench",
    ]


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_never_imports_another(service: Path) -> None:
    others = {path.name for path in SERVICES} - {service.name}
    wrong = [
        f"{named(path)}:{line} imports {module}"
        for path in service.rglob("*.py")
        for module, line in imports(path)
        if module.split(".")[0] in others
    ]
    assert not wrong, "what crosses between services is an event, a gRPC message or a blob reference"


def test_domain_code_knows_no_transport() -> None:
    wrong = [
        f"{named(path)}:{line} imports {module}"
        for service in SERVICES
        for path in (service / "domain").rglob("*.py")
        for module, line in imports(path)
        if module.split(".")[0] in TRANSPORTS
    ]
    assert not wrong


def test_libs_know_services_only_where_they_are_hosted_or_commanded() -> None:
    allowed = ("libs/curbside/runtime/", "libs/curbside/demo/")
    wrong = [
        f"{named(path)}:{line} imports {module}"
        for path in (ROOT / "libs").rglob("*.py")
        for module, line in imports(path)
        if module.startswith("curbside_") and not named(path).startswith(allowed)
    ]
    assert not wrong


def test_nobody_reads_the_environment_outside_settings() -> None:
    wrong = []
    for path in SOURCES:
        if named(path) == "libs/curbside/settings.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "putenv", "environb"}:
                wrong.append(f"{named(path)}:{node.lineno}")
    assert not wrong


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [named(path) for path in SOURCES if path.stem in SAYS_NOTHING]


def test_every_service_has_the_same_rooms() -> None:
    rooms = {"__init__.py", "service.py", "settings.py"}
    missing = {
        path.name: sorted(rooms - {child.name for child in path.iterdir()})
        for path in SERVICES
        if rooms - {child.name for child in path.iterdir()}
    }
    assert not missing


def test_queries_stand_in_stores_only() -> None:
    """sqlalchemy belongs to storage, identity, audit, and to each service's store and migrations."""
    rooms = (
        "libs/curbside/storage/",
        "libs/curbside/identity/",
        "libs/curbside/audit/",
        "libs/curbside/runtime/",
    )
    wrong = [
        f"{named(path)}:{line} imports {module}"
        for path in SOURCES
        for module, line in imports(path)
        if module.split(".")[0] == "sqlalchemy"
        and not named(path).startswith(rooms)
        and path.name != "store.py"
        and "migrations" not in path.parts
    ]
    assert not wrong
