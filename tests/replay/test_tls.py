"""TLS: verified against the site's own authority, and never without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.cli.replay_compare import replay_compare
from inventory.errors import BadInput
from tasks.replay.run import Options, replay_run
from tasks.replay.selection import Selection
from tests.replay.certificates import NAME, self_signed
from tests.replay.conftest import Start
from tests.replay.http2_gateway import gateway
from tests.replay.slow_handshake import HELD_S, slow_handshake

Write = Callable[..., Path]


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


def test_a_comparison_trusts_the_sites_own_authority(
    start_server: Start, capture: Write, tmp_path: Path, certificate: Path
) -> None:
    """By the command: both sides answer with that certificate, which the system knows nothing of."""
    local = self_signed(tmp_path / "local.pem", "localhost")
    urls = [start_server("a", "0", str(local))[1].replace("http://127.0.0.1", "https://localhost")] * 2
    asked: dict[str, Any] = {
        "capture": capture("GET /a"),
        "source": urls[0],
        "target": urls[1],
        "out": tmp_path / "out",
    }
    assert replay_compare(**asked, ca_file=local) == 0
    assert replay_compare(**asked) == 1
    assert replay_compare(**asked, ca_file=certificate) == 1
    assert "certificate" in (tmp_path / "out" / "differences.diff").read_text()
    (none := tmp_path / "none.pem").write_text("no certificate\n")
    with pytest.raises(BadInput, match="the CA file cannot be used"):
        replay_compare(**asked, ca_file=none)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_the_handshake_is_told_apart_from_tcp(
    version: str, start_server: Start, capture: Write, tmp_path: Path, certificate: Path
) -> None:
    """Each connection is closed after its answer, so that there are some; a relay holds the first bytes, of
    which TCP knows nothing."""
    _, url = start_server("a", "0", str(certificate), "127.0.0.1", version)
    with slow_handshake(int(url.rpartition(":")[2])) as port:
        options = Options(
            connections=8, timeout_s=3, connect_to=f"127.0.0.1:{port}", ca_file=str(certificate)
        )
        log = capture(*["GET /close"] * 6)
        run = replay_run(log, f"https://{NAME}", tmp_path / "out", rate_rps=4, options=options)
    result = run.result
    assert (result["done"], result["connections_opened"]) == (6, 6)
    assert result["tls"].startswith(f"{version.replace('_', '.')} ")
    assert len(run.records.connect_s) == len(run.records.tls_s) == 6
    assert run.records.tls_s.min() >= HELD_S
    assert run.records.connect_s.min() < 0.05
    assert result["tls_ms"]["p50"] >= HELD_S * 1000
    assert result["tls_resumed"] == 0  # the server gives tickets, and none is offered: each is a new customer
    again = replay_run(log, url, tmp_path / "plain", rate_rps=50, options=Options(timeout_s=1)).result
    assert (again["tls"], again["tls_ms"]["max"]) == ("", None)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_that_comes_again_resumes_its_tls_session(
    version: str, start_server: Start, capture: Write, tmp_path: Path, certificate: Path
) -> None:
    """Of one client, whose connection is closed after each answer, all handshakes but the first."""
    _, url = start_server("a", "0", str(certificate), "127.0.0.1", version)
    at = url.removeprefix("http://")
    options = Options(connections=4, timeout_s=3, connect_to=at, ca_file=str(certificate))
    log = capture(*["GET /close"] * 5)
    of_clients = Selection(sessions=True)
    run = replay_run(
        log, f"https://{NAME}", tmp_path / "out", rate_rps=10, selection=of_clients, options=options
    )
    result = run.result
    assert (result["done"], result["connections_opened"]) == (5, 5)
    assert result["sessions"]["clients"] == 1
    assert result["tls_resumed"] == 4


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_over_http2_as_well(version: str, capture: Write, tmp_path: Path, certificate: Path) -> None:
    options = {"http": "2", "connections": 2, "timeout_s": 3.0, "ca_file": str(certificate)}
    log = capture(*["GET /hello"] * 4)
    with (
        gateway(tmp_path, certificate=certificate, idle_ms=350, tls=f"ssl-max-ver {version}") as running,
        slow_handshake(running.port) as port,
    ):
        way = Options(**options, connect_to=f"127.0.0.1:{port}")  # type: ignore[arg-type] # each has its own type
        run = replay_run(log, f"https://{NAME}", tmp_path / "out", rate_rps=1.2, options=way)
    assert (run.result["done"], run.result["connections_opened"]) == (4, 4)
    assert run.result["tls"].startswith(f"{version} ")
    assert len(run.records.connect_s) == len(run.records.tls_s) == 4
    assert run.records.tls_s.min() >= HELD_S
    assert run.records.connect_s.min() < 0.05
