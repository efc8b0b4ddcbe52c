"""The keys of an SSH connection: ours from a file, the host's from the site file or known_hosts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import stat
from pathlib import Path

import paramiko

from inventory.errors import BadInput
from inventory.models.cluster import Node, Ssh
from tasks.drivers.errors import HostKeyRefused

_KINDS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


def client_key(identity_file: Path) -> paramiko.PKey:
    """Our private key. Raises BadInput where the file is missing, open to others, encrypted or no key."""
    try:
        mode = identity_file.stat().st_mode
    except OSError as error:
        raise BadInput(f"the SSH key cannot be read: {error.strerror}", identity_file) from None
    if stat.S_IMODE(mode) & 0o077:
        raise BadInput(f"the SSH key is open to others; run: chmod 600 {identity_file}", identity_file)
    for kind in _KINDS:
        try:
            return kind.from_private_key_file(str(identity_file))
        except paramiko.PasswordRequiredException:
            raise BadInput(
                "the SSH key has a passphrase; give a key of its own without one, mode 0600", identity_file
            ) from None
        except (paramiko.SSHException, ValueError, IndexError, UnicodeDecodeError, binascii.Error):
            continue  # not a key of this kind; the next kind may fit
    raise BadInput("this is not a private key of the kind ed25519, ecdsa or rsa", identity_file)


def pinned_keys(node: Node, ssh: Ssh) -> tuple[paramiko.PKey, ...]:
    """The keys that the host may show: the site's, else those of known_hosts.

    Raises BadInput where the site's key cannot be read, HostKeyRefused where no key is pinned.
    """
    if node.host_key:
        return (_public_key(node),)
    found: list[paramiko.PKey] = []
    if ssh.known_hosts is not None:
        known = paramiko.HostKeys()
        try:
            known.load(str(ssh.known_hosts))
        except OSError as error:
            raise BadInput(f"known_hosts cannot be read: {error.strerror}", ssh.known_hosts) from None
        address = str(node.address)
        for name in (f"[{address}]:{ssh.port}", address, node.name):
            if ":" not in name and ssh.port != 22:
                continue
            found.extend((known.lookup(name) or {}).values())
    if not found:
        raise HostKeyRefused(
            node.name,
            f"no host key is pinned for {node.address}",
            "read it on the host's console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and put the "
            "public key into the site file as host_key",
        )
    return tuple(found)


def _public_key(node: Node) -> paramiko.PKey:
    words = node.host_key.split()
    try:
        if len(words) < 2:
            raise ValueError("two words are needed")
        return paramiko.PKey.from_type_string(words[0], base64.b64decode(words[1], validate=True))
    except (ValueError, paramiko.pkey.UnknownKeyType, paramiko.SSHException, IndexError, EOFError):
        raise BadInput(
            f"host_key of {node.name} is not a public key; it looks like `ssh-ed25519 AAAA...`"
        ) from None


def fingerprint(key: paramiko.PKey) -> str:
    """The key's fingerprint as OpenSSH shows it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def refuse_unless_pinned(node: Node, shown: paramiko.PKey, pinned: tuple[paramiko.PKey, ...]) -> None:
    """Raises HostKeyRefused where the key that the host shows is none of the pinned ones."""
    if any(shown.asbytes() == key.asbytes() for key in pinned):
        return
    raise HostKeyRefused(
        node.name,
        f"{node.address} shows the host key {fingerprint(shown)}, pinned is "
        + ", ".join(fingerprint(key) for key in pinned),
        "stop: somebody else may be answering. If the host was really reinstalled, read its new key on the "
        "console and change host_key in the site file",
    )
