"""Laws 1, 5 and 6: who may import whom, and what a file may be called."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path for path in (ROOT / "services").iterdir() if path.name.startswith("curbside_"))
SOURCES = sorted((ROOT / "libs").rglob("*.py")) + sorted((ROOT / "services").rglob("*.py"))

# What domain code must not know: transports, stores, and the rooms of libs that are made of them.
OUTSIDE_DOMAIN = (
    "aioboto3",
    "aiohttp",
    "aiokafka",
    "aiosqlite",
    "alembic",
    "asyncpg",
    "boto3",
    "botocore",
    "confluent_kafka",
    "curbside.bus",
    "curbside.runtime",
    "curbside.storage",
    "fastapi",
    "gradio",
    "grpc",
    "grpc_health",
    "http.client",
    "http.server",
    "httpx",
    "httpx2",
    "kafka",
    "psycopg",
    "psycopg2",
    "requests",
    "socket",
    "sqlalchemy",
    "sqlite3",
    "starlette",
    "urllib.request",
    "urllib3",
    "uvicorn",
    "websockets",
)
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
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


def imports(source: str) -> Iterator[tuple[str, int]]:
    """What `source` imports, to the name, also inside functions, with the lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def imports_of(source: str, modules: Iterable[str]) -> list[str]:
    """The imports of `modules` and of what lies in them."""
    prefixes = tuple(f"{module}." for module in modules)
    return [f"{line} imports {name}" for name, line in imports(source) if f"{name}.".startswith(prefixes)]


def reads_of_the_environment(source: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module in {"os", "posix"}
            and any(alias.name in {*ENVIRONMENT, "*"} for alias in node.names)
        )
    ]


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
        f"{named(path)}:{found}"
        for path in service.rglob("*.py")
        for found in imports_of(path.read_text(), others)
    ]
    assert not wrong, "what crosses between services is an event, a gRPC message or a blob reference"


def test_domain_code_knows_no_transport_and_no_store() -> None:
    wrong = [
        f"{named(path)}:{found}"
        for service in SERVICES
        for path in (service / "domain").rglob("*.py")
        for found in imports_of(path.read_text(), OUTSIDE_DOMAIN)
    ]
    assert not wrong


def test_libs_know_services_only_where_they_are_hosted_or_commanded() -> None:
    allowed = ("libs/curbside/runtime/", "libs/curbside/demo/")
    wrong = [
        f"{named(path)}:{found}"
        for path in (ROOT / "libs").rglob("*.py")
        for found in imports_of(path.read_text(), [service.name for service in SERVICES])
        if not named(path).startswith(allowed)
    ]
    assert not wrong


@pytest.mark.parametrize("module", [*OUTSIDE_DOMAIN, *(service.name for service in SERVICES)])
@pytest.mark.parametrize(
    "planted",
    [
        "import {module}",
        "import {module}.deep as harmless",
        "from {module} import thing",
        "from {module}.deep import thing",
        "def later():\n    import {module}",
    ],
)
def test_a_planted_import_is_found(planted: str, module: str) -> None:
    assert imports_of(planted.format(module=module), [module])


def test_an_import_of_a_room_by_its_house_is_found_and_a_namesake_is_not() -> None:
    assert imports_of("from curbside import storage", OUTSIDE_DOMAIN)
    assert not imports_of("import requests_like, kafkaesque\nfrom curbside import phi", OUTSIDE_DOMAIN)


def test_nobody_reads_the_environment_outside_settings() -> None:
    wrong = [
        f"{named(path)}:{line}"
        for path in SOURCES
        if named(path) != "libs/curbside/settings.py"
        for line in reads_of_the_environment(path.read_text())
    ]
    assert not wrong


@pytest.mark.parametrize(
    "planted",
    [
        "import os\nos.environ['HOME']",
        "import os as system\nsystem.getenv('HOME')",
        "if True:\n    from os import environ",
        "x = 1\nfrom os import path, getenv as ask",
        "x = 1\nfrom os import *",
    ],
)
def test_a_planted_read_of_the_environment_is_found(planted: str) -> None:
    assert reads_of_the_environment(planted) == [2]


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
        f"{named(path)}:{found}"
        for path in SOURCES
        for found in imports_of(path.read_text(), ["sqlalchemy"])
        if not named(path).startswith(rooms) and path.name != "store.py" and "migrations" not in path.parts
    ]
    assert not wrong
