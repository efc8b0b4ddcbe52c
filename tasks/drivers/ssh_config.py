"""A declared way as OpenSSH reads it, for programs that start `ssh` themselves: ssh_config(5), known_hosts.

It says what our own connections do: our key and no password, pinned host keys, the same jump hosts.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from inventory.errors import BadInput
from inventory.models.ssh import Jump, Ssh
from tasks.drivers.known_hosts import Known

_PERSIST_S = 60  # the connection outlives a killed run by so much


def config(peer: Jump, ssh: Ssh, folder: Path) -> str:
    """The configuration; `folder` will hold `known_hosts` and the socket of the shared connection.

    Raises BadInput where a path cannot stand in it, or a passphrase would have to be asked.
    """
    if ssh.passphrase_file or ssh.passphrase_env:
        raise BadInput(
            "qemu+ssh cannot open a key with a passphrase: load it into an agent and set agent: true"
        )
    through = ssh.jump[-1] if ssh.jump else None
    blocks = [(str(peer.address), _hop(peer, through) | _shared(folder))]
    for number, jump in enumerate(ssh.jump):
        blocks.append((_alias(jump), _hop(jump, ssh.jump[number - 1] if number else None)))
    blocks.append(("*", _common(ssh, folder)))
    lines: list[str] = []
    for pattern, settings in blocks:
        lines += [f"Host {pattern}", *(f"  {key} {_word(value)}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def known_hosts(known: Mapping[Jump, Known]) -> str:
    """The file with what each machine of the way may show."""
    return "".join(f"{line}\n" for peer, each in known.items() for line in _known(peer, each))


def _hop(peer: Jump, through: Jump | None) -> dict[str, str]:
    settings = {"HostName": str(peer.address), "Port": str(peer.port), "User": peer.user}
    return settings | ({"ProxyJump": _alias(through)} if through is not None else {})


def _shared(folder: Path) -> dict[str, str]:
    """One connection for all commands; a socket's path has at most 107 characters, so its name is short."""
    control = {"ControlMaster": "auto", "ControlPath": str(folder / "c")}
    return control | {"ControlPersist": str(_PERSIST_S)}


def _common(ssh: Ssh, folder: Path) -> dict[str, str]:
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(folder / "known_hosts"),
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "no" if ssh.agent else "yes",
        "IdentityAgent": "SSH_AUTH_SOCK" if ssh.agent else "none",
        "ConnectTimeout": str(max(1, round(ssh.connect_timeout_s))),
        "ServerAliveInterval": "5",
    }
    if ssh.identity_file is not None:
        settings["IdentityFile"] = str(ssh.identity_file)
    if ssh.certificate_file is not None:
        settings["CertificateFile"] = str(ssh.certificate_file)
    return settings


def _known(peer: Jump, known: Known) -> Iterator[str]:
    name = str(peer.address) if peer.port == 22 else f"[{peer.address}]:{peer.port}"
    for key in known.keys:
        yield f"{name} {key.get_name()} {key.get_base64()}"
    yield from _marked("@cert-authority", name, known.authorities)
    yield from _marked("@revoked", name, known.revoked)


def _marked(marker: str, name: str, blobs: Sequence[bytes]) -> Iterator[str]:
    for blob in blobs:
        (size,) = struct.unpack(">I", blob[:4])  # the key's kind stands first in it
        yield f"{marker} {name} {blob[4 : 4 + size].decode()} {base64.b64encode(blob).decode()}"


def _alias(peer: Jump) -> str:
    return f"safe-harbor-{peer.name}"


def _word(value: str) -> str:
    if '"' in value or "\n" in value:
        raise BadInput(f"{value!r} cannot be given to ssh: it has a quotation mark or a line end")
    # ProxyJump takes its quotation marks for a part of the name.
    return f'"{value}"' if " " in value else value
