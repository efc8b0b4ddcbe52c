"""From where, to where and with how much: source addresses, IPv6, --connect-to, names, the limit of files."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xxhash

from inventory.errors import BadInput
from tasks.drivers.errors import HostUnreachable
from tasks.replay.run import Options, replay_run
from tasks.replay.sources import bound_socket
from tests.replay.changing_name import NAME, REQUESTS
from tests.replay.rude import RudeServer

Write = Callable[..., Path]


@pytest.fixture
def loopback6() -> Iterator[RudeServer]:
    with RudeServer("::1") as server:
        yield server
        server.shutdown()


def test_source_addresses_take_turns(capture: Write, tmp_path: Path) -> None:
    sources = ("127.0.0.7", "127.0.0.8", "127.0.0.9")
    options = Options(connections=6, timeout_s=2, source_addresses=sources)
    with RudeServer() as server:
        url = f"http://127.0.0.1:{server.port}"
        # All at once: each is on a connection of its own.
        run = replay_run(
            capture(*["GET /where-from"] * 6), url, tmp_path / "out", rate_rps=1e6, options=options
        )
        server.shutdown()
    told = run.records.body_hash.tolist()
    assert run.result["connections_opened"] == 6
    assert sorted(told) == sorted(2 * [xxhash.xxh3_64_intdigest(each.encode()) for each in sources])
    assert run.result["source_addresses"] == list(sources)


def test_a_source_gets_its_port_when_it_connects() -> None:
    """A port that is taken at the bind is taken for all targets."""
    for address in ("127.0.0.7", "::1"):
        with bound_socket(address) as made:
            assert made.getsockname()[:2] == (address, 0)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        (
            "192.0.2.10",
            r"192\.0\.2\.10: .*Cannot assign requested address; allowed: an address of this machine",
        ),
        ("::1", r"::1 cannot reach 127\.0\.0\.1: one is IPv4 and the other IPv6"),
        ("eth0", "'eth0' does not appear to be an IPv4 or IPv6 address; allowed: "),
    ],
)
def test_source_addresses_that_cannot_be(capture: Write, tmp_path: Path, address: str, what: str) -> None:
    options = Options(source_addresses=(address,))
    with pytest.raises(BadInput, match=what):
        replay_run(capture("GET /"), "http://127.0.0.1:1", tmp_path / "o", rate_rps=1, options=options)


def test_ipv6(loopback6: RudeServer, capture: Write, tmp_path: Path) -> None:
    options = Options(connections=4, timeout_s=2, source_addresses=("::1",))
    url = f"http://[::1]:{loopback6.port}"
    run = replay_run(capture("GET /where-from"), url, tmp_path / "out", rate_rps=10, options=options)
    assert run.records.body_hash[0] == xxhash.xxh3_64_intdigest(b"::1")
    assert run.result["address"] == f"[::1]:{loopback6.port}"


def test_connect_to_keeps_the_urls_name(loopback6: RudeServer, capture: Write, tmp_path: Path) -> None:
    options = Options(connections=4, timeout_s=2, connect_to=f"[::1]:{loopback6.port}")
    log = capture("GET /well")
    result = replay_run(log, "http://shop.invalid", tmp_path / "o", rate_rps=10, options=options).result
    assert (result["done"], result["target"]) == (1, "http://shop.invalid")
    for wrong in ("[::1]", "::1:port", ":80"):
        with pytest.raises(BadInput, match="is not ADDRESS:PORT"):
            replay_run(log, "http://shop.invalid", tmp_path / "o", options=Options(connect_to=wrong))


@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace with a name server of its own wants root")
def test_a_name_that_changes_is_asked_once(tmp_path: Path) -> None:
    """By the system's resolver and a real name server, of which each answer is another one."""
    program = [sys.executable, "-m", "tests.replay.changing_name", str(tmp_path)]
    said = subprocess.run(
        ["unshare", "--net", "--mount", *program], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout.splitlines()[-1])
    assert told["during"] == [NAME]
    assert told["afterwards"] == "127.0.0.2"  # it had changed
    assert told["address"] == f"127.0.0.1:{told['port']}"
    assert (told["done"], told["connections_opened"]) == (REQUESTS, REQUESTS)


def test_a_name_without_an_address(capture: Write, tmp_path: Path) -> None:
    with pytest.raises(HostUnreachable, match=r"nobody\.invalid: the name has no address"):
        replay_run(capture("GET /"), "http://nobody.invalid", tmp_path / "o", rate_rps=1)


def test_the_limit_of_open_files_is_told_before_the_run(capture: Write, tmp_path: Path) -> None:
    """In a process of its own: a hard limit never rises again."""
    arguments = ["replay", "run", "--capture", str(capture("GET /")), "--target", "http://127.0.0.1:1"]
    arguments += ["--rate", "1", "--connections", "500", "--out", str(tmp_path / "out")]
    said = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert (
        "500 connections need 564 open files and 300 are allowed; lower --connections to 236" in said.stderr
    )
    assert "LimitNOFILE=" in said.stderr
    assert not (tmp_path / "out").exists()


def test_the_soft_limit_is_raised() -> None:
    program = (
        "import resource\nfrom tasks.replay.descriptors import allow_descriptors\n"
        "allow_descriptors(200)\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "(264, 300)"
