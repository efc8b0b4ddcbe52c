"""Which host answers: its key against the pinned ones, or its certificate against a pinned authority."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time

import paramiko
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from inventory.errors import BadInput
from inventory.models.ssh import Jump, Ssh
from tasks.drivers import known_hosts
from tasks.drivers.errors import HostKeyRefused
from tasks.drivers.known_hosts import Known

_CERTIFIED = "-cert-v01@openssh.com"
# What an authority may have signed; SHA-1 and DSA are not among them.
_CERTIFIABLE = (
    *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("rsa-sha2-512", "rsa-sha2-256"),
)
_REINSTALLED = (
    "stop: somebody else may be answering. If the host was really reinstalled, read its new key on the "
    "console and change host_key in the site file"
)

_STOP = "stop: somebody else may be answering; the owner of known_hosts has withdrawn this key"


def known_of(peer: Jump, ssh: Ssh) -> Known:
    """What the host may show: the site's key, else what known_hosts has.

    Raises BadInput where a key or the file cannot be read, HostKeyRefused where nothing is pinned.
    """
    if peer.host_key:
        return Known(keys=(_declared(peer),))
    found = Known()
    if ssh.known_hosts is not None:
        found = known_hosts.read(ssh.known_hosts, (str(peer.address), peer.name), peer.port)
    if not found.keys and not found.authorities:
        raise HostKeyRefused(
            peer.name,
            f"no host key is pinned for {peer.address}",
            "read it on the host's console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and put the "
            "public key into the site file as host_key",
        )
    return found


def algorithms(known: Known) -> tuple[str, ...]:
    """The host key algorithms to ask for, so that the host shows a key of a pinned kind."""
    wanted = [kind + _CERTIFIED for kind in _CERTIFIABLE] if known.authorities else []
    for key in known.keys:
        kind = key.get_name()
        wanted += ["rsa-sha2-512", "rsa-sha2-256"] if kind == "ssh-rsa" else [kind]
    return tuple(dict.fromkeys(wanted))


def refuse_unless_known(peer: Jump, shown: paramiko.PKey, known: Known) -> None:
    """Raises HostKeyRefused where the host shows neither a pinned key nor an authority's certificate."""
    if shown.asbytes() in known.revoked:
        raise HostKeyRefused(
            peer.name, f"{peer.address} shows the revoked host key {fingerprint(shown)}", _STOP
        )
    certificate = shown.public_blob
    if certificate is not None and known.authorities:
        trouble = _trouble(peer, certificate, known)
        if trouble:
            raise HostKeyRefused(
                peer.name,
                f"{peer.address} shows a host certificate that is not taken: {trouble}",
                "stop until its authority (@cert-authority in known_hosts) has signed the host's key anew",
            )
    elif all(shown.asbytes() != key.asbytes() for key in known.keys):
        pinned = ", ".join(fingerprint(key) for key in known.keys) or "a certificate of an authority"
        raise HostKeyRefused(
            peer.name,
            f"{peer.address} shows the host key {fingerprint(shown)}, pinned is {pinned}",
            _REINSTALLED,
        )


def fingerprint(key: paramiko.PKey) -> str:
    """The key's fingerprint as OpenSSH shows it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def _trouble(peer: Jump, blob: paramiko.pkey.PublicBlob, known: Known) -> str:
    """What is wrong with the certificate, after PROTOCOL.certkeys of OpenSSH; empty where nothing is."""
    try:
        line = f"{blob.key_type} ".encode() + base64.b64encode(blob.key_blob)
        certificate = load_ssh_public_identity(line)
        if not isinstance(certificate, SSHCertificate):
            return "it is no certificate"
        certificate.verify_cert_signature()
        signer = certificate.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        return f"it cannot be verified ({type(error).__name__})"
    authority = base64.b64decode(signer.split()[1])
    if authority in known.revoked:
        return "its authority is revoked"
    if authority not in known.authorities:
        return "it is signed by no authority of known_hosts"
    if certificate.type is not SSHCertificateType.HOST:
        return "it is a user's, not a host's"
    principals = {name.decode("utf-8", "replace") for name in certificate.valid_principals}
    if not principals & {peer.name, str(peer.address)}:
        return (
            f"it is for {', '.join(sorted(principals)) or 'no name'}, not for {peer.name} or {peer.address}"
        )
    if not certificate.valid_after <= time.time() < certificate.valid_before:
        return "it is not valid today"
    if certificate.critical_options:
        return "it has critical options, and none is defined for hosts"
    return ""


def _declared(peer: Jump) -> paramiko.PKey:
    words = peer.host_key.split()
    try:
        if len(words) < 2:
            raise ValueError("two words are needed")
        return paramiko.PKey.from_type_string(words[0], base64.b64decode(words[1], validate=True))
    except (
        ValueError,
        binascii.Error,
        paramiko.pkey.UnknownKeyType,
        paramiko.SSHException,
        IndexError,
        EOFError,
    ):
        raise BadInput(
            f"host_key of {peer.name} is not a public key; it looks like `ssh-ed25519 AAAA...`"
        ) from None
