"""Assemble Apache Kafka from Maven Central, each jar by its hash, and print where the jars lie.

Done once per user: the directory is named by Kafka's version and the hash of jars.sha256, appears whole by
one rename, and is then only looked up. Two processes that want it at once make it once.

    python deploy/kafka/local/assemble.py [--cache DIR] [--update]
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

HERE = Path(__file__).resolve().parent
POM = HERE / "pom.xml"
LOCK = HERE / "jars.sha256"  # as `sha256sum *.jar` prints it


class CannotAssemble(Exception):
    """Its message is a sentence for whoever runs this."""


def assembled(cache: Path) -> Path:
    """The directory of the jars, made where it is not there. Raises CannotAssemble."""
    need("java", "default-jre-headless")
    home = cache.expanduser().resolve() / "kafka"
    done = home / f"{version()}-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if done.is_dir():
        return done
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        if not done.is_dir():
            with tempfile.TemporaryDirectory(dir=home, prefix=".new-") as place:
                jars = Path(place) / "jars"
                download(jars)
                verify(jars)
                jars.rename(done)
    return done


def update() -> None:
    """Rewrite jars.sha256 after a change of pom.xml. Read the difference before you commit it."""
    with tempfile.TemporaryDirectory() as place:
        jars = Path(place) / "jars"
        download(jars)
        LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(hashes(jars).items())))


def version() -> str:
    found = re.search(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([\d.]+)</version>", POM.read_text())
    assert found, POM
    return found.group(1)


def need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise CannotAssemble(
            f"Apache Kafka needs {program!r}, which is not here: run deploy/system-packages, or install "
            f"{package} with your system's package manager."
        )


def download(jars: Path) -> None:
    need("mvn", "maven")
    done = subprocess.run(
        [
            *("mvn", "--quiet", "--batch-mode", "--strict-checksums", "--no-transfer-progress"),
            *("--file", str(POM), "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", f"-DoutputDirectory={jars}"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0 or not jars.is_dir():
        said = [line for line in done.stdout.splitlines() if "[ERROR]" in line][:3]
        raise CannotAssemble(
            "Maven could not fetch Apache Kafka from Maven Central. Does this machine reach it (a mirror or "
            "proxy is set in ~/.m2/settings.xml)? It said:\n" + "\n".join(said or [done.stdout[-500:]])
        )


def verify(jars: Path) -> None:
    """Raises CannotAssemble where the jars are not exactly those of jars.sha256."""
    expected = {name: digest for digest, name in (line.split() for line in LOCK.read_text().splitlines())}
    found = hashes(jars)
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise CannotAssemble(
            f"What Maven fetched is not what {LOCK.name} lists: {', '.join(wrong)}. If pom.xml was changed, "
            "run deploy/kafka/local/assemble.py --update; if not, do not use it."
        )


def hashes(jars: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars.iterdir()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/curbside"), help="default %(default)s")
    parser.add_argument("--update", action="store_true", help="rewrite jars.sha256 from what Maven fetches")
    arguments = parser.parse_args()
    try:
        if arguments.update:
            update()
        print(assembled(arguments.cache))
    except CannotAssemble as why:
        print(why, file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
