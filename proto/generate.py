"""Generate `libs/curbside/contracts/v1` from `proto/`; with --check, fail where it drifted.

Runs from the repository's root: `.venv/bin/python proto/generate.py [--check]`.
"""

from __future__ import annotations

import argparse
import filecmp
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PACKAGE = Path("curbside/contracts/v1")


def generate(target: Path) -> list[Path]:
    """Write the Python modules and type stubs of every .proto under `target`; return their paths."""
    from grpc_tools import protoc

    sources = sorted((PROTO / PACKAGE).glob("*.proto"))
    include = Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{PROTO}", f"-I{include}"]
    # mypy-protobuf's plugins stand beside the interpreter that runs this.
    for plugin in ("mypy", "mypy_grpc"):
        arguments.append(
            f"--plugin=protoc-gen-{plugin}={Path(sys.executable).parent / f'protoc-gen-{plugin}'}"
        )
    arguments += [
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet:{target}",
        *map(str, sources),
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed: see its message above")
    package = target / PACKAGE
    (package / "__init__.py").write_text('"""Generated from proto/ by proto/generate.py; do not edit."""\n')
    for path in package.glob("*_pb2_grpc.py*"):
        if path.name.startswith("events_"):
            path.unlink()  # events has no services
    return sorted(package.glob("*.py*"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is committed")
    check = parser.parse_args().check
    if not check:
        for path in generate(ROOT / "libs"):
            print(path.relative_to(ROOT))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        fresh = generate(Path(scratch))
        committed = {path.name for path in (ROOT / "libs" / PACKAGE).glob("*.py*")}
        drifted = sorted(committed ^ {path.name for path in fresh}) + [
            path.name
            for path in fresh
            if path.name in committed
            and not filecmp.cmp(path, ROOT / "libs" / PACKAGE / path.name, shallow=False)
        ]
    if drifted:
        print(f"generated code drifted from proto/: {', '.join(drifted)}; run proto/generate.py")
    return 1 if drifted else 0


if __name__ == "__main__":
    raise SystemExit(main())
