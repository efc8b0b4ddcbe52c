"""A bucket behind the S3 API. Implements `ports.Objects`; safe for several threads."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    ProfileNotFound,
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnection

from inventory.models.stored_object import ObjectMetadata, StoredObject
from tasks.drivers import object_metadata
from tasks.drivers.errors import (
    Denied,
    HostUnreachable,
    LoginRefused,
    OutsideError,
    ServiceFailed,
    Throttled,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOGIN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
_THROTTLED = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "503"}


class S3Bucket:
    """One bucket. `endpoint_url` empty means AWS itself; `ca_file` verifies an endpoint with a CA of its own.

    `credentials_file` and `profile` are those of the AWS tools.
    """

    def __init__(
        self,
        bucket: str,
        credentials_file: Path,
        *,
        profile: str = "default",
        endpoint_url: str = "",
        region: str = "us-east-1",
        ca_file: Path | None = None,
        connections: int = 16,
        part_bytes: int = 64 * 1024**2,
    ) -> None:
        self._bucket = bucket
        self._transfer = TransferConfig(
            multipart_threshold=part_bytes, multipart_chunksize=part_bytes, use_threads=False
        )
        core = botocore.session.Session()
        core.set_config_variable("credentials_file", str(credentials_file))
        core.set_config_variable("profile", profile)
        try:
            session = boto3.session.Session(botocore_session=core, region_name=region)
            self._client: S3Client = session.client(
                "s3",
                endpoint_url=endpoint_url or None,
                verify=str(ca_file) if ca_file else None,
                config=Config(
                    retries={"mode": "standard", "max_attempts": 4},
                    max_pool_connections=connections,
                    connect_timeout=10,
                    read_timeout=60,
                    # Stores other than AWS know no trailing checksums.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    s3={"addressing_style": "path"} if endpoint_url else {},
                ),
            )
        except ProfileNotFound as error:
            raise LoginRefused(self.name, f"{credentials_file} has no profile {profile}") from error
        object_metadata.send_expires_as_it_is(self._client.meta.events)

    @property
    def name(self) -> str:
        """`s3://NAME`."""
        return f"s3://{self._bucket}"

    def exists(self) -> bool:
        """Whether the bucket is there."""
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            if _status(error) == 404:
                return False
            raise self._translated(error) from error
        except (BotoCoreError, OSError) as error:
            raise self._translated(error) from error
        return True

    def create(self) -> bool:
        """Make the bucket; whether it was not there."""
        if self.exists():
            return False
        try:
            self._client.create_bucket(Bucket=self._bucket)
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._translated(error) from error
        return True

    def let_anyone_read(self) -> bool:
        """Let whoever reaches the endpoint read objects (not list them) without credentials, as pods do;
        whether that had to change."""
        if self.anyone_may_read():
            return False
        try:
            self._client.put_bucket_policy(Bucket=self._bucket, Policy=json.dumps(self._reading()))
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._translated(error) from error
        return True

    def anyone_may_read(self) -> bool:
        """Whether the bucket has exactly the policy that `let_anyone_read` gives it."""
        try:
            found = self._client.get_bucket_policy(Bucket=self._bucket)["Policy"]
        except ClientError as error:
            if _status(error) == 404:
                return False
            raise self._translated(error) from error
        except (BotoCoreError, OSError) as error:
            raise self._translated(error) from error
        return bool(json.loads(found) == self._reading())

    def _reading(self) -> dict[str, Any]:
        statement = {
            "Sid": "SafeHarborRead",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self._bucket}/*",
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    def list(self) -> Iterator[tuple[str, int, str]]:
        """See `ports.Objects.list`."""
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
                for one in page.get("Contents", []):
                    yield one["Key"], one["Size"], one["ETag"].strip('"')
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._translated(error) from error

    def read(self, key: str) -> StoredObject:
        """See `ports.Objects.read`."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            content = answer["Body"].read()
            return StoredObject(content, self._metadata(key, answer))
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._translated(error, key) from error

    def write(self, key: str, stored: StoredObject) -> None:
        """See `ports.Objects.write`; what is larger than `part_bytes` goes in parts of that size."""
        try:
            self._client.upload_fileobj(
                io.BytesIO(stored.content),
                self._bucket,
                key,
                ExtraArgs=object_metadata.arguments(stored.metadata),
                Config=self._transfer,
            )
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._translated(error, key) from error

    def head(self, key: str) -> ObjectMetadata | None:
        """See `ports.Objects.head`."""
        try:
            return self._metadata(key, self._client.head_object(Bucket=self._bucket, Key=key))
        except ClientError as error:
            if _status(error) == 404:
                return None
            raise self._translated(error, key) from error
        except (BotoCoreError, OSError) as error:
            raise self._translated(error, key) from error

    def _metadata(self, key: str, answer: Mapping[str, Any]) -> ObjectMetadata:
        if hidden := answer.get("MissingMeta"):
            raise ServiceFailed(
                f"{self.name}/{key}", f"{hidden} entries of its metadata cannot be told in headers"
            )
        # The answer's own count of tags is left out where one has no right to see them; this call is refused.
        tags = self._client.get_object_tagging(Bucket=self._bucket, Key=key)["TagSet"]
        return object_metadata.of(answer, {each["Key"]: each["Value"] for each in tags})

    def _translated(self, error: Exception, key: str = "") -> OutsideError:
        part = f"{self.name}/{key}" if key else self.name
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            what = str(error.response.get("Error", {}).get("Message", "")) or code
            if code in _LOGIN:
                return LoginRefused(part, f"{code}: {what}")
            if code in ("AccessDenied", "403"):
                return Denied(part, f"{code}: {what}")
            if code in _THROTTLED:
                return Throttled(part, f"{code}: {what}")
            return ServiceFailed(part, f"{code}: {what}")
        if isinstance(error, SSLError):
            return ServiceFailed(part, f"its TLS certificate is not trusted: {error}", "see bucket.ca_file")
        if isinstance(error, (NoConnection, EndpointConnectionError, HTTPClientError, OSError)):
            return HostUnreachable(part, str(error))
        return (
            LoginRefused(part, str(error)) if "redentials" in str(error) else ServiceFailed(part, str(error))
        )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
