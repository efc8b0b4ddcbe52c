"""TLS: verified against the site's own authority, and never without."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from inventory.errors import BadInput
from tasks.replay.run import Options, replay_run
from tests.replay.conftest import Start

Write = Callable[..., Path]
NAME = "shop.fjordshop.example"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and self-signed certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_the_name_of_the_url_is_verified_at_the_pinned_address(
    start_server: Start, capture: Write, tmp_path: Path, certificate: Path
) -> None:
    _, url = start_server("a", "0", str(certificate))
    at = url.removeprefix("http://")
    options = Options(connections=4, timeout_s=2, connect_to=at, ca_file=str(certificate))
    log = capture(*["GET /a"] * 50)
    result = replay_run(log, f"https://{NAME}", tmp_path / "out", rate_rps=200, options=options).result
    assert (result["done"], result["errors"]) == (50, 0)
    assert result["tls"].startswith("TLSv1.3 ")
    assert result["address"] == at
    unknown = Options(connections=4, timeout_s=2, connect_to=at)
    result = replay_run(log, f"https://{NAME}", tmp_path / "out", rate_rps=200, options=unknown).result
    assert (result["done"], result["faults"]) == (0, {"connect": 50})
    assert "CERTIFICATE_VERIFY_FAILED" in result["connect_error"]
    assert "no request was answered" in result["reasons"]


def test_a_ca_file_that_is_none(capture: Write, tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("not a certificate")
    with pytest.raises(BadInput, match=r"ca\.pem: the CA file cannot be used"):
        replay_run(capture("GET /"), "https://127.0.0.1:1", tmp_path / "o", options=Options(ca_file=str(bad)))
