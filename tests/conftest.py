"""Fixtures of every suite. Sessions share what is slow to make; each test has its own directory."""

from __future__ import annotations

from pathlib import Path

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
