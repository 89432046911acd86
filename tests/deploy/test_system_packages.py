"""What `make` asks apt for before anything else, on machines pretended by scripts on the PATH."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from rendering import ROOT

INSTALLED = "install ok installed"


class Machine:
    """A machine that has only what is put on it; `apt` holds what its apt-get was asked for."""

    def __init__(self, place: Path) -> None:
        self.programs = place / "bin"
        self.programs.mkdir()
        self.apt = place / "apt"
        repository = place / "repository"
        (repository / "deploy").mkdir(parents=True)
        self.script = repository / "deploy" / "system-packages"
        shutil.copy(ROOT / "deploy" / "system-packages", self.script)
        for name in ("bash", "dirname", "env", "grep"):
            self.programs.joinpath(name).symlink_to(str(shutil.which(name)))
        self.put("dpkg-query", f"echo {INSTALLED}")
        self.put("apt-get", f'echo "$@" >> {self.apt}')
        self.put("id", "echo 0")
        for name in ("java", "mvn", "tesseract"):
            self.put(name, "exit 0")
        # What would change /etc: in the record, and nowhere else.
        for name in ("mkdir", "rm"):
            self.put(name, f'echo {name} "$@" >> {self.apt}')
        self.put("tee", f'read -r line; echo "tee $@: $line" >> {self.apt}')

    def without(self, *names: str) -> None:
        for name in names:
            self.programs.joinpath(name).unlink()

    def without_postgres(self) -> None:
        self.put("dpkg-query", f'case "$*" in *postgresql*) exit 1;; *) echo {INSTALLED};; esac')

    def put(self, name: str, body: str) -> None:
        program = self.programs / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.script)], env={"PATH": str(self.programs)}, capture_output=True, text=True
        )

    @property
    def asked(self) -> list[str]:
        return self.apt.read_text().splitlines() if self.apt.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_fresh_debian_gets_the_module_that_makes_environments(machine: Machine) -> None:
    machine.put("python3", "exit 1")  # Debian's own, which has no ensurepip
    assert machine.run().returncode == 0
    assert machine.asked == ["update -qq", "install -y -qq python3-venv"]


@pytest.mark.parametrize("there", ["uv", "python3", "python3.11", ".make"])
def test_nothing_is_installed_where_uv_is_or_can_be_made(machine: Machine, there: str) -> None:
    if there == ".make":
        uv = machine.script.parents[1] / ".make" / "uv" / "bin" / "uv"
        uv.parent.mkdir(parents=True)
        uv.touch(mode=0o755)
    else:
        machine.put(there, "exit 0")
    assert machine.run().returncode == 0
    assert machine.asked == []


def test_who_is_neither_root_nor_in_sudo_is_told_what_root_must_do(machine: Machine) -> None:
    machine.put("id", "echo 1000")
    done = machine.run()
    assert done.returncode == 2
    assert "su -c 'apt-get install python3-venv'" in done.stderr
    assert machine.asked == []


def test_without_apt_the_packages_are_named(machine: Machine) -> None:
    machine.without("apt-get")
    done = machine.run()
    assert done.returncode == 2
    assert "install python3-venv with your system's package manager" in done.stderr


def test_an_apt_that_fails_ends_in_a_sentence(machine: Machine) -> None:
    machine.put("apt-get", "echo E: no network >&2; exit 100")
    done = machine.run()
    assert done.returncode == 2
    assert "no network" in done.stderr
    assert "apt-get could not install python3-venv" in done.stderr


TOLD = "/etc/postgresql-common/createcluster.d"


def test_java_maven_and_postgres_are_installed_and_no_cluster_is_made(machine: Machine) -> None:
    machine.put("uv", "exit 0")
    machine.without("java", "mvn")
    machine.without_postgres()
    assert machine.run().returncode == 0
    assert machine.asked == [
        "update -qq",
        f"mkdir -p {TOLD}",
        f"tee {TOLD}/curbside.conf: create_main_cluster = false",
        "install -y -qq default-jre-headless maven postgresql",
        f"rm -f {TOLD}/curbside.conf",
    ]


def test_maven_is_installed_beside_a_java_that_is_there(machine: Machine) -> None:
    machine.put("uv", "exit 0")
    machine.without("mvn")
    assert machine.run().returncode == 0
    assert machine.asked == ["update -qq", "install -y -qq maven"]


def test_tesseract_is_installed_for_scans(machine: Machine) -> None:
    machine.put("uv", "exit 0")
    machine.without("tesseract")
    assert machine.run().returncode == 0
    assert machine.asked == ["update -qq", "install -y -qq tesseract-ocr"]


def test_what_is_needed_is_installed_though_what_is_wanted_cannot_be(machine: Machine) -> None:
    machine.put("python3", "exit 1")
    machine.without_postgres()
    machine.put("apt-get", f'echo "$@" >> {machine.apt}; case "$*" in *postgresql*) exit 100;; esac')
    done = machine.run()
    assert done.returncode == 0
    assert "install -y -qq python3-venv" in machine.asked
    assert "not installed: postgresql" in done.stderr
    assert machine.asked[-1] == f"rm -f {TOLD}/curbside.conf"


@pytest.mark.parametrize("there", ["no apt", "no root"])
def test_who_cannot_install_is_told_what_does_not_run_and_goes_on(machine: Machine, there: str) -> None:
    machine.put("uv", "exit 0")
    machine.without("java")
    machine.without_postgres()
    if there == "no apt":
        machine.without("apt-get")
    else:
        machine.put("id", "echo 1000")
    done = machine.run()
    assert done.returncode == 0
    assert "not installed: default-jre-headless postgresql" in done.stderr
    assert machine.asked == []
