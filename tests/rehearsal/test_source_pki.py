from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from rehearsal.source_pki import ClusterAuthority


def test_a_kubeconfig_is_private_and_its_certificate_names_user_and_group(tmp_path: Path) -> None:
    authority = ClusterAuthority()
    file = tmp_path / "site" / "aws.kubeconfig"
    authority.kubeconfig(file, "https://198.18.0.13:6443", "lead", "kubeadm:cluster-admins")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = yaml.safe_load(file.read_text())
    cluster = content["clusters"][0]["cluster"]
    assert cluster["server"] == "https://198.18.0.13:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == authority.issued.certificate
    pem = base64.b64decode(content["users"][0]["user"]["client-certificate-data"])
    certificate = x509.load_pem_x509_certificate(pem)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.issued.certificate))
    names = {
        oid: certificate.subject.get_attributes_for_oid(oid)[0].value
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    }
    assert names == {NameOID.COMMON_NAME: "lead", NameOID.ORGANIZATION_NAME: "kubeadm:cluster-admins"}


def test_the_onlooker_is_in_no_group() -> None:
    certificate = x509.load_pem_x509_certificate(ClusterAuthority().client("onlooker").certificate)
    assert certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME) == []


def test_the_authority_is_known_by_the_digest_of_its_public_key() -> None:
    authority = ClusterAuthority()
    key = x509.load_pem_x509_certificate(authority.issued.certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert authority.hash == f"sha256:{hashlib.sha256(spki).hexdigest()}"
