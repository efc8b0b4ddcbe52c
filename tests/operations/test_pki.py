"""The cluster's keys: chains that verify, renewal in time, authorities that stay."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509

from inventory.errors import BadInput
from tasks.drivers import pki_folder
from tasks.operations.pki import LEAF_LIFE, RENEW_BEFORE, Pair, complete, needs_renewal, public_key_hash
from tests.operations.places import NOW

PLANES = {"oslo-1": IPv4Address("10.60.0.11")}
PKI = complete({}, PLANES, NOW)


def test_openssl_verifies_what_was_issued(tmp_path: Path) -> None:
    now = complete({}, PLANES, datetime.now(UTC))
    (tmp_path / "ca.crt").write_bytes(now["etcd-ca"].certificate)
    for name, purpose in (
        ("etcd-server-oslo-1", "sslserver"),
        ("etcd-server-oslo-1", "sslclient"),
        ("etcd-peer-oslo-1", "sslserver"),
        ("etcd-client", "sslclient"),
        ("apiserver-etcd-client", "sslclient"),
    ):
        (tmp_path / "leaf.crt").write_bytes(now[name].certificate)
        subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.crt", "leaf.crt"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
    (tmp_path / "leaf.crt").write_bytes(now["etcd-client"].certificate)
    as_server = subprocess.run(
        ["openssl", "verify", "-purpose", "sslserver", "-CAfile", "ca.crt", "leaf.crt"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )
    assert as_server.returncode != 0


def test_the_hash_is_the_one_that_kubeadm_documents(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(PKI["ca"].certificate)
    pipeline = (
        "openssl x509 -pubkey -in ca.crt | openssl pkey -pubin -outform der | openssl dgst -sha256 -hex"
    )
    said = subprocess.run(["sh", "-c", pipeline], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert public_key_hash(PKI["ca"].certificate) == f"sha256:{said.stdout.split()[-1]}"


def test_nothing_is_made_anew_without_need() -> None:
    assert complete(PKI.pairs, PLANES, NOW + timedelta(days=30)).pairs == PKI.pairs


def test_leaves_are_renewed_in_time_and_authorities_stay() -> None:
    later = complete(PKI.pairs, PLANES, NOW + LEAF_LIFE - RENEW_BEFORE + timedelta(days=1))
    changed = {name for name in PKI.pairs if later[name] != PKI[name]}
    assert changed == {"apiserver-etcd-client", "etcd-client", "etcd-server-oslo-1", "etcd-peer-oslo-1"}


def test_a_node_with_a_new_address_gets_a_new_certificate() -> None:
    moved = complete(PKI.pairs, {"oslo-1": IPv4Address("10.60.0.99")}, NOW)
    assert moved["etcd-server-oslo-1"] != PKI["etcd-server-oslo-1"]
    assert moved["etcd-client"] == PKI["etcd-client"]
    certificate = x509.load_pem_x509_certificate(moved["etcd-server-oslo-1"].certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert x509.IPAddress(IPv4Address("10.60.0.99")) in list(names)


def test_a_certificate_of_another_authority_is_renewed() -> None:
    other = complete({}, PLANES, NOW)
    assert needs_renewal(PKI["etcd-client"], other["etcd-ca"], NOW)
    assert not needs_renewal(PKI["etcd-client"], PKI["etcd-ca"], NOW)


def test_a_broken_pem_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r".+"):
        complete({**PKI.pairs, "etcd-client": Pair(b"no pem", b"no pem")}, PLANES, NOW)


def test_the_folder_keeps_keys_to_itself(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    pairs = {name: (pair.certificate, pair.key) for name, pair in PKI.pairs.items()}
    assert set(pki_folder.write(folder, pairs)) == set(pairs)
    assert pki_folder.write(folder, pairs) == ()
    assert pki_folder.read(folder) == pairs
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_key_without_its_certificate_is_made_anew(tmp_path: Path) -> None:
    pairs = {name: (pair.certificate, pair.key) for name, pair in PKI.pairs.items()}
    pki_folder.write(tmp_path / "pki", pairs)
    (tmp_path / "pki" / "etcd-client.crt").unlink()
    assert "etcd-client" not in pki_folder.read(tmp_path / "pki")


def test_a_key_that_others_can_read_is_bad_input(tmp_path: Path) -> None:
    pki_folder.write(tmp_path / "pki", {"ca": (b"c", b"k")})
    (tmp_path / "pki" / "ca.key").chmod(0o644)
    with pytest.raises(BadInput, match=r"ca\.key: this key is open to others; run: chmod 600"):
        pki_folder.read(tmp_path / "pki")
