"""What an S3 server's refusals mean: what passes by itself, and what an operator must mend.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; MinIO's begin with XMinio,
QuotaExceeded is Ceph's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from curbside.errors import CurbsideError, OperatorError, StorageFull, Unavailable
from curbside.settings import BlobSettings
from curbside.storage.objects import BlobDamaged

_FULL: Final = frozenset(
    {
        *("InsufficientCapacity", "InsufficientStorage", "QuotaExceeded"),
        *("XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"),
    }
)
_WRONG_KEYS: Final = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidSecurity"}
)
_ELSEWHERE: Final = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_BUSY: Final = frozenset({"SlowDown", "RequestTimeout", "Throttling", "OperationAborted", "BadDigest"})
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
# OpenSSL's words where waiting changes nothing; "EOF occurred" is a server that stopped.
_NO_TLS: Final = ("CERTIFICATE", "certificate", "WRONG_VERSION", "ALERT")


class BlobsRefused(OperatorError, Unavailable):
    """The S3 server answers and lets us in no further: a key, a right or a setting is wrong.

    An operator mends it; a consumer waits for that, and gives no message up.
    """

    code = "operator.blobs-refused"


class MissingBucket(OperatorError, Unavailable):
    code = "operator.missing-bucket"


class ClockSkewed(OperatorError, Unavailable):
    code = "operator.clock-skewed"


def code_of(error: ClientError) -> str:
    """The server's word for it. A HEAD's answer has no body: its code is the status."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if re.fullmatch(r"[A-Za-z0-9_.]{1,64}", code) else "unnamed"


def status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def translated(settings: BlobSettings) -> Iterator[None]:
    """Raise an error of ours for boto3's: StorageFull, Unavailable, BlobDamaged or an OperatorError.

    A server's own message is left out, for nobody knows what it repeats.
    """
    try:
        yield
    except ClientError as error:
        raise _answered(error, settings) from error
    except exceptions.FlexibleChecksumError as error:
        raise BlobDamaged(
            "what the S3 server sends is not what its checksum says", mend="Check its disks."
        ) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise _unanswered(error, settings) from error


def _answered(error: ClientError, settings: BlobSettings) -> CurbsideError:
    code, status = code_of(error), status_of(error)
    if code in _FULL or status == HTTPStatus.INSUFFICIENT_STORAGE:
        return StorageFull(
            f"the S3 server has no space left ({code})",
            mend="Free space there, or raise the quota of the bucket.",
        )
    if code == "NoSuchBucket":
        return MissingBucket(
            f"the S3 server has no bucket {settings.bucket!r}: make it, with curbside provision for one, or "
            "correct CURBSIDE_BLOBS__BUCKET."
        )
    if code == "RequestTimeTooSkewed":
        return ClockSkewed(
            "the clocks of this machine and of the S3 server are more than 15 minutes apart, and it refuses "
            "every request: set both by NTP."
        )
    if code in _WRONG_KEYS:
        return BlobsRefused(
            f"the S3 server does not accept our keys ({code}): correct what CURBSIDE_BLOBS__ACCESS_KEY_FILE "
            "and CURBSIDE_BLOBS__SECRET_KEY_FILE name, or the role of this machine or pod."
        )
    if code in _ELSEWHERE or status in (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT):
        return BlobsRefused(
            f"the bucket {settings.bucket!r} is in another region ({code}): correct CURBSIDE_BLOBS__REGION, "
            "and CURBSIDE_BLOBS__ENDPOINT where it is set."
        )
    if code.startswith("KMS."):
        return BlobsRefused(
            f"the S3 server cannot use the key of CURBSIDE_BLOBS__KMS_KEY_ID ({code}): correct it, or let us "
            "use it (kms:GenerateDataKey, kms:Decrypt)."
        )
    if code in _BUSY or status in _PASSING or (status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED):
        return Unavailable(
            f"the S3 server cannot answer now ({code}, status {status})", mend="Wait, or look at its log."
        )
    if status == HTTPStatus.FORBIDDEN:
        return BlobsRefused(
            f"the S3 server does not allow this ({code}): let us get, put, delete and list objects in the "
            f"bucket {settings.bucket!r} (CURBSIDE_BLOBS__BUCKET), and list and abort uploads there."
        )
    return BlobsRefused(
        f"the S3 server refuses a request ({code}, status {status}): check CURBSIDE_BLOBS__ENDPOINT, "
        "CURBSIDE_BLOBS__BUCKET and CURBSIDE_BLOBS__SERVER_SIDE_ENCRYPTION against what it supports."
    )


def _unanswered(error: Exception, settings: BlobSettings) -> CurbsideError:
    where = settings.endpoint or f"S3 in {settings.region}"
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return BlobsRefused(
            "there are no keys for the S3 server: set CURBSIDE_BLOBS__ACCESS_KEY_FILE and "
            "CURBSIDE_BLOBS__SECRET_KEY_FILE, or give this machine or pod a role."
        )
    if isinstance(error, exceptions.SSLError) and any(word in str(error) for word in _NO_TLS):
        return BlobsRefused(
            f"no trusted TLS connection to {where} comes about: check CURBSIDE_BLOBS__CA_FILE and "
            "CURBSIDE_BLOBS__ENDPOINT."
        )
    if isinstance(error, (exceptions.ParamValidationError, exceptions.InvalidDNSNameError)):
        return BlobsRefused("CURBSIDE_BLOBS__BUCKET is no name that a bucket can have.")
    return Unavailable(
        f"{where} does not answer ({type(error).__name__})",
        mend="Check that the S3 server runs and can be reached, and CURBSIDE_BLOBS__ENDPOINT.",
    )
