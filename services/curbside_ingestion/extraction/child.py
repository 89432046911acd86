"""The limited child in which untrusted documents are parsed.

It may take so much memory and processor time and no more, write no file, and, where the kernel lets it, reach
no network. It gets one document after another over a pipe and answers each; what it cannot bear ends it, and
its parent (`pool.py`) then names the document as too costly and starts another.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import signal
from multiprocessing.connection import Connection
from typing import Final

from curbside.errors import BadInput, CurbsideError
from curbside_ingestion.extraction import wire
from curbside_ingestion.extraction.extracting import extract
from curbside_ingestion.extraction.found import Kind, Limits, OversizedDocument, UnreadableDocument

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def serve(pipe: Connection, memory_bytes: int, limits: Limits) -> None:
    """Answer documents until the pipe closes. A request is the kind, a space, the seconds of processor time
    that it may take, a new line, and the document."""
    confine(memory_bytes)
    while True:
        try:
            request = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        head, _, data = request.partition(b"\n")
        kind, _, seconds = head.decode("ascii").partition(" ")
        _allow(int(seconds))
        pipe.send_bytes(wire.encode(_extracted(data, Kind(kind), limits)))


def confine(memory_bytes: int) -> None:
    """From here on: bounded memory, no file written, no program with more rights, no network."""
    # A kernel that lets nobody make name spaces leaves us with the network that we never use.
    with contextlib.suppress(OSError, AttributeError):
        _LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    # After it: another user is nobody's child.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe


def _allow(seconds: int) -> None:
    """So much more processor time, then SIGXCPU, which ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def _extracted(data: bytes, kind: Kind, limits: Limits) -> wire.Result:
    try:
        return extract(data, kind, limits)
    except BadInput as problem:
        return problem
    except MemoryError:
        return OversizedDocument(
            "the document takes more memory than one may", field="body", mend="Send it in parts."
        )
    except CurbsideError as problem:
        return problem
    except Exception:
        # What no extractor foresaw: its message may quote the document.
        return UnreadableDocument(
            f"the document is damaged: it cannot be read as {kind}", field="body", mend="Export it again."
        )
