"""The limited children that parse untrusted documents (`child.py`), seen from their parent."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import queue
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

from curbside.errors import BadInput, Unavailable
from curbside_ingestion.extraction import child, wire
from curbside_ingestion.extraction.found import DEFAULT_LIMITS, Extraction, Kind, Limits

# Loaded once, in the server from which children are forked: fhir.resources alone takes a second.
_PRELOADED: Final = [
    "curbside_ingestion.extraction.child",
    *(
        f"curbside_ingestion.extraction.{name}"
        for name in ("cda", "docx", "fhir", "hl7v2", "html", "images", "pdf", "plain", "rtf")
    ),
]
# Formats of programs in all but name: after one of them the child ends, so that no later patient's report is
# in the hands of what a document may have made of it.
_USED_ONCE: Final = frozenset({Kind.PDF, Kind.DOCX, Kind.RTF, Kind.PNG, Kind.JPEG, Kind.TIFF})
# Wall time for each second of processor time: Tesseract's is its own, and others may have the processor.
_PATIENCE: Final = 5


class CostlyDocument(BadInput):
    """Its parser took more time or memory than a document may have, or did not survive it."""

    code = "document.too-costly"


class ParserEnded(Unavailable):
    """Its parser was ended from outside: by a service manager that stops us, by a kernel short of memory."""

    code = "document.parser-ended"


# What no document does to its parser; 255 where the server of children went, and its children with it.
_FROM_OUTSIDE: Final = frozenset({-signal.SIGTERM, -signal.SIGKILL, -signal.SIGHUP, -signal.SIGQUIT, 255})
_MOMENT: Final = 5  # seconds in which a process whose pipe has closed is gone


@dataclass
class _Child:
    process: BaseProcess
    pipe: Connection

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


class Extractors:
    """`children` limited processes; a document waits until one of them is free."""

    def __init__(
        self,
        *,
        children: int,
        seconds: timedelta = timedelta(seconds=60),
        memory_bytes: int = 2_000_000_000,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._seconds = int(seconds.total_seconds())
        self._memory_bytes = memory_bytes
        self._limits = limits
        self._context = multiprocessing.get_context("forkserver")
        self._threads = ThreadPoolExecutor(children, thread_name_prefix="extraction")
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self._busy: set[BaseProcess] = set()
        self._closing = False

    async def extract(self, data: bytes, kind: Kind) -> Extraction:
        """What `data` gives. Raises a BadInput: the document's own, or CostlyDocument. ParserEnded says
        nothing of the document: it may be tried again."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._extract, data, kind)

    @property
    def patience(self) -> timedelta:
        """What one document may take in all."""
        return timedelta(seconds=_PATIENCE * self._seconds)

    def close(self) -> None:
        """End every child. What one has in hand is not waited for, since it may take minutes: ParserEnded."""
        self._closing = True
        for process in [*self._busy]:
            process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        while True:
            try:
                self._idle.get_nowait().end()
            except queue.Empty:
                return

    def _extract(self, data: bytes, kind: Kind) -> Extraction:
        used = self._take()
        self._busy.add(used.process)
        try:
            if self._closing:  # `close` may not have seen it
                used.process.kill()
            used.pipe.send_bytes(b"%s %d\n" % (kind.value.encode("ascii"), self._seconds) + data)
            if not used.pipe.poll(_PATIENCE * self._seconds):
                raise _costly(f"its parser took more than {_PATIENCE * self._seconds} seconds")
            answer = used.pipe.recv_bytes()
        except (EOFError, OSError):
            used.process.join(_MOMENT)
            ended = used.process.exitcode
            used.end()
            if ended in _FROM_OUTSIDE:
                raise ParserEnded(
                    "the document's parser was ended from outside", mend="Send it again."
                ) from None
            raise _costly("its parser did not survive it") from None
        except BaseException:
            used.end()
            raise
        finally:
            self._busy.discard(used.process)
        if kind in _USED_ONCE:
            used.end()
        else:
            self._idle.put(used)
        return wire.decode(answer)

    def _take(self) -> _Child:
        with contextlib.suppress(queue.Empty):
            while True:
                idle = self._idle.get_nowait()
                if idle.process.is_alive():
                    return idle
                idle.end()
        # Before the server of children starts, and without effect after.
        multiprocessing.set_forkserver_preload(_PRELOADED)
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=child.serve, args=(theirs, self._memory_bytes, self._limits), daemon=True
        )
        process.start()
        theirs.close()
        return _Child(process, ours)


def _costly(reason: str) -> CostlyDocument:
    return CostlyDocument(
        f"the document cannot be read: {reason}", field="body", mend="Split it, or send its text."
    )
