"""What AWS refuses or cannot answer becomes one of our own errors, and a row of coverage that says so."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.models.resource import CoverageStatus, Survey
from tasks.drivers.aws import AwsAccount
from tasks.drivers.errors import Denied, HostUnreachable, LoginRefused, OutsideError, ServiceFailed, Throttled
from tasks.survey.iam_policy import iam_policy
from tasks.survey.run import survey
from tests.survey.clock import StandingClock
from tests.survey.conftest import client, free_port, site_at


@contextmanager
def answering(status: int, body: str) -> Iterator[tuple[str, list[str]]]:
    """A server that gives every request the same answer, and the paths it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            asked.append(self.path + "?" + self.rfile.read(length).decode())
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST  # noqa: N815 - the name that http.server calls

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def ec2_error(code: str) -> str:
    return (
        f"<Response><Errors><Error><Code>{code}</Code><Message>said so</Message></Error></Errors>"
        "<RequestID>1</RequestID></Response>"
    )


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (403, "UnauthorizedOperation", Denied),
        (401, "AuthFailure", LoginRefused),
        (503, "RequestLimitExceeded", Throttled),
        (400, "Throttling", Throttled),
        (500, "InternalError", ServiceFailed),
        (400, "InvalidParameterValue", ServiceFailed),
    ],
)
def test_an_error_of_aws_becomes_ours(
    status: int, code: str, raised: type[OutsideError], tmp_path: Path
) -> None:
    with answering(status, ec2_error(code)) as (url, _):
        account = AwsAccount.open(site_at(tmp_path, url).source.aws, attempts=1)
        with pytest.raises(raised) as error:
            account.items("ec2", "us-east-1", "describe_instances", "Reservations")
        account.close()
    assert type(error.value) is raised
    assert error.value.part == "aws ec2 us-east-1"
    assert f"describe_instances: {code}: said so" in str(error.value)


def test_throttling_is_tried_again_before_it_is_reported(tmp_path: Path) -> None:
    with answering(503, ec2_error("RequestLimitExceeded")) as (url, asked):
        account = AwsAccount.open(site_at(tmp_path, url).source.aws, attempts=2)
        with pytest.raises(Throttled):
            account.regions()
        account.close()
    assert len(asked) == 2


def test_an_answer_that_is_not_aws_is_an_error(tmp_path: Path) -> None:
    with answering(500, "<!doctype html><title>Internal Server Error</title>") as (url, _):
        account = AwsAccount.open(site_at(tmp_path, url).source.aws, attempts=1)
        with pytest.raises(ServiceFailed, match="the answer is not one of AWS's"):
            account.regions()
        account.close()


def test_an_endpoint_that_does_not_answer_is_an_error_in_every_row(tmp_path: Path) -> None:
    site = site_at(tmp_path, f"http://127.0.0.1:{free_port()}")
    account = AwsAccount.open(site.source.aws, attempts=1)
    started = time.monotonic()
    with pytest.raises(HostUnreachable, match="describe_regions"):
        account.regions()
    found = survey(site, account, [], StandingClock())
    account.close()
    assert time.monotonic() - started < 20
    assert found.resources == ()
    assert {row.status for row in found.coverage} == {CoverageStatus.ERROR}
    assert {row.service for row in found.coverage} >= {"account", "ec2", "ebs", "rds", "s3", "route53", "ecr"}
    assert all("Could not connect" in row.message for row in found.coverage)


def test_a_slow_endpoint_runs_into_the_time_out(tmp_path: Path) -> None:
    """A port that takes connections and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        site = site_at(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        account = AwsAccount.open(site.source.aws, attempts=1, read_timeout_s=0.5)
        started = time.monotonic()
        with pytest.raises(HostUnreachable, match="Read timeout"):
            account.regions()
        account.close()
    assert time.monotonic() - started < 5


@pytest.fixture(scope="module")
def denied(shop_account: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survey]:
    """A survey by a user of moto's own IAM who has the documented rights, but for volumes and buckets."""
    moto_url = shop_account
    iam = client(moto_url, "iam")
    iam.create_user(UserName="surveyor")
    statements = [
        *iam_policy()["Statement"],
        {"Effect": "Deny", "Action": ["ec2:DescribeVolumes", "s3:ListAllMyBuckets"], "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="surveyor", PolicyName="part", PolicyDocument=document)
    key = iam.create_access_key(UserName="surveyor")["AccessKey"]
    folder = tmp_path_factory.mktemp("denied")
    site = site_at(folder, moto_url, "    regions: [us-east-1]\n")
    (folder / "secret").write_text(
        f"[default]\naws_access_key_id={key['AccessKeyId']}\naws_secret_access_key={key['SecretAccessKey']}\n"
    )

    def check_from(calls: float) -> None:
        url, plain = f"{moto_url}/moto-api/reset-auth", {"content-type": "text/plain"}
        request = urllib.request.Request(url, data=str(calls).encode(), headers=plain)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - loopback
            pass

    account = AwsAccount.open(site.source.aws)
    check_from(0)
    try:
        yield survey(site, account, [], StandingClock())
    finally:
        check_from(float("inf"))
        account.close()


def test_what_the_account_may_not_read_is_denied_and_not_empty(denied: Survey) -> None:
    rows = {(row.region, row.operation): row for row in denied.coverage}
    assert rows["us-east-1", "describe_volumes"].status is CoverageStatus.DENIED
    assert "AccessDenied: User" in rows["us-east-1", "describe_volumes"].message
    assert rows["global", "list_buckets"].status is CoverageStatus.DENIED


def test_the_documented_rights_are_enough_for_everything_else(denied: Survey) -> None:
    refused = {row.operation for row in denied.coverage if row.status is CoverageStatus.DENIED}
    # moto's IAM cannot tell the actions of services with REST paths apart, and takes the tagging API's for
    # another service's: it refuses them all.
    unknown = {"list_hosted_zones", "list_distributions", "list_functions", "describe_file_systems"}
    assert refused - unknown - {"get_resources"} == {"describe_volumes", "list_buckets"}
    assert {"describe_snapshots", "describe_instances", "describe_images", "describe_target_health"} <= {
        row.operation for row in denied.coverage if row.status.complete
    }


def test_credentials_that_cannot_be_used_are_bad_input_and_not_shown(tmp_path: Path) -> None:
    site = site_at(tmp_path, "http://127.0.0.1:1")
    secret = tmp_path / "secret"
    for text, message in (
        ("wJalrXUtnFEMI", "not an AWS credentials file"),
        ("[other]\naws_access_key_id = a\n", "no profile 'default' in the credentials (known: other)"),
        ("[default]\naws_access_key_id = AKIA7\n", "the profile 'default' has no aws_secret_access_key"),
    ):
        secret.write_text(text)
        with pytest.raises(BadInput) as refused:
            AwsAccount.open(site.source.aws)
        assert message in str(refused.value)
        assert "wJalr" not in str(refused.value)
        assert "AKIA7" not in str(refused.value)


def test_only_the_named_credentials_and_endpoint_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "somebody-else")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENVIRONMENT")
    with answering(400, ec2_error("InvalidParameterValue")) as (url, asked):
        account = AwsAccount.open(site_at(tmp_path, url).source.aws, attempts=1)
        with pytest.raises(ServiceFailed):
            account.regions()
        account.close()
    assert len(asked) == 1
