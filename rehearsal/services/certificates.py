"""The rehearsal CA and the certificates it signs (RFC 5280; ECDSA P-256, 30 days)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rehearsal.plan import Plan
from rehearsal.services.files import write_private

LIFETIME = timedelta(days=30)
DATABASE_NAME = "database.fjordshop.example"  # what the shop expects in either database's certificate


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files (PEM); the key has mode 0600."""

    certificate: Path
    key: Path


def pair(plan: Plan, name: str) -> Pair:
    """Where the certificate of this name is."""
    return Pair(plan.pki / f"{name}.crt", plan.pki / f"{name}.key")


def names_of(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Every server certificate: its addresses on both sides of the link, and its DNS names."""
    oslo = plan.oslo_edge.address
    return {
        "database": (plan.rds_private, plan.rds_public, DATABASE_NAME, "localhost"),
        "registry": (plan.registry_private, plan.registry_public, "registry.fjordshop.example"),
        "oslo-database": (oslo, plan.oslo_database_from_aws, DATABASE_NAME, "localhost"),
        "oslo-registry": (oslo, "registry.oslo.fjordshop.example"),
        "oslo-objects": (oslo, "objects.oslo.fjordshop.example"),
    }


def make_certificates(plan: Plan) -> None:
    """Make the CA and every server certificate in `plan.pki`; what is there already stays."""
    wanted = {name: names for name, names in names_of(plan).items() if not pair(plan, name).key.exists()}
    authority = pair(plan, "ca")
    if authority.key.exists() and not wanted:
        return
    plan.pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not authority.key.exists():
        _make_authority(authority)
        wanted = names_of(plan)
    ca_certificate = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    ca_key = serialization.load_pem_private_key(authority.key.read_bytes(), password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{authority.key} holds no EC key")
    _sign_all(plan, wanted, ca_certificate, ca_key)


def _sign_all(
    plan: Plan,
    wanted: Mapping[str, Sequence[str]],
    ca_certificate: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
) -> None:
    for name, names in wanted.items():
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general_name(text) for text in names])
        certificate = (
            _builder(names[0], ca_certificate.subject, key.public_key())
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
            )
            .sign(ca_key, hashes.SHA256())
        )
        _store(pair(plan, name), certificate, key)


def _make_authority(authority: Pair) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject("Rehearsal CA")
    signing = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder("Rehearsal CA", subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(signing, critical=True)
        .sign(key, hashes.SHA256())
    )
    _store(authority, certificate, key)


def _subject(common_name: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Fjordshop rehearsal")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    common_name: str, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(common_name))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _store(where: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    where.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(where.key, content)
