"""`make audit`: known vulnerabilities of the pinned packages, and what must never be in the tree.

pip-audit asks the package index's advisory data; it runs in an environment of its own, because its pins are
not ours. Without a network it says so and fails: an audit that did not happen has not passed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP_AUDIT = "pip-audit==2.9.0"
# Private keys, tokens of ours, cloud keys.
SECRETS = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY|cbs_[0-9a-f]{16}_[\w-]{20}|AKIA[0-9A-Z]{16}")


def vulnerabilities() -> bool:
    """Whether no pinned package has a known vulnerability."""
    uv = shutil.which("uv") or str(ROOT / ".make" / "uv" / "bin" / "uv")
    return (
        subprocess.run(
            [
                *(uv, "tool", "run", "--from", PIP_AUDIT, "pip-audit", "--progress-spinner", "off"),
                *("--disable-pip", "--require-hashes", "--no-deps", "-r", str(ROOT / "constraints.txt")),
            ],
            check=False,
        ).returncode
        == 0
    )


def secrets() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in listed.split("\0") if name and SECRETS.search((ROOT / name).read_bytes())]


def main() -> int:
    found = secrets()
    for name in found:
        print(f"curbside: {name} holds what looks like a secret: remove it and revoke it.")
    return 0 if vulnerabilities() and not found else 1


if __name__ == "__main__":
    sys.exit(main())
