import shutil
import socket
import ssl
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.plan import Plan
from rehearsal.services import prepare
from rehearsal.services.certificates import DATABASE_NAME, names_of, pair
from rehearsal.services.files import PASSWORDS, read_secret, write_private


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    made = replace(Plan(), state=tmp_path / "state")
    prepare(made)
    return made


def test_secrets_and_keys_are_for_the_owner_alone(plan: Plan) -> None:
    assert stat.S_IMODE(plan.secrets.stat().st_mode) == 0o700
    private = [*plan.secrets.iterdir(), *(pair(plan, name).key for name in ("ca", *names_of(plan)))]
    assert len(private) == len(PASSWORDS) + 3 + 1 + len(names_of(plan))
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert len({read_secret(plan, name) for name in PASSWORDS}) == len(PASSWORDS)


def test_a_second_run_keeps_what_is_there(plan: Plan) -> None:
    files = [path for path in plan.state.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    prepare(plan)
    assert {path: path.read_bytes() for path in files} == before


def test_a_lost_certificate_is_made_again_under_the_same_authority(plan: Plan) -> None:
    authority = plan.ca_file.read_bytes()
    pair(plan, "registry").key.unlink()
    prepare(plan)
    assert plan.ca_file.read_bytes() == authority
    assert pair(plan, "registry").key.exists()


def test_a_private_file_is_never_readable_even_over_an_open_one(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["database", "oslo-database"])
def test_a_client_takes_the_certificate_by_every_name_and_refuses_another(plan: Plan, name: str) -> None:
    for wanted in (*names_of(plan)[name], DATABASE_NAME):
        assert handshake(plan, name, wanted) == ""
    assert "mismatch" in handshake(plan, name, "elsewhere.example").lower()


def handshake(plan: Plan, name: str, wanted: str) -> str:
    """What a TLS client that trusts the rehearsal CA says of the certificate under a name."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair(plan, name).certificate, pair(plan, name).key)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as done:
                done.recv(1)
        except ssl.SSLError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client = ssl.create_default_context(cafile=str(plan.ca_file))
        with client.wrap_socket(ours, server_hostname=wanted):
            return ""
    except ssl.SSLCertVerificationError as error:
        return str(error)
    finally:
        ours.close()
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_every_certificate(plan: Plan) -> None:
    for name in names_of(plan):
        argv = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", plan.ca_file]
        done = subprocess.run([*argv, pair(plan, name).certificate], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
