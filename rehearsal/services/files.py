"""Files of the site that only root reads, and its generated secrets."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from rehearsal.plan import Plan

PASSWORDS = (
    "rds-admin.password",
    "rds-replica.password",
    "shop-database.password",
    "oslo-admin.password",
    "oslo-replica.password",
)
TSIG_KEY = "tsig.key"
AWS_CREDENTIALS = "aws.credentials"
OSLO_CREDENTIALS = "oslo-objects.credentials"


def write_private(path: Path, content: bytes) -> None:
    """Write a file that has mode 0600 from its first byte on, atomically."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)


def make_secrets(plan: Plan) -> None:
    """Generate every secret of the site that is not there yet, in `plan.secrets` (0700, files 0600).

    Passwords are 32 URL-safe characters; the TSIG key is 32 bytes in base64; credentials files have the
    AWS format.
    """
    plan.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    plan.secrets.chmod(0o700)
    wanted: dict[str, str] = {name: secrets.token_urlsafe(24) for name in PASSWORDS}
    wanted[TSIG_KEY] = base64.b64encode(secrets.token_bytes(32)).decode()
    for name in (AWS_CREDENTIALS, OSLO_CREDENTIALS):
        wanted[name] = _credentials(plan.region)
    for name, content in wanted.items():
        path = plan.secrets / name
        if not path.exists():
            write_private(path, content.encode() + b"\n")


def read_secret(plan: Plan, name: str) -> str:
    """The content of a secret file, without the line's end."""
    return (plan.secrets / name).read_text().strip()


def _credentials(region: str) -> str:
    key_id = "AKIA" + secrets.token_hex(8).upper()
    return (
        f"[default]\naws_access_key_id = {key_id}\n"
        f"aws_secret_access_key = {secrets.token_urlsafe(30)}\nregion = {region}"
    )
