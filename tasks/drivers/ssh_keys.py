"""Our keys: from a file, with its passphrase and certificate where there are any, and from the agent."""

from __future__ import annotations

import base64
import binascii
import functools
import getpass
import os
import stat
import sys
import threading
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from inventory.errors import BadInput
from inventory.models.secret import Secret
from inventory.models.ssh import Ssh

_KINDS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
# Many hosts log in at once: a key is read, and a person asked for its passphrase, once for all of them.
_READING = threading.Lock()


def identity(ssh: Ssh) -> paramiko.PKey | None:
    """The key of the identity file, with its certificate; None where only the agent is to be asked.

    Raises BadInput where the file is missing, open to others or no key, and where the passphrase or the
    certificate does not fit.
    """
    if ssh.identity_file is None:
        return None
    try:
        status = ssh.identity_file.stat()
    except OSError as error:
        raise BadInput(f"the SSH key cannot be read: {error.strerror}", ssh.identity_file) from None
    if stat.S_IMODE(status.st_mode) & 0o077:
        what = f"the SSH key is open to others; run: chmod 600 {ssh.identity_file}"
        raise BadInput(what, ssh.identity_file)
    with _READING:
        return _read(ssh, ssh.identity_file, status.st_mtime_ns)


def from_agent(agent: paramiko.Agent) -> tuple[paramiko.PKey, ...]:
    """The agent's keys. Raises BadInput where it answers with none."""
    keys = tuple(agent.get_keys())
    if not keys:
        where = os.environ.get("SSH_AUTH_SOCK")
        what = f"the agent at {where} holds no key" if where else "there is no SSH agent (SSH_AUTH_SOCK)"
        raise BadInput(f"target.ssh.agent is true, and {what}; run: ssh-add FILE")
    return keys


@functools.lru_cache(maxsize=8)
def _read(ssh: Ssh, file: Path, _changed_ns: int) -> paramiko.PKey:
    try:
        key = _key(file, None)
    except paramiko.PasswordRequiredException:
        key = _key(file, _passphrase(ssh, file))
    if ssh.certificate_file is not None:
        _certify(key, ssh.certificate_file)
    return key


def _key(file: Path, passphrase: Secret | None) -> paramiko.PKey:
    for kind in _KINDS:
        try:
            return kind.from_private_key_file(str(file), passphrase.reveal() if passphrase else None)
        except paramiko.PasswordRequiredException:
            raise
        except (paramiko.SSHException, ValueError, IndexError, UnicodeDecodeError, binascii.Error):
            continue  # not a key of this kind; the next kind may fit
    if passphrase is not None:
        raise BadInput("the passphrase does not open the SSH key", file)
    raise BadInput("this is not a private key of the kind ed25519, ecdsa or rsa", file)


def _passphrase(ssh: Ssh, file: Path) -> Secret:
    if ssh.passphrase_file is not None:
        try:
            return Secret(ssh.passphrase_file.read_text().rstrip("\n"))
        except OSError as error:
            raise BadInput(f"the passphrase cannot be read: {error.strerror}", ssh.passphrase_file) from None
    if ssh.passphrase_env:
        if ssh.passphrase_env not in os.environ:
            raise BadInput(f"the SSH key has a passphrase, and ${ssh.passphrase_env} is not set", file)
        return Secret(os.environ[ssh.passphrase_env])
    if sys.stdin.isatty():
        return Secret(getpass.getpass(f"passphrase of {file}: "))
    raise BadInput(
        "the SSH key has a passphrase, and nobody is there to ask; name it in the site file (passphrase_file "
        "or passphrase_env under target.ssh), or load the key into an agent and set agent: true",
        file,
    )


def _certify(key: paramiko.PKey, file: Path) -> None:
    try:
        certificate = load_ssh_public_identity(file.read_bytes())
    except OSError as error:
        raise BadInput(f"the certificate cannot be read: {error.strerror}", file) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput("this is not an OpenSSH certificate (FILE-cert.pub)", file) from None
    if not isinstance(certificate, SSHCertificate) or certificate.type is not SSHCertificateType.USER:
        raise BadInput("this is not an OpenSSH user certificate (ssh-keygen -s CA -I ID -n USER FILE)", file)
    signed = certificate.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    if base64.b64decode(signed.split()[1]) != key.asbytes():
        raise BadInput("this certificate is another key's, not the identity file's", file)
    key.load_certificate(str(file))
