"""How many runs of chaos there are, how long each is, and which one to do again."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--runs", type=int, default=20, help="runs, with the seeds 1, 2, …; default %(default)s")
    group.addoption("--posts", type=int, default=2_000, help="posts in each run; default %(default)s")
    group.addoption("--seed", type=int, action="append", help="only the run of this seed; may be repeated")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        seeds = metafunc.config.getoption("seed") or range(1, metafunc.config.getoption("runs") + 1)
        metafunc.parametrize("seed", seeds, ids=lambda seed: f"seed {seed}")


@pytest.fixture
def posts(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("posts"))
