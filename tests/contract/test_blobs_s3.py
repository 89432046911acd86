"""What goes wrong with S3 alone: answers that are lost, servers that die, wrong keys, clocks and settings."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from curbside.errors import CurbsideError, OperatorError, StorageFull, Unavailable
from curbside.settings import BadSetting, BlobSettings, Profile
from curbside.storage.objects import BlobDamaged, NameTaken
from curbside.storage.s3_errors import BlobsRefused, ClockSkewed, MissingBucket, translated
from curbside.storage.s3_objects import NoConditionalWrites, S3Objects, check_security
from curbside.testing.servers.process import free_port
from curbside.testing.servers.s3 import LocalS3

NAME = "safe/default/s/name"
LEAST_PART = 5 * 1024 * 1024
LARGE = b"12345678" * (2 * LEAST_PART // 8)  # three parts, with one byte more


@pytest.fixture
def settings(s3_blobs: BlobSettings) -> BlobSettings:
    return s3_blobs.model_copy(update={"part_bytes": LEAST_PART})


@pytest.fixture
def objects(settings: BlobSettings) -> S3Objects:
    return S3Objects(settings)


@pytest.fixture
def ours(s3: object) -> LocalS3:
    if not isinstance(s3, LocalS3):
        pytest.skip("the server of CURBSIDE_TEST_S3 is not ours to kill, and its keys are not ours to spoil")
    return s3


@pytest.fixture
def mortal() -> Iterator[LocalS3]:
    """A server of this test's own, to be killed."""
    server = LocalS3(Path(tempfile.mkdtemp(prefix="curbside-s3-")))
    server.start()
    yield server
    server.destroy()


def on(objects: S3Objects, event: str, handler: Any) -> None:
    """Let `handler` meddle with boto3's requests, ahead of boto3's own."""
    objects._client.meta.events.register_first(event, handler)


def lose_first_answer(objects: S3Objects, operation: str) -> list[int]:
    """Send `operation` once more after it succeeded, as if its answer had been lost; what was answered."""
    answered: list[int] = []

    def handler(response: Any, **_: object) -> int | None:
        answered.append(response[0].status_code)
        return 0 if len(answered) == 1 else None

    on(objects, f"needs-retry.s3.{operation}", handler)
    return answered


@pytest.mark.parametrize(
    ("data", "operation"), [(b"small", "PutObject"), (LARGE + b"x", "CompleteMultipartUpload")]
)
def test_a_write_whose_answer_was_lost_is_known_as_our_own(
    data: bytes, operation: str, objects: S3Objects
) -> None:
    objects.provision()  # so that the marker's writes are past
    answered = lose_first_answer(objects, operation)
    objects.write_new(NAME, data)
    assert answered[0] == 200
    assert answered[1] in (404, 412)
    assert objects.read(NAME) == data


def test_a_write_that_another_was_ahead_of_is_refused(settings: BlobSettings, objects: S3Objects) -> None:
    objects.provision()
    on(
        objects,
        "before-send.s3.PutObject",
        lambda **_: S3Objects(settings).write_new(NAME, b"another's"),
    )
    with pytest.raises(NameTaken):
        objects.write_new(NAME, b"ours")
    assert objects.read(NAME) == b"another's"


@pytest.mark.parametrize(
    ("data", "operation"), [(b"small", "PutObject"), (LARGE + b"x", "CompleteMultipartUpload")]
)
def test_a_server_that_overwrites_is_found_out_before_it_can(
    data: bytes, operation: str, objects: S3Objects
) -> None:
    on(
        objects,
        f"before-call.s3.{operation}",
        lambda params, **_: params["headers"].pop("If-None-Match", None) and None,
    )
    with pytest.raises(NoConditionalWrites, match="CURBSIDE_BLOBS__ENDPOINT"):
        objects.write_new(NAME, data)
    assert objects.read(NAME) is None
    with pytest.raises(NoConditionalWrites):
        objects.provision()


def test_a_large_object_lies_in_parts_and_a_failed_one_leaves_none(objects: S3Objects) -> None:
    objects.write_new(NAME, LARGE + b"x")
    assert objects._client.head_object(
        Bucket=objects._bucket, Key=objects._settings.prefix + NAME, PartNumber=1
    )["ETag"].endswith('-3"')

    def spoil(params: Any, **_: object) -> None:
        if params["query_string"]["partNumber"] == 2:
            params["headers"]["x-amz-checksum-sha256"] = "A" * 43 + "="

    on(objects, "before-call.s3.UploadPart", spoil)
    with pytest.raises(Unavailable):
        objects.write_new(NAME + "2", LARGE + b"x")
    assert objects.read(NAME + "2") is None
    assert objects.clean(timedelta(0)) == 0


def test_an_answer_that_breaks_off_is_asked_for_again(objects: S3Objects) -> None:
    objects.write_new(NAME, b"whole")
    broken: list[int] = []

    def break_off(parsed: Any, **_: object) -> None:
        if not broken:
            broken.append(1)
            parsed["Body"]._raw_stream.read()  # so that less than was announced is left

    on(objects, "after-call.s3.GetObject", break_off)
    assert objects.read(NAME) == b"whole"
    assert broken


def test_what_arrives_other_than_its_checksum_says_is_damaged(objects: S3Objects) -> None:
    objects.write_new(NAME, b"whole")

    def spoil(parsed: Any, **_: object) -> None:
        parsed["Body"]._checksum.update(b"noise")

    on(objects, "after-call.s3.GetObject", spoil)
    with pytest.raises(BlobDamaged):
        objects.read(NAME)


def test_a_server_killed_before_an_object_is_whole_leaves_nothing_readable(mortal: LocalS3) -> None:
    settings = mortal.settings().model_copy(
        update={"part_bytes": LEAST_PART, "request_timeout": timedelta(seconds=5)}
    )
    objects = S3Objects(settings)
    objects.provision()
    on(objects, "before-send.s3.CompleteMultipartUpload", lambda **_: mortal.kill())
    with pytest.raises(Unavailable) as raised:
        objects.write_new(NAME, LARGE + b"x")
    assert raised.value.mend
    mortal.start()
    again = S3Objects(settings)
    assert again.read(NAME) is None
    assert list(again.names("")) == []
    assert again.clean() == 0, "it may still be somebody's work"
    assert again.clean(timedelta(0)) == 1
    again.write_new(NAME, LARGE + b"x")
    assert again.read(NAME) == LARGE + b"x"


def test_what_was_acknowledged_survives_a_kill_of_the_server(mortal: LocalS3) -> None:
    objects = S3Objects(mortal.settings())
    objects.provision()
    objects.write_new(NAME, b"acknowledged")
    mortal.restart()
    assert objects.read(NAME) == b"acknowledged"


def attempts(settings: BlobSettings) -> Iterator[CurbsideError]:
    """What each call of a store fails with."""
    objects = S3Objects(settings)
    for call in (
        objects.check,
        lambda: objects.write_new(NAME, b"x"),
        lambda: objects.write_new(NAME, LARGE + b"x"),
        lambda: objects.read(NAME),
        lambda: objects.delete(NAME),
        lambda: list(objects.names("")),
        objects.clean,
    ):
        with pytest.raises(CurbsideError) as raised:
            call()
        yield raised.value


def test_a_server_that_is_down_is_unavailable_and_says_what_to_look_at(settings: BlobSettings) -> None:
    down = settings.model_copy(update={"endpoint": f"https://127.0.0.1:{free_port()}"})
    for error in attempts(down):
        assert isinstance(error, Unavailable)
        assert "CURBSIDE_BLOBS__ENDPOINT" in error.sentence


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = BlobSettings(
            bucket="bucket",
            endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}",
            request_timeout=timedelta(milliseconds=100),
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "key")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
            objects = S3Objects(settings)
        with pytest.raises(Unavailable, match="does not answer"):
            objects.read(NAME)


@pytest.mark.parametrize("which", ["access_key_file", "secret_key_file"])
def test_wrong_keys_name_their_settings(
    which: str, ours: LocalS3, settings: BlobSettings, tmp_path: Path
) -> None:
    (tmp_path / "wrong").write_text("wrong\n")
    for error in attempts(settings.model_copy(update={which: tmp_path / "wrong"})):
        assert isinstance(error, BlobsRefused)
        assert f"CURBSIDE_BLOBS__{which.upper()}" in error.sentence


def test_no_keys_at_all_name_their_settings(
    settings: BlobSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    without = settings.model_copy(update={"access_key_file": None, "secret_key_file": None})
    with pytest.raises(BlobsRefused, match="CURBSIDE_BLOBS__ACCESS_KEY_FILE"):
        S3Objects(without).check()


def test_a_missing_bucket_is_named_and_provisioning_makes_it(ours: LocalS3) -> None:
    missing = ours.settings(bucket="not-there-yet")
    for error in attempts(missing.model_copy(update={"part_bytes": LEAST_PART})):
        assert isinstance(error, MissingBucket)
        assert "CURBSIDE_BLOBS__BUCKET" in error.sentence
    objects = S3Objects(missing)
    assert objects.provision()[0] == "bucket not-there-yet: made"
    assert objects.provision()[0] == "bucket not-there-yet: there"
    objects.check()


def test_a_server_whose_certificate_nobody_vouches_for_is_refused(
    ours: LocalS3, settings: BlobSettings
) -> None:
    with pytest.raises(BlobsRefused, match="CURBSIDE_BLOBS__CA_FILE"):
        S3Objects(settings.model_copy(update={"ca_file": None})).check()


def test_a_clock_that_is_off_is_said_to_be(objects: S3Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: two_hours_ago)
    for call in (objects.check, lambda: objects.write_new(NAME, b"x")):
        with pytest.raises(ClockSkewed, match="NTP"):
            call()


def test_the_servers_own_encryption_is_asked_for_where_it_is_set(
    ours: LocalS3, settings: BlobSettings
) -> None:
    objects = S3Objects(settings.model_copy(update={"server_side_encryption": "AES256"}))
    for name, data in ((NAME, b"small"), (NAME + "2", LARGE + b"x")):
        objects.write_new(name, data)
        lies = objects._client.head_object(Bucket=objects._bucket, Key=settings.prefix + name)
        assert lies["ServerSideEncryption"] == "AES256"
        assert objects.read(name) == data


def test_provisioning_leaves_the_rules_of_others_alone(ours: LocalS3, settings: BlobSettings) -> None:
    objects = S3Objects(settings.model_copy(update={"bucket": "with-rules"}))
    objects._client.create_bucket(Bucket="with-rules")
    objects._client.put_bucket_lifecycle_configuration(
        Bucket="with-rules",
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "theirs",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "logs/"},
                    "Expiration": {"Days": 7},
                }
            ]
        },
    )
    objects._client.put_bucket_versioning(Bucket="with-rules", VersioningConfiguration={"Status": "Enabled"})
    assert objects.provision() == objects.provision()
    rules = objects._client.get_bucket_lifecycle_configuration(Bucket="with-rules")["Rules"]
    assert [rule["ID"] for rule in rules] == ["theirs", f"curbside {settings.prefix}"]
    assert rules[1]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert rules[1]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 1


@pytest.mark.parametrize(
    ("code", "status", "becomes", "says"),
    [
        ("XMinioStorageFull", 507, StorageFull, "space"),
        ("QuotaExceeded", 403, StorageFull, "quota"),
        ("SlowDown", 503, Unavailable, "SlowDown"),
        ("InternalError", 500, Unavailable, "status 500"),
        ("RequestTimeout", 400, Unavailable, "RequestTimeout"),
        ("TooManyRequests", 429, Unavailable, "status 429"),
        ("AccessDenied", 403, BlobsRefused, "CURBSIDE_BLOBS__BUCKET"),
        ("403", 403, BlobsRefused, "does not allow"),
        ("ExpiredToken", 400, BlobsRefused, "CURBSIDE_BLOBS__SECRET_KEY_FILE"),
        ("PermanentRedirect", 301, BlobsRefused, "CURBSIDE_BLOBS__REGION"),
        ("KMS.DisabledException", 400, BlobsRefused, "CURBSIDE_BLOBS__KMS_KEY_ID"),
        ("NotImplemented", 501, BlobsRefused, "CURBSIDE_BLOBS__ENDPOINT"),
        ("RequestTimeTooSkewed", 403, ClockSkewed, "NTP"),
        ("Jane Doe", 400, BlobsRefused, "unnamed"),
    ],
)
def test_what_a_server_refuses_with_says_what_to_do(
    code: str, status: int, becomes: type[CurbsideError], says: str
) -> None:
    answer: Any = {
        "Error": {"Code": code, "Message": "Jane"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    with pytest.raises(becomes) as raised, translated(BlobSettings(bucket="bucket")):
        raise ClientError(answer, "PutObject")
    assert says in raised.value.sentence
    assert "Jane" not in raised.value.sentence
    assert raised.value.mend or isinstance(raised.value, OperatorError)


def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    check_security(BlobSettings(bucket="b", endpoint="http://s3"), Profile.DEVELOPMENT)
    with pytest.raises(BadSetting, match="https://"):
        check_security(BlobSettings(bucket="b", endpoint="http://s3"), Profile.PRODUCTION)
    with pytest.raises(BadSetting, match="belong together"):
        check_security(BlobSettings(bucket="b", access_key_file=tmp_path / "k"), Profile.DEVELOPMENT)
    with pytest.raises(BadSetting, match="CURBSIDE_BLOBS__ENDPOINT"):
        S3Objects(BlobSettings(bucket="b", endpoint="s3.hospital.example"))
    with pytest.raises(BadSetting, match=r"CURBSIDE_BLOBS__CA_FILE.*cannot be read"):
        S3Objects(BlobSettings(bucket="b", ca_file=tmp_path / "absent.pem"))
