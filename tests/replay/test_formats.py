"""Every capture format: what its entries say, by which content it is known, and what of it is broken."""

import base64
import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.replay.capture import read_capture
from tasks.replay.formats import alb, goreplay, json_log, k6, vegeta
from tasks.replay.formats.catalog import FORMATS, named, recognised
from tasks.replay.formats.entry import BrokenLine, Entry
from tasks.replay.selection import Selection

DATA = Path(__file__).parents[1] / "data" / "captures"
FILES = {
    "shop.log": "combined",
    "nginx.json": "json",
    "apache.json": "json",
    "traefik.json": "json",
    "caddy.json": "json",
    "alb.log": "alb",
    "shop.har": "har",
    "k6.json": "k6",
    "vegeta.txt": "vegeta",
    "vegeta.json": "vegeta-json",
    "shop.gor": "goreplay",
}
UNSAFE = Selection(unsafe=True)


def sent(name: str, selection: Selection | None = None) -> list[tuple[str, str, float, int]]:
    capture = read_capture(DATA / name, selection=selection)
    return [
        (capture.targets[t].method, capture.targets[t].path, round(at, 6), status)
        for t, at, status in zip(capture.target, capture.at_s, capture.status, strict=True)
    ]


@pytest.mark.parametrize(("file", "name"), FILES.items())
def test_the_content_tells_the_format_plain_and_packed(file: str, name: str, tmp_path: Path) -> None:
    content = (DATA / file).read_bytes()
    assert recognised(content).name == name
    plain = read_capture(DATA / file)
    assert plain.form == name
    for pack in (gzip.compress, zstd.compress):
        packed = tmp_path / "capture"
        packed.write_bytes(pack(content))
        again = read_capture(packed)
        assert (again.form, again.at_s, again.targets) == (plain.form, plain.at_s, plain.targets)


def test_every_format_is_tried_here() -> None:
    assert set(FILES.values()) == {form.name for form in FORMATS}


def test_arrival_in_an_alb_log_is_the_creation_of_the_request() -> None:
    assert sent("alb.log") == [
        ("GET", "/cart/7?w=2", 0.0, 200),
        ("GET", "/", 1.25, 200),
        ("GET", "/late", 2.25, 0),
    ]


def test_arrival_in_nginxs_json_is_the_end_less_the_time_taken() -> None:
    assert sent("nginx.json", UNSAFE) == [
        ("GET", "/search?q=%C3%B8l", 0.0, 404),
        ("GET", "/product/7", 0.5, 200),
        ("POST", "/cart", 1.0, 200),
    ]


def test_apaches_json_has_its_time_in_brackets_and_path_and_query_apart() -> None:
    """A request that never was HTTP has `-` for it, and is not replayed."""
    assert sent("apache.json") == [("GET", "/search?q=lamp", 0.0, 200), ("GET", "/product/7", 2.0, 304)]
    lines = (DATA / "apache.json").read_bytes().splitlines()
    first, never = json_log.parse(lines[0]), json_log.parse(lines[3])
    assert (first.at_s, first.host, first.client) == (1791100800.0, "shop.example", "198.51.100.7")
    assert never.target is None


@pytest.mark.parametrize(
    "line",
    [
        {
            "time": "[04/Oct/2026:10:00:00 +0200]",
            "remoteIP": "198.51.100.7",
            "request": "GET /a?b=c HTTP/1.1",
        },
        {
            "time": "04/Oct/2026:10:00:00 +0200",
            "clientip": "198.51.100.7",
            "verb": "GET",
            "request": "/a?b=c",
        },
        {"Time": 1791100800, "RemoteIP": "198.51.100.7", "Method": "GET", "Request": "/a", "Query": "?b=c"},
        {
            "@timestamp": "2026-10-04T10:00:00+0200",
            "remote_addr": "198.51.100.7",
            "method": "GET",
            "url": "/a?b=c",
        },
        {
            "time": 1791100800000,
            "client": "198.51.100.7",
            "request_method": "GET",
            "uri": "/a",
            "args": "b=c",
        },
        {"timestamp": 1791100800000000, "remote_host": "198.51.100.7", "request_line": "GET /a?b=c HTTP/2.0"},
    ],
)
def test_apaches_names_are_its_administrators(line: dict[str, object]) -> None:
    entry = json_log.parse(json.dumps(line).encode())
    assert (entry.at_s, entry.client, entry.method, entry.target) == (
        *(1791100800.0, "198.51.100.7", "GET", "/a?b=c"),
    )


def test_a_path_that_apache_has_decoded_is_encoded_again() -> None:
    line = {"time": 1791100800, "method": "GET", "request": "/a lamp", "query": "", "status": "200"}
    assert json_log.parse(json.dumps(line).encode()).target == "/a%20lamp"


def test_arrival_in_traefiks_json_is_the_start() -> None:
    assert sent("traefik.json") == [("GET", "/old", 0.0, 404), ("GET", "/product/7?w=2", 0.25, 200)]
    entry = json_log.parse((DATA / "traefik.json").read_bytes().splitlines()[0])
    assert (entry.host, entry.client) == ("shop.example", "198.51.100.7")
    assert entry.headers == (("Cookie", "session=4f1"),)
    line = {"StartUTC": "2026-10-04T08:00:00Z", "ClientAddr": "[2001:db8::1]:5", "RequestMethod": "GET"}
    six = json_log.parse(json.dumps(line | {"RequestPath": "/"}).encode())
    assert six.client == "2001:db8::1"


def test_arrival_in_caddys_json_is_the_end_less_the_time_taken() -> None:
    """What Caddy hides it writes as REDACTED; that is no cookie."""
    assert sent("caddy.json") == [("GET", "/search?q=lamp", 0.0, 200), ("GET", "/", 0.499, 502)]
    entry = json_log.parse((DATA / "caddy.json").read_bytes().splitlines()[0])
    assert (entry.at_s, entry.host, entry.client) == (1791100800.25, "shop.example", "198.51.100.7")
    assert dict(entry.headers).keys() == {"User-Agent", "Accept", "Accept-Language"}


def test_k6_counts_each_request_once_and_from_its_beginning() -> None:
    assert sent("k6.json") == [("GET", "/news?page=2", 0.0, 200), ("GET", "/", 0.007158, 302)]


def test_har_has_bodies_and_other_hosts() -> None:
    shop = Selection(hosts=("shop.example",), unsafe=True)
    assert sent("shop.har", shop) == [("GET", "/product/7?w=2", 0.0, 200), ("POST", "/cart", 1.25, 201)]
    assert ("GET", "/pixel", 0.05, 200) in sent("shop.har")
    post = next(t for t in read_capture(DATA / "shop.har", selection=shop).targets if t.method == "POST")
    assert post.headers == (("content-type", "application/json"),)
    assert json.loads(post.body) == {"item": 7, "password": "scrubbed"}


def test_vegetas_targets_have_no_times_and_no_files_of_this_machine() -> None:
    assert [line[:2] for line in sent("vegeta.txt", UNSAFE)] == [("GET", "/"), ("GET", "/product/7?w=2")]
    capture = read_capture(DATA / "vegeta.json", selection=UNSAFE)
    assert not capture.timed
    assert [(t.method, t.path, t.body) for t in capture.targets] == [
        ("GET", "/product/7", b""),
        ("POST", "/cart", b'{"item": 7}'),
    ]


def test_goreplay_gives_requests_with_bodies_in_order_of_time() -> None:
    capture = read_capture(DATA / "shop.gor", selection=UNSAFE)
    assert [(capture.targets[t].method, capture.targets[t].body) for t in capture.target] == [
        ("POST", b"item=7\npassword=hunter2"),
        ("GET", b""),
    ]
    assert capture.at_s[1] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("name", "line", "what"),
    [
        ("alb", b"http 2018-07-02T22:23:00Z app/x 1.2.3.4:5 -", "at least 22 fields, this line 5"),
        ("alb", b"tls 2.0 2018-12-20T02:59:40 net/x", "not a line of an ALB log"),
        ("json", b"[1]", "not a JSON object"),
        ("json", b'{"a": ', "not JSON"),
        ("json", b'{"status": 200}', "no time in it; known names: msec"),
        ("json", b'{"msec": "1.0"}', "no request in it"),
        ("json", b'{"time": "2026-02-01T10:00:00", "request": "GET / HTTP/1.1"}', "has no time zone"),
        (
            "json",
            b'{"ts": 9, "request": {"uri": "/"}, "duration": "8ms"}',
            "'8ms' is not a number of seconds",
        ),
        ("json", b'{"ts": 9, "method": "GET"}', "no request in it"),
        ("json", b'{"time": "[32/Oct/2026:10:00:00 +0200]", "method": "GET", "url": "/"}', "no such time"),
        ("json", b'{"ts": -5, "request": "GET / HTTP/1.1"}', "not a time since 1970"),
        ("json", b'{"ts": 1e30, "request": "GET / HTTP/1.1"}', "not a time before 2100"),
        ("json", b'{"ts": 1, "request": "GET / HTTP/1.1", "status": "ok"}', "'ok' is not a status"),
        ("k6", b'{"type": "Point", "metric": "http_req_duration", "data": {}}', "without its time"),
        ("vegeta-json", b'{"method": "GET"}', "has a method, a url"),
        ("vegeta-json", b'{"method": "GET", "url": "http://a/", "body": "*"}', "not base64"),
        ("vegeta", b"what is this", "neither METHOD URL"),
        ("goreplay", b"GET / HTTP/1.1", "begins with KIND ID NANOSECONDS"),
        ("har", b'{"log": {}}', "not a HAR file"),
        ("har", b'{"log": {"entries": [{}]}}', "entry 1: an entry without"),
    ],
)
def test_what_is_broken_is_told_with_its_place(name: str, line: bytes, what: str, tmp_path: Path) -> None:
    broken = tmp_path / "capture"
    broken.write_bytes(line + b"\n")
    with pytest.raises(BadInput, match=f"capture:1: .*{what}"):
        read_capture(broken, form=name)


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(
        BadInput, match="no capture format is named 'pcap'; known: har, k6, vegeta-json, json"
    ):
        named("pcap")


def test_a_truncated_zstd_file_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "capture.zst"
    cut.write_bytes(zstd.compress((DATA / "shop.log").read_bytes())[:-20])
    with pytest.raises(BadInput, match="the zstd file is broken"):
        read_capture(cut)


@given(st.binary(max_size=400), st.sampled_from(FORMATS))
def test_any_bytes_are_entries_or_broken_lines(content: bytes, form) -> None:  # type: ignore[no-untyped-def]
    for number, entry in form.entries(io.BytesIO(content)):
        assert number >= 1
        assert isinstance(entry, Entry | BrokenLine)


TARGETS = st.from_regex(r"/[a-z0-9/._~-]{0,20}(\?[a-z0-9=&]{1,20})?", fullmatch=True)
TIMES = st.integers(0, 4_000_000_000_000)  # milliseconds


@given(TIMES, TARGETS, st.integers(100, 599))
def test_a_request_comes_back_from_every_format_with_times(at_ms: int, target: str, status: int) -> None:
    at_s, shown = at_ms / 1000, datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
    url = f"http://shop.example{target}"
    point = {"time": shown, "value": 0, "tags": {"method": "GET", "url": url, "status": str(status)}}
    sent = f'http {shown} app/x 1.2.3.4:5 - 0 0 0 {status} - 0 0 "GET {url} HTTP/1.1"'
    fields = f'{sent} "-" - - - "-" "-" "-" 0 {shown}'
    found = [
        json_log.parse(
            json.dumps({"time": shown, "method": "GET", "uri": target, "status": status}).encode()
        ),
        k6.parse(json.dumps({"type": "Point", "metric": "http_req_duration", "data": point}).encode()),
        alb.parse(fields.encode()),
    ]
    for entry in found:
        assert entry is not None
        assert entry.at_s == pytest.approx(at_s, abs=2e-6)
        assert (entry.method, entry.target, entry.status) == ("GET", target, status)


@given(TIMES, TARGETS, st.binary(max_size=100))
def test_a_body_comes_back_byte_for_byte(at_ms: int, target: str, body: bytes) -> None:
    block = (
        f"1 ab12 {at_ms * 1_000_000 + 10**15} 0\nPOST {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() + body
    )
    target_line = {"method": "POST", "url": f"http://a{target}", "body": base64.b64encode(body).decode()}
    found = (goreplay.parse(block), vegeta.parse_json(json.dumps(target_line).encode()))
    assert [(entry.target, entry.body) for entry in found if entry] == [(target, body)] * 2


@given(st.lists(st.integers(0, 3_600_000), min_size=1, max_size=60))
def test_lines_in_any_order_become_the_same_capture(tmp_path_factory, times_ms: list[int]) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("order")
    lines = [
        json.dumps({"ts": 1.5e9 + ms / 1000 + 0.0005, "method": "GET", "uri": f"/{ms}"}) for ms in times_ms
    ]
    (folder / "a").write_text("\n".join(lines))
    (folder / "b").write_text("\n".join(sorted(lines)))
    a, b = read_capture(folder / "a"), read_capture(folder / "b")
    assert a.at_s == b.at_s == type(a.at_s)("d", sorted(a.at_s))
    assert [a.targets[t].path for t in a.target] == [b.targets[t].path for t in b.target]
