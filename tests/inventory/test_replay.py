"""The `replay` section of a site file: what it declares, and what does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.load import load_site
from inventory.models.replay import COMPARED_HEADERS, Replay
from tests.inventory.sites import WHOLE, changed, folder_with, refusal

LINE = 54  # of `replay:` in the whole site


def with_replay(folder: Path, keys: str) -> Path:
    return changed(folder, "  capture: plain\n", f"  capture: plain\n{keys}\n")


def test_what_is_not_declared_is_as_before() -> None:
    plain = Replay(capture=Path("c"))
    assert (plain.timing.kind, plain.rate_rps, plain.http, plain.max_bad) == ("rate", 500.0, "1.1", 0)
    assert (plain.sessions, plain.select.unsafe, plain.source_addresses) == (False, False, ())
    assert plain.answers.headers == COMPARED_HEADERS


def test_all_of_it_loads(tmp_path: Path) -> None:
    keys = """\
  max_bad: 3
  timing: {kind: original, speed: 2.0}
  select: {hosts: [a.example], only: [^/p], without: [/old], rewrites: ["^/a=>/b"], unsafe: true}
  sessions: true
  source_addresses: [10.60.0.1, 10.60.0.2]
  source: {connect_to: "[2001:db8::1]:8080"}
  target: {connect_to: "edge.example:8443"}
  answers: {headers: [etag]}"""
    replay = load_site(with_replay(tmp_path, keys)).replay
    assert (replay.timing.kind, replay.timing.speed, replay.max_bad) == ("original", 2.0, 3)
    assert replay.select.rewrites == ("^/a=>/b",)
    assert (replay.source.connect_host, replay.target.connect_host) == ("2001:db8::1", "edge.example")
    assert replay.answers.headers == ("etag",)


@pytest.mark.parametrize(
    ("keys", "line", "what"),
    [
        ("  timing: {kind: ramp, from_rps: 5}", 2, "replay.timing: a ramp wants from_rps and to_rps"),
        (
            "  timing: {kind: poisson, to_rps: 5}",
            2,
            "replay.timing: from_rps and to_rps belong to kind ramp, not poisson",
        ),
        ("  timing: {speed: 2}", 2, "replay.timing: speed belongs to kind original, not rate"),
        ("  timing: {kind: fast}", 2, "replay.timing.kind: \"fast\" is not known; allowed: 'rate'"),
        ("  rate_rps: 5\n  timing: {kind: original}", 0, "rate_rps belongs to timing.kind rate and poisson"),
        ("  seed: -1\n  timing: {kind: poisson}", 0, "seed -1: for timing.kind poisson it is 0 or more"),
        ("  sessions: true\n  http: '2'", 0, "replay: sessions are replayed over http 1.1 only"),
        ("  http: '3'", 2, "replay.http: \"3\" is not known; allowed: '1.1' or '2'"),
        ("  max_bad: -1", 2, "replay.max_bad: -1 is too small: the least is 0"),
        ("  source_addresses: [here]", 0, "source_addresses: 'here' is not an IP address"),
        ("  source_addresses: [10.0.0.1, '::1']", 0, "all are IPv4 or all IPv6"),
        ("  select: {only: ['(']}", 2, "replay.select: only: '(' is not a regular expression"),
        ("  select: {rewrites: ['a']}", 2, "replay.select: rewrites: 'a' is not REGEX=>REPLACEMENT"),
        ("  select: {rewrites: ['[=>a']}", 2, "rewrites: '[' is not a regular expression"),
        ("  target: {connect_to: '10.0.0.1'}", 2, "connect_to '10.0.0.1' is not ADDRESS:PORT"),
        ("  target: {connect_to: '10.0.0.1:70000'}", 2, "is not ADDRESS:PORT"),
        (
            "  target: {ca_file: plain}",
            2,
            "replay.target.ca_file: target.edge.url is http://10.60.0.11: without TLS there is nothing",
        ),
        ("  source: {ca_file: absent.pem}", 2, "replay.source.ca_file: there is no file absent.pem"),
    ],
)
def test_what_does_not_go_together_is_told_with_its_line(
    keys: str, line: int, what: str, tmp_path: Path
) -> None:
    message = refusal(with_replay(tmp_path, keys))
    assert what in message
    assert f"site.yaml:{LINE + line}:" in message


def test_a_ca_file_of_an_edge_with_tls_is_taken(tmp_path: Path) -> None:
    text = WHOLE.read_text().replace('url: "http://10.60.0.11"', 'url: "https://10.60.0.11"')
    text = text.replace("  capture: plain\n", "  capture: plain\n  target: {ca_file: plain}\n")
    assert load_site(folder_with(tmp_path, text)).replay.target.ca_file == tmp_path / "plain"
