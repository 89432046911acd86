"""The outside half of where blobs lie: a bucket of any server that speaks S3.

Writes are conditional (`If-None-Match: *`), so that nothing is ever overwritten, and carry a checksum of
what was sent. Requests are tried three times; a write whose first try succeeded unheard is known by a token
in the object's metadata. Large objects go in parts, side by side, and appear whole or not at all.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from curbside.errors import Unavailable
from curbside.settings import BadSetting, BlobSettings, Profile
from curbside.storage.objects import ABANDONED_AFTER, NameTaken, Part
from curbside.storage.s3_errors import BlobsRefused, code_of, status_of, translated

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, LifecycleRuleTypeDef

# Beside the zones, of which none begins with a dot.
_MARKER: Final = ".conditional-writes"
_TOKEN: Final = "write"  # noqa: S105  (x-amz-meta-write)
_TRIES: Final = 3
_PARTS_AT_ONCE: Final = 4  # of all writes together: what bounds the memory, with `part_bytes`
_MOST_PARTS: Final = 10_000
_CHECKED_FOR: Final = 1.0  # seconds; intake asks before every write


class NoConditionalWrites(BlobsRefused):
    code = "operator.no-conditional-writes"


def check_security(settings: BlobSettings, profile: Profile) -> None:
    """Raise BadSetting where only half of the keys is named, or production would use an open connection."""
    if profile is Profile.PRODUCTION and settings.endpoint and not settings.endpoint.startswith("https://"):
        raise BadSetting("CURBSIDE_BLOBS__ENDPOINT must begin with https:// in the production profile.")
    if (settings.access_key_file is None) != (settings.secret_key_file is None):
        raise BadSetting(
            "CURBSIDE_BLOBS__ACCESS_KEY_FILE and CURBSIDE_BLOBS__SECRET_KEY_FILE belong together: set both, "
            "or neither to use the role of this machine or pod."
        )


class S3Objects:
    """Objects of a bucket, below the prefix of the settings. Raises BadSetting for an unreadable file."""

    workers = 16  # each waits for the network nearly all of its time

    def __init__(self, settings: BlobSettings) -> None:
        self._settings = settings
        self._bucket = settings.bucket or ""
        self._client = _client(settings, connections=self.workers + _PARTS_AT_ONCE)
        self._parts = ThreadPoolExecutor(_PARTS_AT_ONCE, thread_name_prefix="blob-parts")
        self._encryption: dict[str, Any] = {}
        if settings.server_side_encryption is not None:
            self._encryption["ServerSideEncryption"] = settings.server_side_encryption
        if settings.kms_key_id is not None:
            self._encryption["SSEKMSKeyId"] = settings.kms_key_id
        self._proven: set[bool] = set()
        self._checked_at = float("-inf")

    def write_new(self, name: str, data: bytes) -> None:
        in_parts = len(data) > self._settings.part_bytes
        with translated(self._settings):
            self._prove_conditional(in_parts=in_parts)
            token = secrets.token_hex(16)
            for _ in range(_TRIES):
                if self._write(self._key(name), data, token, in_parts=in_parts):
                    return
        raise Unavailable(
            "the S3 server let no write of this name come to its end: another is under way, or its upload "
            "was aborted",
            mend="Try again in a moment.",
        )

    def read(self, name: str, part: Part | None = None) -> bytes | None:
        asked: dict[str, Any] = {"ChecksumMode": "ENABLED"}  # which is of the whole object
        if part is not None:
            asked = {"Range": f"bytes={part.start}-{part.start + part.size - 1}"}
        with translated(self._settings):
            for tries_left in reversed(range(_TRIES)):
                try:
                    answer = self._client.get_object(Bucket=self._bucket, Key=self._key(name), **asked)
                    with closing(answer["Body"]) as body:
                        return body.read()
                except self._client.exceptions.NoSuchKey:
                    return None
                except ClientError as error:
                    if status_of(error) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                        return b""
                    raise
                except (
                    exceptions.FlexibleChecksumError,
                    exceptions.HTTPClientError,
                    exceptions.IncompleteReadError,
                ):
                    # boto3 tries a request again, and not a body that breaks off.
                    if not tries_left:
                        raise
        raise AssertionError("a last try returns or raises")

    def delete(self, name: str) -> None:
        with translated(self._settings):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def names(self, prefix: str) -> Iterator[str]:
        with translated(self._settings):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key(prefix)
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    name = found["Key"].removeprefix(self._settings.prefix)
                    if name != _MARKER:
                        yield name

    def check(self) -> None:
        """Ask for the bucket, at most once a second. No S3 server says how much space it has left."""
        if time.monotonic() < self._checked_at + _CHECKED_FOR:
            return
        with translated(self._settings):
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except ClientError:
                # The answer to a HEAD has no body, and so no reason.
                self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._settings.prefix, MaxKeys=1)
        self._checked_at = time.monotonic()

    def clean(self, older_than: timedelta = ABANDONED_AFTER) -> int:
        before = datetime.now(UTC) - older_than
        cleaned = 0
        with translated(self._settings):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._settings.prefix
            )
            for page in pages:
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < before:
                        self._abort(upload["Key"], upload["UploadId"])
                        cleaned += 1
        return cleaned

    def provision(self) -> list[str]:
        """Make the bucket where it is missing and may be made, close it to the public, let it drop unfinished
        uploads, and prove that it writes conditionally.

        Versioning stays as it is: off in a bucket that we make, for a version outlives a deletion, and what
        is erased should be gone, not only unreadable. Where it is on, old versions go after a day.
        """
        with translated(self._settings):
            done = [
                self._make_bucket(),
                self._close_to_public(),
                *self._set_lifecycle(),
            ]
            for in_parts in (False, True):
                self._prove_conditional(in_parts=in_parts)
        abandoned = self.clean()
        return [*done, "conditional writes: honoured", f"abandoned uploads: {abandoned} aborted"]

    def _key(self, name: str) -> str:
        return self._settings.prefix + name

    def _write(self, key: str, data: bytes, token: str, *, in_parts: bool) -> bool:
        """Whether it was written; False where it is worth another try. Raises NameTaken."""
        write = self._write_in_parts if in_parts else self._write_at_once
        try:
            write(key, data, token)
        except ClientError as error:
            # A try that succeeded unheard fails the next one: 412, or 404 for the upload that it finished.
            if code_of(error) in ("PreconditionFailed", "NoSuchUpload", "412"):
                found = self._token_of(key)
                if found == token:
                    return True
                if found is not None:
                    raise NameTaken("an object of that name is there already") from None
                return False
            if status_of(error) == HTTPStatus.CONFLICT:
                return self._token_of(key) == token
            raise
        return True

    def _write_at_once(self, key: str, data: bytes, token: str) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=data,
            IfNoneMatch="*",
            ChecksumSHA256=_sha256(data),
            Metadata={_TOKEN: token},
            **self._encryption,
        )

    def _write_in_parts(self, key: str, data: bytes, token: str) -> None:
        size = max(self._settings.part_bytes, -(-len(data) // _MOST_PARTS))
        view = memoryview(data)
        upload = self._client.create_multipart_upload(
            Bucket=self._bucket,
            Key=key,
            ChecksumAlgorithm="SHA256",
            Metadata={_TOKEN: token},
            **self._encryption,
        )["UploadId"]
        sending = [
            self._parts.submit(self._send_part, key, upload, number, view[start : start + size])
            for number, start in enumerate(range(0, len(data), size), start=1)
        ]
        try:
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload,
                IfNoneMatch="*",
                MultipartUpload={"Parts": [part.result() for part in sending]},
            )
        except BaseException:
            for part in sending:
                part.cancel()
            wait(sending)  # a part that arrives after the abort would stay
            with suppress(BotoCoreError, ClientError):
                self._abort(key, upload)
            raise

    def _send_part(self, key: str, upload: str, number: int, part: memoryview) -> CompletedPartTypeDef:
        body = bytes(part)
        checksum = _sha256(body)
        answer = self._client.upload_part(
            Bucket=self._bucket,
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=body,
            ChecksumSHA256=checksum,
        )
        return {"ETag": answer["ETag"], "PartNumber": number, "ChecksumSHA256": checksum}

    def _abort(self, key: str, upload: str) -> None:
        with suppress(self._client.exceptions.NoSuchUpload):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)

    def _token_of(self, key: str) -> str | None:
        """The token of the write that made the object; None where there is no object."""
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"].get(_TOKEN, "")
        except ClientError as error:
            if status_of(error) == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _prove_conditional(self, *, in_parts: bool) -> None:
        """Once per process and way of writing: a server that does not know the condition would overwrite.

        The marker stays, so that every process but the first asks with one write that is refused.
        """
        # Without a lock: where the server is down, nobody should queue behind others to be told so.
        # The first time there may be no marker yet, and it is made.
        if in_parts not in self._proven:
            if self._overwrites_marker(in_parts) and self._overwrites_marker(in_parts):
                raise NoConditionalWrites(
                    "the S3 server overwrites what it was asked not to (If-None-Match"
                    f"{' of CompleteMultipartUpload' if in_parts else ''}): use a version that honours "
                    "conditional writes, or another server (CURBSIDE_BLOBS__ENDPOINT)."
                )
            self._proven.add(in_parts)

    def _overwrites_marker(self, in_parts: bool) -> bool:
        key = self._key(_MARKER)
        write = self._write_in_parts if in_parts else self._write_at_once
        try:
            write(key, b"Curbside asks here whether this server overwrites.\n", "")
        except ClientError as error:
            if status_of(error) in (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT):
                return False
            raise
        return True

    def _make_bucket(self) -> str:
        with suppress(self._client.exceptions.NoSuchBucket):
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._settings.prefix, MaxKeys=1)
            return f"bucket {self._bucket}: there"
        where: dict[str, Any] = {}
        if self._settings.region != "us-east-1":  # which is the default, and may not be named
            where = {"CreateBucketConfiguration": {"LocationConstraint": self._settings.region}}
        with suppress(self._client.exceptions.BucketAlreadyOwnedByYou):  # made by another since
            self._client.create_bucket(Bucket=self._bucket, **where)
        return f"bucket {self._bucket}: made"

    def _close_to_public(self) -> str:
        try:
            self._client.put_public_access_block(
                Bucket=self._bucket,
                PublicAccessBlockConfiguration={
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": True,
                    "BlockPublicPolicy": True,
                    "RestrictPublicBuckets": True,
                },
            )
        except ClientError as error:
            return f"public access block: not set ({_why_not(error)})"
        return "public access block: set"

    def _set_lifecycle(self) -> Iterator[str]:
        # One day is the least that S3 takes.
        rule: LifecycleRuleTypeDef = {
            "ID": f"curbside {self._settings.prefix}".strip(),
            "Status": "Enabled",
            "Filter": {"Prefix": self._settings.prefix},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABANDONED_AFTER.days},
        }
        if self._is_versioned():
            rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": 1}
            rule["Expiration"] = {"ExpiredObjectDeleteMarker": True}
            yield "versioning: on, or was once; the lifecycle rule is to drop old versions after a day"
        try:
            self._client.put_bucket_lifecycle_configuration(
                Bucket=self._bucket,
                LifecycleConfiguration={"Rules": [*self._rules_of_others(rule), rule]},
            )
        except ClientError as error:
            yield f"lifecycle rule: not set ({_why_not(error)}); run curbside provision again now and then"
        else:
            yield "lifecycle rule: unfinished uploads go after a day"

    def _is_versioned(self) -> bool:
        try:
            return "Status" in self._client.get_bucket_versioning(Bucket=self._bucket)
        except ClientError as error:
            _why_not(error)
            return False

    def _rules_of_others(self, ours: LifecycleRuleTypeDef) -> list[Any]:
        """What is set replaces the whole configuration."""
        try:
            rules = self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket)["Rules"]
        except ClientError as error:
            if code_of(error) == "NoSuchLifecycleConfiguration":
                return []
            raise
        return [rule for rule in rules if rule.get("ID") != ours["ID"]]


def _why_not(error: ClientError) -> str:
    """Why a server would not do what not all can and not all keys may; raises `error` where it may yet."""
    status = status_of(error)
    if status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED:
        raise error
    return f"{code_of(error)}, status {status}"


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def _client(settings: BlobSettings, *, connections: int) -> S3Client:
    timeout = settings.request_timeout.total_seconds()
    access_key = secret_key = None
    if settings.access_key_file is not None and settings.secret_key_file is not None:
        access_key = _read("ACCESS_KEY_FILE", settings.access_key_file)
        secret_key = _read("SECRET_KEY_FILE", settings.secret_key_file)
    ca_file = None
    if settings.ca_file is not None:
        _read("CA_FILE", settings.ca_file)
        ca_file = str(settings.ca_file.expanduser())
    try:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            verify=ca_file,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                connect_timeout=min(timeout, 10),
                read_timeout=timeout,
                retries={"mode": "standard", "total_max_attempts": _TRIES},
                max_pool_connections=connections,
                tcp_keepalive=True,
                # Servers elsewhere seldom have a host name per bucket.
                s3={"addressing_style": "auto" if settings.endpoint is None else "path"},
                # We send checksums ourselves, as headers: what is sent by default in trailers, older servers
                # do not understand.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except ValueError:
        raise BadSetting(
            "CURBSIDE_BLOBS__ENDPOINT is no URL: write https://HOST:PORT.", field="CURBSIDE_BLOBS__ENDPOINT"
        ) from None


def _read(field: str, path: Path) -> str:
    name = f"CURBSIDE_BLOBS__{field}"
    try:
        content = path.expanduser().read_text().strip()
    except OSError as error:
        raise BadSetting(f"{name}: {str(path)!r} cannot be read ({error.strerror}).", field=name) from None
    if not content:
        raise BadSetting(f"{name}: {str(path)!r} is empty.", field=name)
    return content
