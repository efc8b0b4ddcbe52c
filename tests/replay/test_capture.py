"""Captures: what is read, what is refused, and where the message points."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.replay.capture import read_capture
from tasks.replay.formats.combined import LineParser
from tasks.replay.formats.entry import BrokenLine
from tasks.replay.routes import MAX_ROUTES, OTHER, keep_common, route_of
from tasks.replay.scrub import scrubbed

DATA = Path(__file__).parents[1] / "data" / "captures"


def line(request: str, at: str = "04/Oct/2015:13:55:36 +0200", status: int = 200) -> str:
    return f'203.0.113.5 - - [{at}] "{request}" {status} 2326 "-" "Mozilla/5.0"\n'


def test_reads_the_shops_log_plain_and_packed_alike() -> None:
    plain, packed = read_capture(DATA / "shop.log"), read_capture(DATA / "shop.log.gz")
    assert len(plain) + plain.skipped == 600
    assert plain.skipped == sum(b'"POST' in line for line in (DATA / "shop.log").read_bytes().splitlines())
    assert (plain.at_s, plain.target, plain.targets) == (packed.at_s, packed.target, packed.targets)
    routes = {t.route for t in plain.targets}
    assert routes == {"/", "/product/*", "/search", "/cart/*", "/media/*"}


def test_zones_order_escapes_and_other_methods() -> None:
    capture = read_capture(DATA / "nginx-odd.log")
    sent = [(capture.targets[i].method, capture.targets[i].path) for i in capture.target]
    assert sent == [("GET", "/search?q=%C3%B8l"), ("HEAD", "/media/a.jpg"), ("GET", "/product/7")]
    assert list(capture.at_s) == [0.0, 1.0, 2.0]
    assert list(capture.status) == [200, 304, 200]
    assert capture.skipped == 3


def test_requests_of_one_second_are_spread_over_it(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(line("GET /a HTTP/1.1") * 4 + line("GET /a HTTP/1.1", "04/Oct/2015:13:55:37 +0200"))
    assert list(read_capture(log).at_s) == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_a_broken_line_is_refused_with_its_place() -> None:
    with pytest.raises(BadInput, match=r"broken-line-12\.log:12: not an access-log line; allowed: "):
        read_capture(DATA / "broken-line-12.log")
    assert read_capture(DATA / "broken-line-12.log", max_bad=1).bad_lines == 1


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no line of the capture can be replayed; GET and HEAD are"),
        (b"\n\n", "no line of the capture"),
        (line("POST /cart HTTP/1.1").encode(), "1 lines with other methods"),
        (line("GET / HTTP/1.1", "31/Feb/2015:13:55:36 +0200").encode(), ":1: no such time"),
        (line("GET / HTTP/1.1", "04/Okt/2015:13:55:36 +0200").encode(), ":1: no month is named 'Okt'"),
        (line("GET / HTTP/1.1", "04/Oct/2015:13:55:36 +9900").encode(), ":1: no time zone is '\\+9900'"),
        (b"x" * 200_000 + b"\n", ":1: the line is longer than 65536 bytes"),
        (b"x" * 65_537 + b"\n", ":1: the line is longer than 65536 bytes"),
        (gzip.compress(line("GET / HTTP/1.1").encode() * 50)[:-12], "the gzip file is broken"),
        (gzip.compress(b"\0\1\2binary\n", mtime=0), ":1: not an access-log line"),
    ],
)
def test_bad_captures(tmp_path: Path, content: bytes, what: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(content)
    with pytest.raises(BadInput, match=what):
        read_capture(log)


def test_the_lines_after_a_long_one_keep_their_numbers(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 300_000 + b"\n" + line("GET / HTTP/1.1").encode() + b"broken\n")
    with pytest.raises(BadInput, match=r"a\.log:3: .*; 1 broken lines are allowed by --max-bad"):
        read_capture(log, max_bad=1)


def test_a_missing_capture_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_capture(tmp_path / "none.log")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_line_or_a_broken_one(raw: bytes) -> None:
    try:
        parsed = LineParser().parse(raw)
    except BrokenLine:
        return
    assert parsed.target is None or parsed.target.startswith("/")


@given(st.binary(min_size=1, max_size=80), st.sampled_from(["GET", "HEAD"]))
def test_no_byte_of_a_log_ends_a_request_line(path: bytes, method: str) -> None:
    escaped = "".join(f"\\x{byte:02X}" for byte in path)
    raw = line(f"{method} /{escaped} HTTP/1.1").strip().encode()
    parsed = LineParser().parse(raw)
    assert parsed.target is None or (
        parsed.target.isascii() and parsed.target.isprintable() and " " not in parsed.target
    )


@given(st.integers(0, 4_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_a_time_is_the_same_in_every_zone(at_s: int, minutes: int) -> None:
    from datetime import UTC, datetime, timedelta, timezone

    zone = timezone(timedelta(minutes=minutes))
    shown = datetime.fromtimestamp(at_s, UTC).astimezone(zone).strftime("%d/%b/%Y:%H:%M:%S %z")
    assert LineParser().parse(line("GET / HTTP/1.1", shown).strip().encode()).at_s == at_s


@pytest.mark.parametrize(
    ("target", "route"),
    [("/", "/"), ("/?a=1", "/"), ("/search?q=a/b", "/search"), ("/product/7", "/product/*"), ("/a/", "/a/*")],
)
def test_routes(target: str, route: str) -> None:
    assert route_of(target) == route


def test_only_the_common_routes_are_kept() -> None:
    routes = [f"/{n}" for n in range(MAX_ROUTES + 10)]
    kept = keep_common(routes, list(range(len(routes))))
    assert kept[:10] == [OTHER] * 10
    assert kept[10:] == routes[10:]


def test_secrets_are_taken_out_of_queries() -> None:
    assert scrubbed("/m/a?X-Amz-Signature=abc&w=2&Token=x") == "/m/a?w=2"
    assert scrubbed("/m/a?sig=abc") == "/m/a"
    assert scrubbed("/search?q=token") == "/search?q=token"


def test_a_jump_of_the_clock_is_told_and_an_unsorted_log_is_not_one(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    at = ("04/Oct/2015:13:55:37 +0200", "04/Oct/2015:13:55:36 +0200", "04/Oct/2015:13:55:38 +0200")
    log.write_text("".join(line("GET /a HTTP/1.1", each) for each in at))
    assert read_capture(log).longest_gap_s == 1.0
    log.write_text(log.read_text() + line("GET /a HTTP/1.1", "04/Oct/2016:13:55:38 +0200"))
    assert read_capture(log).longest_gap_s == 366 * 86400
