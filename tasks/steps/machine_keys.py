"""The host keys of machines that we make: made here, told to the machine, pinned before the first login."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from paramiko import Agent

from inventory.models.cluster import Node
from inventory.models.secret import Secret
from inventory.models.site import Site
from tasks.drivers import pki_folder
from tasks.drivers.ssh_keys import from_agent, identity
from tasks.operations.cloud_init import Identity


def identity_of(site: Site, node: Node, *, keep: bool) -> Identity:
    """Who may log in to the node, and its host key, from `<state>/machines` (0600); made where it is missing.

    Without `keep` a missing key is made for a look only. Raises BadInput where our own key is unusable.
    """
    key_of_ours = identity(site.target.ssh)
    ours = from_agent(Agent()) if key_of_ours is None else (key_of_ours,)
    private = _file(site.state, node.name)
    if private.exists():
        key, public = private.read_text(), _public(private).read_text().strip()
    else:
        key, public = _generated(node.name)
        if keep:
            private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _public(private).write_text(f"{public}\n")
            pki_folder.write_private(private, key.encode())
    authorized = tuple(f"{each.get_name()} {each.get_base64()} safe-harbor" for each in ours)
    return Identity(site.target.ssh.user, authorized, Secret(key), public)


def pinned(site: Site, node: Node) -> Node:
    """The node with the host key that we gave it, where the site file pins none and the machine is ours."""
    public = _public(_file(site.state, node.name))
    if node.host_key or not public.exists():
        return node
    return node.model_copy(update={"host_key": public.read_text().strip()})


def _file(state: Path, name: str) -> Path:
    return state / "machines" / f"{name}.hostkey"


def _public(private: Path) -> Path:
    return private.with_name(f"{private.name}.pub")


def _generated(name: str) -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} {name}"
