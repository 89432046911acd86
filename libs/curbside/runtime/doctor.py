"""`curbside doctor`: what this machine has, and what of it is too little."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from curbside.errors import CurbsideError
from curbside.runtime.kinds import Kind, ServersNotRunning, kind_of
from curbside.runtime.platform import halves
from curbside.settings import RuntimeSettings

_GB: Final = 1_000_000_000
# Measured on the demo: 5.8 GB of peak resident memory over all processes, 1.5 GB of data and cache.
_MEMORY_BYTES: Final = 8 * _GB
# 8.2 GB on PostgreSQL, Kafka and S3 of the same machine, each service in a process of its own.
_FULL_MEMORY_BYTES: Final = 10 * _GB
_DISK_BYTES: Final = 5 * _GB
_DEPENDENCIES: Final = {
    "deidentification": "presidio_analyzer",
    "datasets": "pyarrow",
    "training": "ray",
    "inference": "huggingface_hub",
    "engine": "torch",
    "workbench": "gradio",
}


@dataclass(frozen=True)
class Finding:
    subject: str
    found: str
    holds: bool
    mend: str = ""


def examine(settings: RuntimeSettings) -> bool:
    """Print a table of findings; return whether nothing stands in the way."""
    findings = list(_findings(settings))
    table = Table("what", "found", "ok", "what to do")
    for finding in findings:
        table.add_row(finding.subject, finding.found, "yes" if finding.holds else "[red]no[/]", finding.mend)
    Console().print(table)
    return all(finding.holds for finding in findings)


def _findings(settings: RuntimeSettings) -> Iterator[Finding]:
    memory = _memory_bytes()
    wanted = _FULL_MEMORY_BYTES if kind_of(settings.data) is Kind.FULL else _MEMORY_BYTES
    suffices = memory >= wanted * 0.95
    yield Finding(
        "memory",
        f"{memory / _GB:.1f} GB",
        suffices,
        "" if suffices else f"The demo needs {wanted // _GB} GB: close other programs.",
    )
    there_already = next(place for place in (settings.data, *settings.data.parents) if place.is_dir())
    free = shutil.disk_usage(there_already).free
    enough = free >= _DISK_BYTES
    yield Finding("disk", f"{free / _GB:.1f} GB free", enough, "" if enough else "Free at least 5 GB.")
    for service, package in _DEPENDENCIES.items():
        there = importlib.util.find_spec(package) is not None
        mend = "" if there else f"uv pip install 'curbside[{service}]'"
        yield Finding(f"{service}: {package}", "installed" if there else "missing", there, mend)
    yield _tesseract()
    yield _servers(settings) if kind_of(settings.data) is Kind.FULL else _ports(settings)
    yield _gpu()


def _memory_bytes() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["MemTotal"].split()[0]) * 1024


def _tesseract() -> Finding:
    """Whether scans can be read: the program, and the models of English and of a page's orientation."""
    from curbside.settings import load
    from curbside_ingestion.settings import IngestionSettings

    mend = "apt-get install tesseract-ocr, or set CURBSIDE_INGESTION__OCR_PATH; until then scans wait."
    program = shutil.which("tesseract", path=load(IngestionSettings).ocr_path)
    if program is None:
        return Finding("ingestion: Tesseract", "missing", False, mend)
    answer = subprocess.run(
        [program, "--list-langs"], capture_output=True, text=True, check=False, timeout=20
    )
    missing = [model for model in ("eng", "osd") if model not in answer.stdout.split()]
    found = f"without {' and '.join(missing)}" if missing else "installed"
    return Finding("ingestion: Tesseract", found, not missing, mend if missing else "")


def _ports(settings: RuntimeSettings) -> Finding:
    from curbside.runtime.up import check_ports

    try:
        check_ports(settings)
    except CurbsideError as error:
        return Finding("ports", "taken", False, error.message)
    return Finding("ports", f"{settings.http_port}, {settings.grpc_port} free", True)


def _servers(settings: RuntimeSettings) -> Finding:
    """Whether the servers of `up --full` run: their ports, and those of its services, are in its own file."""
    try:
        halves(settings)
    except ServersNotRunning as error:
        return Finding("servers", "they do not run", True, error.mend or "")
    return Finding("servers", "they run", True)


def _gpu() -> Finding:
    if shutil.which("nvidia-smi") is None:
        return Finding("GPU", "none: the same code runs on the CPU", True)
    answer = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    found = answer.stdout.strip().replace("\n", "; ")
    return Finding(
        "GPU", found or "nvidia-smi failed", answer.returncode == 0, "" if found else answer.stderr[:200]
    )
