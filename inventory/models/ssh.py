"""How hosts are reached over SSH: whose key, through which machines, as which user."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from inventory.models.cluster import Declared


class Jump(Declared):
    """A machine on the way to the hosts; our key logs in there too, and its host key is pinned as theirs."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    address: IPv4Address
    port: int = Field(default=22, ge=1, le=65535)
    user: str = Field(default="root", min_length=1)
    host_key: str = ""  # empty: it must stand in ssh.known_hosts


class Ssh(Declared):
    """How hosts are reached. Host keys are always verified; only keys log in, never a password.

    A user other than root becomes root by sudo, without a password where no `sudo_password_file` is given.
    """

    user: str = Field(default="root", min_length=1)
    port: int = Field(default=22, ge=1, le=65535)
    identity_file: Path | None = None
    passphrase_file: Path | None = None  # of the identity; without it and passphrase_env a terminal is asked
    passphrase_env: str = Field(default="", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    certificate_file: Path | None = None  # an OpenSSH user certificate of the identity
    agent: bool = False  # ask the agent at SSH_AUTH_SOCK for keys as well
    known_hosts: Path | None = None
    jump: tuple[Jump, ...] = ()  # in the order of the way, the first is nearest to us
    sudo_password_file: Path | None = None
    connect_timeout_s: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.identity_file is None and not self.agent:
            raise ValueError("name an identity_file, or set agent: true")
        if self.identity_file is None and (
            self.passphrase_file or self.passphrase_env or self.certificate_file
        ):
            raise ValueError("a passphrase or a certificate_file needs an identity_file")
        if self.passphrase_file and self.passphrase_env:
            raise ValueError("give passphrase_file or passphrase_env, not both")
        if self.user == "root" and self.sudo_password_file:
            raise ValueError("root needs no sudo_password_file")
        return self
