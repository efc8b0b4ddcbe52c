"""moto's server as it plays the AWS API and S3, and how the rehearsal's own seeding reaches it."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from typing import Any

import boto3
from botocore.config import Config

from rehearsal.plan import Plan
from rehearsal.services.files import AWS_CREDENTIALS
from rehearsal.state import State

NAME = "aws-api"


def endpoint_url(plan: Plan) -> str:
    """The API as everyone outside of AWS reaches it."""
    return f"http://{plan.moto_public}:{plan.moto_port}"


def start_aws_api(plan: Plan, state: State) -> None:
    """Start the server, with an empty account. Raises OutsideError."""
    argv = [sys.executable, "-m", "moto.server", "-H", plan.moto_private, "-p", str(plan.moto_port)]
    # No real key may reach it; the account's number is the site's.
    env = {
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # a thousand images of others, described by every survey
        "MOTO_ACCOUNT_ID": plan.account,
        "HOME": str(plan.state),
        "MOTO_S3_CUSTOM_ENDPOINTS": endpoint_url(plan),
    }
    running = state.run_process(NAME, argv, netns=plan.service_netns, env=env)
    state.wait_until(running, lambda: _answers(plan), what="answering", within_s=30)


def client(plan: Plan, service: str, region: str = "") -> Any:
    """A boto3 client of the stand-in. `Any`: the seeding uses eight services, each for a few calls."""
    session = boto3.session.Session()
    credentials = _credentials(plan)
    return session.client(
        service,  # type: ignore[call-overload] # the overloads want a literal, this is one of eight names
        region_name=region or plan.region,
        endpoint_url=endpoint_url(plan),
        aws_access_key_id=credentials["aws_access_key_id"],
        aws_secret_access_key=credentials["aws_secret_access_key"],
        config=Config(
            max_pool_connections=16, retries={"total_max_attempts": 3}, s3={"addressing_style": "path"}
        ),
    )


def _credentials(plan: Plan) -> dict[str, str]:
    text = (plan.secrets / AWS_CREDENTIALS).read_text()
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _answers(plan: Plan) -> bool:
    try:
        url = f"http://{plan.moto_public}:{plan.moto_port}/moto-api/"
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
