"""Fixtures of every suite. Sessions share what is slow to make; each test has its own directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curbside.settings import Profile, RuntimeSettings, set_process_environment
from curbside.storage.keys import KeyRing

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# No test may reach a hub; Ray must not kill workers because another job fills the memory.
set_process_environment(HF_HUB_OFFLINE="1", RAY_memory_monitor_refresh_ms="0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="run the tests marked gpu too, on this machine's GPU")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--gpu"):
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="--gpu was not given"))


# What the run says at its end, once, whichever of pytest-xdist's workers had to say it.
_SUMMARY = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SUMMARY] = []


@pytest.fixture(scope="session")
def summary(request: pytest.FixtureRequest) -> list[str]:
    """Lines to be printed at the end of the run."""
    return request.config.stash[_SUMMARY]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["summary"] = session.config.stash[_SUMMARY]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_SUMMARY] += getattr(node, "workeroutput", {}).get("summary", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in dict.fromkeys(config.stash[_SUMMARY]):
        terminalreporter.write_line(line)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys", Profile.DEVELOPMENT)


@pytest.fixture
def runtime(tmp_path: Path) -> RuntimeSettings:
    return RuntimeSettings(data_dir=tmp_path / "data", min_free_disk_bytes=0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real inputs. They are absent only where `../shared` is, which it never is in CI."""
    if not SHARED.is_dir():
        pytest.skip("../shared is absent")
    return SHARED
