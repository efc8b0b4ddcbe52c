"""An AWS account over boto3, read only: implements `ports.Aws`.

Every call has time-outs, botocore's `standard` retries, and the credentials of the site file alone: no
environment variable, no instance profile and no file of the user's home is looked at.
"""

from __future__ import annotations

import configparser
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from inventory.errors import BadInput
from inventory.models.site import Aws as Account
from tasks.drivers.errors import (
    Denied,
    HostUnreachable,
    LoginRefused,
    OutsideError,
    ServiceFailed,
    Throttled,
)

log = logging.getLogger(__name__)

Result = TypeVar("Result")
CLIENTS_KEPT = 16  # half a megabyte each: 16 services in 40 regions would be 300 MB
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
ATTEMPTS = 4
_GLOBAL_REGION = "us-east-1"  # where AWS signs requests to Route 53 and S3's list of buckets

_LOGIN_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthorizationError",
        "AuthorizationErrorException",
        "OptInRequired",
        "UnauthorizedAccess",
        "UnauthorizedOperation",
    }
)
# botocore.retries.standard.ThrottledRetryableChecker's list
_THROTTLED_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_UNREACHABLE = (
    ConnectTimeoutError,
    ConnectionClosedError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
)


class AwsAccount:
    """Sessions to one account; may be used by several threads at once."""

    def __init__(
        self,
        session: boto3.Session,
        account: str,
        home_region: str,
        *,
        endpoint_url: str = "",
        attempts: int = ATTEMPTS,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._session = session
        self._account = account
        self._home = home_region
        self._endpoint_url = endpoint_url or None
        self._config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": attempts},
            user_agent_extra="safe-harbor-exit",
            max_pool_connections=16,
            # A stand-in has one address: buckets are then part of the path, not of the host name.
            s3={"addressing_style": "path" if endpoint_url else "auto"},
        )
        self._clients: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, aws: Account, **options: Any) -> Self:
        """Opens the declared account; nothing is asked yet.

        Raises BadInput where the credentials file or the profile in it cannot be used.
        """
        keys = _profile(aws.credentials_file, aws.profile)
        session = boto3.Session(
            aws_access_key_id=keys["aws_access_key_id"],
            aws_secret_access_key=keys["aws_secret_access_key"],
            aws_session_token=keys.get("aws_session_token") or None,
            region_name=aws.home_region,
            botocore_session=_isolated(),
        )
        return cls(session, aws.account, aws.home_region, endpoint_url=aws.endpoint_url, **options)

    @property
    def name(self) -> str:
        """The account's number."""
        return self._account

    def regions(self) -> list[str]:
        """The regions that are enabled for the account."""
        answer = self.call("ec2", self._home, "describe_regions", {"AllRegions": False}) or {}
        return sorted(str(region["RegionName"]) for region in answer["Regions"])

    def items(
        self, service: str, region: str, operation: str, key: str, parameters: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Everything under `key` of every page."""
        return self._translated(
            service, region, operation, lambda: list(self._all(service, region, operation, key, parameters))
        )

    def call(
        self,
        service: str,
        region: str,
        operation: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        absent: Sequence[str] = (),
    ) -> dict[str, Any] | None:
        """One call; None where the service answers with one of the error codes `absent`."""

        def ask() -> dict[str, Any] | None:
            try:
                answer = getattr(self._client(service, region), operation)(**(parameters or {}))
            except ClientError as error:
                if _code(error) in absent:
                    return None
                raise
            return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

        return self._translated(service, region, operation, ask)

    def close(self) -> None:
        """End the connections."""
        with self._lock:
            for each in self._clients.values():
                each.close()
            self._clients.clear()

    def _all(
        self, service: str, region: str, operation: str, key: str, parameters: Mapping[str, Any] | None
    ) -> Iterator[Any]:
        asked = self._client(service, region)
        if not asked.can_paginate(operation):
            raise ServiceFailed(f"aws {service}", f"{operation} has no pages: use call()")
        for page in asked.get_paginator(operation).paginate(**(parameters or {})):
            for step in key.split("."):
                page = page.get(step) or {}
            yield from page

    def _client(self, service: str, region: str) -> Any:
        region = _GLOBAL_REGION if region == "global" else region
        with self._lock:  # making clients is not thread-safe, using them is
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(
                    service,  # type: ignore[call-overload] # the stubs know only literal names
                    region_name=region,
                    endpoint_url=self._endpoint_url,
                    config=self._config,
                )
            self._clients.move_to_end((service, region))
            if len(self._clients) > CLIENTS_KEPT:
                self._clients.popitem(last=False)  # another thread may still use it: it ends by itself
            return self._clients[service, region]

    def _translated(self, service: str, region: str, operation: str, ask: Callable[[], Result]) -> Result:
        part = f"aws {service} {region}"
        try:
            return ask()
        except ClientError as error:
            raise _of_answer(part, operation, error) from error
        except _UNREACHABLE as error:
            remedy = "check the network, and source.aws.endpoint_url where it is set"
            raise HostUnreachable(part, f"{operation}: {error}", remedy) from error
        except SSLError as error:
            raise HostUnreachable(part, f"{operation}: TLS failed: {error}") from error
        except ResponseParserError as error:
            raise ServiceFailed(part, f"{operation}: the answer is not one of AWS's") from error
        except BotoCoreError as error:
            raise ServiceFailed(part, f"{operation}: {error}") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _of_answer(part: str, operation: str, error: ClientError) -> OutsideError:
    code = _code(error)
    message = str(error.response.get("Error", {}).get("Message", "")).strip()
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    what = f"{operation}: {code or f'HTTP {status}'}" + (f": {message}" if message else "")
    if code in _LOGIN_CODES:
        return LoginRefused(part, what, "check the keys in source.aws.credentials_file")
    if code in _DENIED_CODES:
        return Denied(part, what, "give the account the survey's read rights (docs/iam-policy.json)")
    if code in _THROTTLED_CODES or status == 429:
        return Throttled(part, what, "run the survey again later")
    if status == 403:
        return Denied(part, what, "give the account the survey's read rights (docs/iam-policy.json)")
    return ServiceFailed(part, what)


def _isolated() -> botocore.session.Session:
    """A botocore session that reads no configuration file of the user, and takes no profile from outside."""
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_config_variable("config_file", "/dev/null")
    session.set_config_variable("credentials_file", "/dev/null")
    session.set_config_variable("ignore_configured_endpoint_urls", True)
    return session


def _profile(file: Path, profile: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"the credentials cannot be read: {error.strerror}", file) from error
    except (configparser.Error, UnicodeDecodeError) as error:
        # The library's message quotes the line, which may be a secret.
        line = getattr(error, "lineno", None)
        raise BadInput("not an AWS credentials file ([profile], key = value)", file, line) from error
    if not parser.has_section(profile):
        known = ", ".join(parser.sections()) or "none"
        raise BadInput(f"no profile {profile!r} in the credentials (known: {known})", file)
    section = parser[profile]
    for key in ("aws_access_key_id", "aws_secret_access_key"):
        if not section.get(key):
            raise BadInput(f"the profile {profile!r} has no {key}", file)
    return section
