"""The DNS driver, with a real knot."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inventory.models.secret import Secret
from tasks.drivers.dns import AuthoritativeZone
from tasks.drivers.errors import Denied, HostUnreachable, ServiceFailed
from tests.drivers.real_edge import free_port

pytestmark = pytest.mark.skipif(shutil.which("knotd") is None, reason="knot is not installed")

KEY = "c2FmZS1oYXJib3ItdGVzdC1rZXktMzItYnl0ZXMhISE="
OTHER = "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXIhISE="

ZONE = """$ORIGIN fjordshop.example.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 2
@ NS ns
ns A 127.0.0.1
shop A 198.18.0.10
"""


@dataclass
class Knot:
    port: int

    def zone(
        self, zone: str = "fjordshop.example", key_name: str = "mover", key: str = KEY
    ) -> AuthoritativeZone:
        return AuthoritativeZone("127.0.0.1", self.port, zone, key_name, Secret(key), timeout_s=2)


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knot]:
    folder: Path = tmp_path_factory.mktemp("knot")
    port = free_port()
    (folder / "fjordshop.example.zone").write_text(ZONE)
    (folder / "knot.conf").write_text(f"""
server:
    rundir: "{folder}"
    listen: 127.0.0.1@{port}
database:
    storage: "{folder}"
key:
  - id: mover
    algorithm: hmac-sha256
    secret: {KEY}
  - id: reader
    algorithm: hmac-sha256
    secret: {OTHER}
acl:
  - id: moves
    key: mover
    action: update
zone:
  - domain: fjordshop.example
    storage: "{folder}"
    file: fjordshop.example.zone
    acl: moves
""")
    process = subprocess.Popen(
        ["knotd", "-c", str(folder / "knot.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                Knot(port).zone().address("shop.fjordshop.example")
                break
            except (HostUnreachable, ServiceFailed):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield Knot(port)
    finally:
        process.terminate()
        process.wait(10)


def test_an_address_is_replaced(knot: Knot) -> None:
    zone = knot.zone()
    zone.set_address("shop.fjordshop.example", ["198.18.0.10"], 300)
    assert zone.address("shop.fjordshop.example") == (("198.18.0.10",), 300)
    zone.set_address("shop.fjordshop.example", ["10.60.0.12", "10.60.0.11"], 2)
    assert zone.address("shop.fjordshop.example") == (("10.60.0.11", "10.60.0.12"), 2)
    zone.set_address("shop.fjordshop.example", ["10.60.0.12", "10.60.0.11"], 2)
    assert zone.address("shop.fjordshop.example") == (("10.60.0.11", "10.60.0.12"), 2)


def test_a_name_without_records(knot: Knot) -> None:
    assert knot.zone().address("absent.fjordshop.example") == ((), 0)


@pytest.mark.parametrize(
    ("key_name", "key"),
    [("mover", OTHER), ("reader", OTHER), ("nobody", KEY)],
    ids=["wrong", "no right", "unknown"],
)
def test_a_key_that_may_not_update_is_denied(knot: Knot, key_name: str, key: str) -> None:
    before = knot.zone().address("shop.fjordshop.example")
    with pytest.raises(Denied, match=key_name) as caught:
        knot.zone(key_name=key_name, key=key).set_address("shop.fjordshop.example", ["10.60.0.99"], 2)
    assert key not in str(caught.value)
    assert knot.zone().address("shop.fjordshop.example") == before


def test_a_key_that_is_no_key() -> None:
    with pytest.raises(Denied, match="not base64"):
        AuthoritativeZone("127.0.0.1", 53, "x.example", "mover", Secret("?"))


def test_a_server_without_authority(knot: Knot) -> None:
    with pytest.raises(ServiceFailed, match="authority"):
        knot.zone(zone="other.example").address("shop.other.example")


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(HostUnreachable):
        Knot(free_port()).zone().address("shop.fjordshop.example")


def test_what_is_not_an_address_or_not_in_the_zone(knot: Knot) -> None:
    with pytest.raises(ValueError, match="not an IPv4 address"):
        knot.zone().set_address("shop.fjordshop.example", ["10.60.0.300"], 2)
    with pytest.raises(ValueError, match="without an address"):
        knot.zone().set_address("shop.fjordshop.example", [], 2)
    with pytest.raises(ValueError, match="lie in the zone"):
        knot.zone().address("shop.elsewhere.example")
