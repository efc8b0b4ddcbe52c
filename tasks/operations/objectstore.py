"""The object store on a data node: versitygw over a folder, S3 with TLS.

Pods read the bucket without credentials: the step that makes the bucket gives it a policy for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from inventory.models.change import Change, PutProgram, RemoveFile
from inventory.models.secret import Secret
from tasks.facts import files as file_facts
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations.files import Wanted
from tasks.operations.units import Service

UNIT = "safe-harbor-objects.service"
PROGRAM = "/opt/safe-harbor/bin/versitygw"
FOLDER = "/etc/safe-harbor/objects"
DATA = "/var/lib/safe-harbor-objects"

_UNIT = """[Unit]
Description=Object store (safe-harbor)
After=network-online.target
Wants=network-online.target

[Service]
DynamicUser=yes
StateDirectory=safe-harbor-objects
LoadCredential=server.key:{folder}/server.key
EnvironmentFile={folder}/credentials
ExecStart={program} --port {address} --region {region} --cert {folder}/server.crt --key %d/server.key \
--keep-alive --quiet posix {data}
Restart=always
RestartSec=2
LimitNOFILE=16384

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class ObjectStoreDesign:
    """A store. `address` is `host:port`; `program` and `sha256` are versitygw on the lead's machine."""

    address: str
    region: str
    access_key: str
    secret_key: Secret
    certificate: bytes
    key: bytes = field(repr=False)
    program: str
    sha256: str


def service(design: ObjectStoreDesign) -> Service:
    """The unit and its files."""
    credentials = (
        f"ROOT_ACCESS_KEY_ID={_word(design.access_key)}\n"
        f"ROOT_SECRET_ACCESS_KEY={_word(design.secret_key.reveal())}\n"
    )
    text = _UNIT.format(
        folder=FOLDER, program=PROGRAM, address=design.address, region=design.region, data=DATA
    )
    return Service(
        UNIT,
        text,
        (
            Wanted(f"{FOLDER}/credentials", credentials.encode(), 0o600),
            Wanted(f"{FOLDER}/server.crt", design.certificate),
            Wanted(f"{FOLDER}/server.key", design.key, 0o600),
        ),
        {PROGRAM: design.sha256},
    )


def ask_program() -> Asked[Mapping[str, file_facts.FileFact]]:
    """The question: is the program there?"""
    return file_facts.ask((PROGRAM,))


def plan_program(host: str, facts: Facts, design: ObjectStoreDesign) -> list[Change]:
    """A change where the program is not there with this content."""
    there = facts.of(ask_program())[PROGRAM]
    if there.exists and there.sha256 == design.sha256 and there.mode == 0o755:
        return []
    return [
        Change(
            host,
            f"program {PROGRAM}",
            "the object store runs it",
            str(there),
            f"sha256 {design.sha256[:12]}, mode 755",
            (PutProgram(PROGRAM, design.program, design.sha256),),
            () if there.exists else (RemoveFile(PROGRAM),),
        )
    ]


def _word(value: str) -> str:
    """A value of an environment file, quoted. Raises ValueError for what no S3 key has."""
    if any(char in value for char in "\n\r\0\"\\$`'"):
        raise ValueError("a key of the object store has a character that S3 keys do not have")
    return f'"{value}"'
