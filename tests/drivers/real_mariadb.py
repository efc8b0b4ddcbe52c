"""Real MariaDB servers on loopback ports, with TLS, for tests."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from inventory.models.secret import Secret
from tasks.drivers.errors import OutsideError
from tasks.drivers.mariadb import MariaDb
from tests.drivers.real_edge import free_port

ADMIN_PASSWORD = "Admin-Passwort-1"
REPLICA_PASSWORD = "Replica-Passwort-1"
APP_PASSWORD = "Shop-Passwort-1"


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass
class Ca:
    """A CA in a folder, and certificates that it signed."""

    folder: Path
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    key: ec.EllipticCurvePrivateKey = field(init=False)
    cert: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = self._signed(self.key, "safe-harbor test CA", ca=True)
        self.file.write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    @property
    def file(self) -> Path:
        return self.folder / "ca.crt"

    def issue(self, name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._signed(key, name, ca=False)
        cert_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_file, key_file

    def _signed(self, key: ec.EllipticCurvePrivateKey, name: str, *, ca: bool) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if ca else self.cert.subject
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(one) for one in self.names]),
                critical=False,
            )
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class Server:
    port: int
    folder: Path
    ca: Ca
    process: subprocess.Popen[bytes] = field(repr=False)

    def sql(self, user: str = "admin", password: str = ADMIN_PASSWORD, database: str = "") -> MariaDb:
        return MariaDb("127.0.0.1", self.port, user, Secret(password), self.ca.file, database, 5.0, 60.0)


def installed() -> bool:
    return all(shutil.which(name) for name in ("mariadbd", "mariadb-install-db", "mariadb-dump"))


@contextlib.contextmanager
def running_mariadb(folder: Path, ca: Ca, server_id: int, domain_id: int = 0) -> Iterator[Server]:
    folder.mkdir(parents=True)
    data = folder / "data"
    # A starting server removes every `#sql` file of its tmpdir, those of other servers as well.
    temporary = folder / "tmp"
    temporary.mkdir()
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db",
         f"--tmpdir={temporary}",
         "--auth-root-authentication-method=socket"],
        check=True, capture_output=True,
    )  # fmt: skip
    cert, key = ca.issue(f"server-{server_id}")
    port = free_port()
    init = folder / "init.sql"
    init.write_text(
        "SET SESSION sql_log_bin=0;\n"
        f"CREATE USER IF NOT EXISTS admin@'%' IDENTIFIED BY '{ADMIN_PASSWORD}' REQUIRE SSL;\n"
        "GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n"
        f"CREATE USER IF NOT EXISTS replica@'%' IDENTIFIED BY '{REPLICA_PASSWORD}' REQUIRE SSL;\n"
        "GRANT REPLICATION SLAVE, REPLICATION CLIENT, BINLOG MONITOR ON *.* TO replica@'%';\n"
        f"CREATE USER IF NOT EXISTS shop@'%' IDENTIFIED BY '{APP_PASSWORD}';\n"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO shop@'%';\n"
    )
    init.chmod(0o600)
    log = folder / "log"
    process = subprocess.Popen(
        ["mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={folder}/s",
         f"--tmpdir={temporary}",
         f"--port={port}", "--bind-address=127.0.0.1", f"--server-id={server_id}", "--log-bin=bin",
         "--binlog-format=ROW",
         "--log-slave-updates", "--gtid-strict-mode=ON", f"--gtid-domain-id={domain_id}",
         f"--ssl-ca={ca.file}",
         f"--ssl-cert={cert}", f"--ssl-key={key}", f"--init-file={init}", "--innodb-buffer-pool-size=32M",
         "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve",
         "--performance-schema=OFF", f"--pid-file={folder}/pid", "--slave-net-timeout=10"],
        stdout=log.open("wb"), stderr=subprocess.STDOUT, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    server = Server(port, folder, ca, process)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                server.sql().rows("SELECT 1")
                break
            except OutsideError as error:
                assert process.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < deadline, f"{error}\n{log.read_text()[-3000:]}"
                time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait(30)
