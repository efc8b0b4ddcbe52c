"""The certificates on a node: Kubernetes', etcd's, and those inside kubeconfigs. Their keys stay there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_MARK = "@@ "
# The range of lines is the certificate's own, so a key in the same file is not printed.
_PROGRAM = """
for path in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt /etc/kubernetes/*.conf \\
  /etc/etcd/pki/*.crt /etc/safe-harbor/pki/*.crt \\
  /var/lib/kubelet/pki/kubelet.crt /var/lib/kubelet/pki/kubelet-client-current.pem
do
  [ -f "$path" ] || continue
  printf '@@ %s\\n' "$path"
  sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' "$path"
  sed -n 's/^ *client-certificate-data: *//p' "$path" | tr -d '"' | base64 -d
done
"""


@dataclass(frozen=True)
class Certificate:
    """The first certificate of a file; the ones behind it are its chain. `not_after` is UTC."""

    path: str
    name: str
    not_after: datetime
    is_authority: bool


def command() -> Shellable:
    """Ask for all of them; a folder that is not there has none."""
    return Script.of(_PROGRAM)


def parse(output: str) -> tuple[Certificate, ...]:
    """Raises ValueError where a certificate cannot be read; a file without one (a token's) is left out."""
    found = []
    for block in f"\n{output}".split(f"\n{_MARK}")[1:]:
        path, _, pem = block.partition("\n")
        if not pem.strip():
            continue
        try:
            certificate = x509.load_pem_x509_certificates(pem.encode())[0]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        found.append(
            Certificate(
                path,
                _name(certificate),
                certificate.not_valid_after_utc,
                is_authority=_is_authority(certificate),
            )
        )
    return tuple(found)


def ask() -> Asked[tuple[Certificate, ...]]:
    """The question."""
    return Asked("certificates", command(), parse)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "(no subject)"


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
