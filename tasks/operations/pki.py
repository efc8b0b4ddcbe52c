"""Certificate authorities and certificates of the cluster, made on the lead's machine.

Pure apart from the randomness of keys: the time is given. Keys are ECDSA P-256. Names of the entries are the
names of the files in which they are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=60)
_SKEW = timedelta(minutes=10)  # a node's clock may be behind ours


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _load(pair: Pair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = serialization.load_pem_private_key(pair.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not ECDSA")
    return x509.load_pem_x509_certificate(pair.certificate), key


def make_authority(name: str, now: datetime) -> Pair:
    """A self-signed certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key.public_key(), now, CA_LIFE)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def issue(
    authority: Pair,
    name: str,
    now: datetime,
    *,
    organizations: Sequence[str] = (),
    hosts: Sequence[str | IPv4Address] = (),
    server: bool = False,
    client: bool = False,
) -> Pair:
    """A certificate for `name`; `hosts` are the names and addresses under which it serves."""
    issuer, issuer_key = _load(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, value) for value in organizations]
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    uses = [ExtendedKeyUsageOID.SERVER_AUTH] * server + [ExtendedKeyUsageOID.CLIENT_AUTH] * client
    builder = _builder(subject, issuer.subject, key.public_key(), now, LEAF_LIFE)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
        )
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def make_signing_pair() -> Pair:
    """The service accounts' key; `certificate` holds its public half, as kubeadm keeps it in sa.pub."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Pair(public, _key_pem(key))


def public_key_hash(certificate: bytes) -> str:
    """`sha256:HEX` of the public key, by which a joining node recognises the cluster's authority."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def needs_renewal(
    pair: Pair, authority: Pair, now: datetime, hosts: Sequence[str | IPv4Address] = ()
) -> bool:
    """Whether the certificate runs out soon, is of another authority, or lacks one of the hosts."""
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return True
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    missing = {_general_name(host) for host in hosts} - set(names)
    return bool(missing) or certificate.not_valid_after_utc - now < RENEW_BEFORE


@dataclass(frozen=True)
class Pki:
    """Everything by name: `ca`, `front-proxy-ca`, `etcd-ca`, `sa`, `apiserver-etcd-client`, `etcd-client`,
    and `etcd-server-NODE` and `etcd-peer-NODE` for every control-plane node."""

    pairs: Mapping[str, Pair]

    def __getitem__(self, name: str) -> Pair:
        return self.pairs[name]

    @property
    def ca_hash(self) -> str:
        """See `public_key_hash`."""
        return public_key_hash(self["ca"].certificate)


_AUTHORITIES = {"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd-ca": "etcd-ca"}


def complete(kept: Mapping[str, Pair], planes: Mapping[str, IPv4Address], now: datetime) -> Pki:
    """What is kept, with what is missing or runs out made anew. `planes` are the control-plane nodes.

    An authority is never replaced: that would cut every node off. Raises ValueError where a PEM is broken.
    """
    pairs = dict(kept)
    for name, title in _AUTHORITIES.items():
        if name not in pairs:
            pairs[name] = make_authority(title, now)
    if "sa" not in pairs:
        pairs["sa"] = make_signing_pair()
    etcd = pairs["etcd-ca"]
    wanted: dict[str, tuple[str, tuple[str | IPv4Address, ...], bool]] = {
        "apiserver-etcd-client": ("kube-apiserver-etcd-client", (), False),
        "etcd-client": ("safe-harbor-network", (), False),
    }
    for node, address in planes.items():
        hosts: tuple[str | IPv4Address, ...] = (node, "localhost", address, IPv4Address("127.0.0.1"))
        wanted[f"etcd-server-{node}"] = (node, hosts, True)
        wanted[f"etcd-peer-{node}"] = (node, hosts, True)
    for name, (title, names, server) in wanted.items():
        if name not in pairs or needs_renewal(pairs[name], etcd, now, names):
            pairs[name] = issue(etcd, title, now, hosts=names, server=server, client=True)
    return Pki(pairs)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str | IPv4Address) -> x509.GeneralName:
    if isinstance(host, str):
        return x509.DNSName(host)
    return x509.IPAddress(ip_address(str(host)))
