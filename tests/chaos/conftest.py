"""How many runs of chaos there are, how long each is, and which one to do again."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--runs", type=int, help="runs, with the seeds 1, 2, …; default each test's own")
    group.addoption("--posts", type=int, help="posts in each run; default each test's own")
    group.addoption("--kills", type=int, default=20, help="kills of ingestion in a run; default %(default)s")
    group.addoption("--seed", type=int, action="append", help="only the run of this seed; may be repeated")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        runs = metafunc.config.getoption("runs") or metafunc.module.RUNS
        seeds = metafunc.config.getoption("seed") or range(1, runs + 1)
        metafunc.parametrize("seed", seeds, ids=lambda seed: f"seed {seed}")


@pytest.fixture
def posts(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("posts") or request.module.POSTS)
