"""The HTTP/2 engine against a real haproxy: what it measures, over TLS and without."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xxhash

from inventory.errors import BadInput
from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tasks.replay.http2_stream import Ask, Trust
from tasks.replay.run import Options, replay_run
from tasks.replay.selection import Selection
from tests.replay.certificates import NAME
from tests.replay.conftest import Start
from tests.replay.http2_gateway import HELLO, Gateway, gateway

Write = Callable[..., Path]
QUICK = Options(http="2", connections=2, timeout_s=1.0)


@pytest.fixture
def shop(tmp_path: Path, start_server: Start) -> Iterator[Gateway]:
    _, url = start_server()
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        yield running


def test_a_request_is_taken_from_its_wire_bytes() -> None:
    get = Ask.of(b"GET /a?b=1 HTTP/1.1\r\nHost: shop\r\nAccept: */*\r\n\r\n")
    assert get == Ask("GET", "/a?b=1", ("Host: shop", "Accept: */*"), b"")
    assert get.safe
    post = Ask.of(b"POST /a HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\na\r\n\r")
    assert post == Ask("POST", "/a", ("Host: shop", "Content-Type:"), b"a\r\n\r")
    assert not post.safe


def test_the_systems_authorities_are_looked_up_one_by_one() -> None:
    assert Trust.of("/own.pem") == Trust("/own.pem", "")
    assert Trust.of("") == Trust("", "/etc/ssl/certs")


def test_a_clean_run_accounts_for_every_record(shop: Gateway, capture: Write, tmp_path: Path) -> None:
    log = capture(*["GET /hello", "GET /busy", "HEAD /hello", "GET /a?b=c"] * 50)
    run = replay_run(log, shop.url, tmp_path / "out", rate_rps=400, options=QUICK)
    result = run.result
    assert result["reconciliation"] == "200 records = 200 done + 0 errors + 0 skipped + 0 unsent"
    assert (result["http"], result["connections_opened"], result["backlog_max"]) == ("2", 1, 0)
    assert result["statuses"] == {"200": 150, "503": 50}
    assert run.measured["*"].errors == 50
    assert result["connect_ms"]["max"] > 0
    assert result["tls_ms"]["max"] is None
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == result
    records = run.records
    assert records.body_hash[:4].tolist() == [
        xxhash.xxh3_64_intdigest(body) for body in (HELLO, b"busy", b"", b"body of /a?b=c")
    ]
    assert records.fresh.sum() == 1
    for earlier, later in zip(
        (records.due_s, records.fired_s, records.sent_s, records.first_byte_s),
        (records.fired_s, records.sent_s, records.first_byte_s, records.done_s),
        strict=True,
    ):
        assert (earlier <= later).all()


def test_many_requests_share_a_connection(tmp_path: Path, capture: Write, start_server: Start) -> None:
    """The server takes 0.2 s for each: 40 are on the way at once, on one connection."""
    _, url = start_server("a", "0.2")
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        log = capture(*["GET /a"] * 150)
        result = replay_run(log, running.url, tmp_path / "out", rate_rps=200, options=QUICK).result
    assert (result["done"], result["connections_opened"], result["backlog_max"]) == (150, 1, 0)
    assert result["service_ms"]["p50"] >= 200


def test_the_servers_limit_of_streams_makes_a_backlog(
    tmp_path: Path, capture: Write, start_server: Start
) -> None:
    _, url = start_server("a", "0.2")
    options = Options(http="2", connections=2, timeout_s=5.0)
    with gateway(tmp_path, backend=url.removeprefix("http://"), streams=3) as running:
        log = capture(*["GET /a"] * 40)
        result = replay_run(log, running.url, tmp_path / "out", rate_rps=100, options=options).result
    assert (result["done"], result["connections_opened"]) == (40, 2)
    assert result["backlog_max"] > 5
    assert any("at the connection cap" in reason for reason in result["reasons"])
    assert result["response_ms"]["p99"] > 800  # 40 of them, 6 at a time, 0.2 s each
    assert result["service_ms"]["p99"] < 400


def test_a_post_is_sent_with_its_body(shop: Gateway, tmp_path: Path) -> None:
    echo = {"method": "POST", "url": "http://a/echo", "body": base64.b64encode(b"item=7\n").decode()}
    log = tmp_path / "targets.json"
    log.write_text(
        "".join(json.dumps(line) + "\n" for line in (echo, {"method": "GET", "url": "http://a/a"}))
    )
    unsafe = Selection(unsafe=True)
    run = replay_run(log, shop.url, tmp_path / "out", rate_rps=20, selection=unsafe, options=QUICK)
    assert run.records.body_hash.tolist() == [
        xxhash.xxh3_64_intdigest(body) for body in (b"POST /echo HTTP/1.1\nitem=7\n", b"body of /a")
    ]


def test_the_name_of_the_url_is_verified_at_the_pinned_address(
    tmp_path: Path, capture: Write, certificate: Path
) -> None:
    log = capture(*["GET /hello", "GET /names"] * 25)
    names = (
        'http-request return status 200 content-type text/plain lf-string "%[ssl_fc_sni] %[req.hdr(host)]"'
    )
    with gateway(tmp_path, certificate=certificate, rules=f"{names} if {{ path /names }}") as running:
        at = running.url.removeprefix("http://")
        options = Options(http="2", timeout_s=2, connect_to=at, ca_file=str(certificate))
        run = replay_run(log, f"https://{NAME}", tmp_path / "out", rate_rps=200, options=options)
        result = run.result
        assert (result["done"], result["errors"], result["http"]) == (50, 0, "2")
        assert run.records.body_hash[1] == xxhash.xxh3_64_intdigest(f"{NAME} {NAME}".encode())
        assert result["tls"].startswith("TLSv1.3 TLS_")
        unknown = Options(http="2", timeout_s=2, connect_to=at)
        with pytest.raises(HostUnreachable, match=r"no TLS connection .*CERTIFICATE_VERIFY_FAILED"):
            replay_run(log, f"https://{NAME}", tmp_path / "none", rate_rps=200, options=unknown)
        other = Options(http="2", timeout_s=2, connect_to=at, ca_file=str(certificate), allow=("localhost",))
        with pytest.raises(HostUnreachable, match=r"no TLS connection .*match"):
            replay_run(log, "https://localhost", tmp_path / "none", rate_rps=200, options=other)
    assert not (tmp_path / "none").exists()


def test_a_server_of_http_1_only_is_refused_before_any_load(
    start_server: Start, capture: Write, tmp_path: Path, certificate: Path
) -> None:
    log, out = capture("GET /a"), tmp_path / "out"
    _, plain = start_server()
    with pytest.raises(ServiceFailed, match=r"does not speak HTTP/2 .*; replay it with --http 1\.1"):
        replay_run(log, plain, out, rate_rps=10, options=QUICK)
    _, tls = start_server("a", "0", str(certificate))
    options = Options(http="2", connect_to=tls.removeprefix("http://"), ca_file=str(certificate))
    with pytest.raises(ServiceFailed, match=r"does not speak HTTP/2 \(ALPN chose nothing\)"):
        replay_run(log, f"https://{NAME}", out, rate_rps=10, options=options)
    with pytest.raises(BadInput, match=r"HTTP/3 is not spoken; allowed: 1\.1 and 2"):
        replay_run(log, plain, out, rate_rps=10, options=Options(http="3"))
    assert not out.exists()


def test_sessions_are_refused(capture: Write, tmp_path: Path) -> None:
    sessions = Selection(sessions=True)
    with pytest.raises(BadInput, match=r"--sessions are replayed over HTTP/1\.1 only"):
        replay_run(
            *(capture("GET /a"), "http://127.0.0.1:1", tmp_path / "out"),
            rate_rps=10,
            selection=sessions,
            options=QUICK,
        )


def test_a_proxy_of_the_environment_is_not_asked(
    shop: Gateway, capture: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    log = capture("GET /early", "GET /chunked")
    run = replay_run(log, shop.url, tmp_path / "out", rate_rps=10, options=QUICK)
    assert run.records.status.tolist() == [200, 200]
    assert run.records.body_hash.tolist() == [
        xxhash.xxh3_64_intdigest(body) for body in (b"body of /early", b"abcdefg")
    ]


def test_source_addresses_take_turns(tmp_path: Path, capture: Write, start_server: Start) -> None:
    rules = 'http-request return status 200 content-type text/plain lf-string "%[src]" if { path /src }'
    options = Options(http="2", timeout_s=1.0, source_addresses=("127.0.0.2",))
    with gateway(tmp_path, rules=rules) as running:
        run = replay_run(capture("GET /src"), running.url, tmp_path / "out", rate_rps=10, options=options)
    assert run.records.body_hash.tolist() == [xxhash.xxh3_64_intdigest(b"127.0.0.2")]


@pytest.mark.quiet
def test_a_stopped_server_is_not_omitted(tmp_path: Path, capture: Write) -> None:
    """As for HTTP/1.1: 1,000 rps for 8 s, stopped for one of them, so p99 is 920 ms.

    And up to a tenth of a second more: a thousand streams are open when the server goes on, and the answers
    of ten connections are read in any order, at some 80 us each.
    """
    with gateway(tmp_path) as running:

        def stop_for_a_second() -> None:
            time.sleep(3)
            running.stop()
            time.sleep(1)
            running.go_on()

        stopping = threading.Thread(target=stop_for_a_second)
        stopping.start()
        options = Options(http="2", connections=64, timeout_s=10)
        run = replay_run(
            capture("GET /hello"), running.url, tmp_path / "out", rate_rps=1000, duration_s=8, options=options
        )
        stopping.join()
    assert run.result["done"] == 8000
    assert 900 < run.result["response_ms"]["p99"] < 1100
    assert run.result["service_ms"]["p50"] < 50
    assert np.diff(run.records.due_s) == pytest.approx(np.full(7999, 0.001), abs=1e-6)
