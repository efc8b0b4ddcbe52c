"""TLS: verified against the site's own authority, and never without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.cli.replay_compare import replay_compare
from inventory.errors import BadInput
from tasks.replay.run import Options, replay_run
from tests.replay.certificates import NAME, self_signed
from tests.replay.conftest import Start

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
