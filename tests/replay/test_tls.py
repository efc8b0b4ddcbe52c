"""TLS: verified against the site's own authority, and never without."""

from collections.abc import Callable
from pathlib import Path

import pytest

from inventory.errors import BadInput
from tasks.replay.run import Options, replay_run
from tests.replay.certificates import NAME
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
