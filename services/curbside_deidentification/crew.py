"""The worker processes of a batch: groups of lines in order, and a line that kills its worker by itself."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Final

from curbside.errors import CurbsideError

_GROUPS_AHEAD_PER_WORKER: Final = 3
# A worker may be killed by chance once, at a line of no fault; a second one says that it is the line.
_MOST_LOST: Final = 2
_UnderWay = deque[tuple[list[str], "Future[str]"]]


class WorkerDied(CurbsideError):
    code = "batch.worker-died"


@dataclass(frozen=True)
class Crew:
    """`workers` processes, each begun by `start(*arguments)`, that `work` at lines.

    Where one dies, nobody knows at which line: all that was under way is done again, line by line in a
    process alone. A line that ends two is answered by `held`, unless `harmless`, a line that cannot be the
    cause, ends a third.
    """

    workers: int
    start: Callable[..., None]
    arguments: Sequence[Any]
    work: Callable[[list[str]], str]
    held: Callable[[str], str]
    harmless: str

    def results(self, groups: Iterable[list[str]]) -> Iterator[tuple[int, str]]:
        """How many lines, and what was made of them, in their order; a bounded number is under way at once.

        Raises WorkerDied where no line is the cause.
        """
        source = iter(groups)
        while unfinished := (yield from self._together(source)):
            for group, future in unfinished:
                if future.done() and future.exception() is None:
                    yield len(group), future.result()
                else:
                    yield from self._one_by_one(group)

    def _together(self, source: Iterator[list[str]]) -> Generator[tuple[int, str], None, _UnderWay]:
        """Returns what was under way when a worker died."""
        first = next(source, None)
        if first is None:
            return deque()
        under_way: _UnderWay = deque()
        with self._pool(self.workers) as pool:
            try:
                for group in itertools.chain([first], source):
                    under_way.append((group, self._submit(pool, group)))
                    if len(under_way) >= self.workers * _GROUPS_AHEAD_PER_WORKER:
                        yield len(under_way[0][0]), under_way[0][1].result()
                        under_way.popleft()
                while under_way:
                    yield len(under_way[0][0]), under_way[0][1].result()
                    under_way.popleft()
            except BrokenProcessPool:
                pool.shutdown()
        return under_way

    def _one_by_one(self, group: list[str]) -> Iterator[tuple[int, str]]:
        lost, todo = 0, deque(group)
        while todo:
            with self._pool(1) as pool:
                try:
                    while todo:
                        if lost >= _MOST_LOST:
                            self._submit(pool, [self.harmless]).result()
                            answer = self.held(todo[0])
                        else:
                            answer = self._submit(pool, [todo[0]]).result()
                        yield 1, answer
                        todo.popleft()
                        lost = 0
                except BrokenProcessPool:
                    lost += 1
            if lost > _MOST_LOST:
                raise WorkerDied(
                    "a worker process was killed, by the system for want of memory perhaps.",
                    mend="Run the same command again to continue, with fewer --workers.",
                )

    def _pool(self, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(workers, get_context("spawn"), self.start, tuple(self.arguments))

    def _submit(self, pool: ProcessPoolExecutor, lines: list[str]) -> Future[str]:
        try:
            return pool.submit(self.work, lines)
        except BrokenProcessPool as error:
            broken: Future[str] = Future()
            broken.set_exception(error)
            return broken
