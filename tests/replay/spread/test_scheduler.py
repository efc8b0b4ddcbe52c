"""Which schedulers are taken: encrypted ones, those of this machine, and private ones where one says so."""

import asyncio
from pathlib import Path

import pytest

from inventory.errors import BadInput
from tasks.drivers.errors import HostUnreachable
from tasks.replay.spread.scheduler import Spread, connected, is_loopback, security_of
from tests.replay.certificates import self_signed

AWAY = "198.51.100.7"


@pytest.mark.parametrize(
    ("spread", "says"),
    [
        (Spread(f"tcp://{AWAY}:8786"), "--spread-unencrypted where the network is private"),
        (Spread("http://localhost:8786"), "allowed: tls://HOST:PORT or tcp://HOST:PORT"),
        (Spread("tcp://localhost"), "allowed: tls://HOST:PORT"),
        (Spread("tcp://localhost:99999"), "allowed: tls://HOST:PORT"),
        (Spread("8786"), "allowed: tls://HOST:PORT"),
        (Spread("tcp://127.0.0.1:8786", generators=-1), "-1 generators; allowed: 1 and more"),
        (Spread("tcp://127.0.0.1:8786", tls_key="x"), "speaks no TLS"),
        (Spread(f"tls://{AWAY}:8786"), "wants --tls-ca-file FILE"),
        (Spread(f"tls://{AWAY}:8786", tls_ca_file=__file__, tls_cert=__file__), "wants --tls-key FILE"),
        (
            Spread(f"tls://{AWAY}:8786", tls_ca_file="/no", tls_cert="/no", tls_key="/no"),
            "/no: --tls-ca-file cannot be read",
        ),
    ],
)
def test_what_is_refused(spread: Spread, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        security_of(spread)
    assert says in str(refused.value)


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:8786", "tcp://[::1]:8786", "tcp://localhost:8786"])
def test_within_this_machine_nothing_is_asked_for(url: str) -> None:
    assert security_of(Spread(url)) is None


def test_a_private_network_may_be_trusted() -> None:
    assert security_of(Spread(f"tcp://{AWAY}:8786", unencrypted=True)) is None


def test_tls_is_required_on_the_whole_way(tmp_path: Path) -> None:
    pem = str(self_signed(tmp_path / "c.pem", "cluster"))
    security = security_of(Spread(f"tls://{AWAY}:8786", tls_ca_file=pem, tls_cert=pem, tls_key=pem))
    assert security is not None
    assert security.require_encryption


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.replay.spread.scheduler.CONNECT_WITHIN_S", 1)
    with pytest.raises(HostUnreachable, match=r"no connection to the scheduler .*start it: dask scheduler"):
        asyncio.run(connected(Spread("tcp://127.0.0.1:1")))


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), (AWAY, False), ("localhost", False)],
)
def test_loopback(host: str, is_it: bool) -> None:
    assert is_loopback(host) == is_it
