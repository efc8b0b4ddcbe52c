"""Facts that the residency controls ask for: a recorded table, and lines in the forms of the manuals."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tasks.facts import asset, egress, log_sinks, logins

DATA = Path(__file__).parents[1] / "data" / "facts"
INSIDE = ("10.244.0.0/16", "10.96.0.0/16", "10.63.0.0/24")


def test_a_nodes_own_table_has_nothing_that_leaves() -> None:
    found = egress.parse((DATA / "egress.nspawn.txt").read_text())
    assert len(found.flows) > 10
    assert {each.protocol for each in found.flows} >= {"tcp"}
    assert egress.leaving(found.flows, INSIDE) == ()
    # With the underlay taken for the world, what nodes open to each other has left.
    assert egress.leaving(found.flows, INSIDE[:2]) == ()
    assert egress.leaving(found.flows, INSIDE[2:])


@pytest.mark.parametrize(
    ("row", "left"),
    [
        (
            "ipv4 2 tcp 6 9 ESTABLISHED src=10.244.1.2 dst=8.8.8.8 sport=1 dport=443 src=8.8.8.8 dst=1.1.1.1",
            True,
        ),
        ("ipv4 2 udp 17 9 src=10.63.0.11 dst=8.8.8.8 sport=1 dport=53 src=8.8.8.8 dst=10.63.0.11", True),
        ("ipv4 2 icmp 1 9 src=10.63.0.11 dst=8.8.8.8 type=8 code=0 id=1 src=8.8.8.8 dst=10.63.0.11", True),
        (
            "ipv4 2 tcp 6 9 SYN_SENT src=8.8.8.8 dst=10.63.0.11 sport=1 dport=80 src=10.63.0.11 dst=8.8.8.8",
            False,
        ),
        (
            "ipv4 2 tcp 6 9 CLOSE src=10.244.1.2 dst=169.254.1.1 sport=1 dport=80 src=1.1.1.1 dst=1.1.1.1",
            False,
        ),
        ("ipv6 10 tcp 6 9 CLOSE src=::1 dst=::1 sport=1 dport=80 src=::1 dst=::1 sport=80 dport=1", False),
    ],
)
def test_who_opened_it_and_to_where_decides(row: str, left: bool) -> None:
    flows = egress.parse(f"seen proc\n{row}\n").flows
    assert bool(egress.leaving(flows, INSIDE)) == left


def test_a_servers_answer_that_was_seen_first_is_not_a_connection_that_it_opened() -> None:
    row = (
        "ipv4 2 tcp 6 99 ESTABLISHED src=10.63.0.11 dst=198.18.0.1 sport=22 dport=42050 src=198.18.0.1 "
        "dst=10.63.0.11 sport=42050 dport=22"
    )
    assert egress.leaving(egress.parse(f"seen proc\n{row}\nlistens 443\n").flows, INSIDE)
    assert not egress.leaving(egress.parse(f"seen proc\n{row}\nlistens 443\nlistens 22\n").flows, INSIDE)


def test_the_question_names_the_ports_that_the_host_listens_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        argv = ["sh", "-c", egress.command().render()]
        said = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout
        egress.parse(said)
        assert said.startswith("unseen") or f"\nlistens {server.getsockname()[1]}\n" in said


def test_a_host_without_a_table_says_so_and_junk_is_refused() -> None:
    assert egress.parse("unseen no table\n") == egress.Flows((), "no table")
    for text in ("", "what\n", "seen proc\nipv4 2 tcp\n", "seen proc\nipv4 2 tcp src=x dst=y\n"):
        with pytest.raises(ValueError, match=r".+"):
            egress.parse(text)


@pytest.mark.parametrize(
    ("directive", "host"),
    [
        ("*.* @logs.example", "logs.example"),
        ("*.* @@(o)logs.example:514", "logs.example"),
        ('action(type="omfwd" target="10.60.0.12" port="514")', "10.60.0.12"),
        ("URL=https://logs.example:19532", "logs.example"),
        ('destination d { network("logs.example" port(514)); };', "logs.example"),
    ],
)
def test_forms_of_forwarding(directive: str, host: str) -> None:
    found = log_sinks.parse(f"line /etc/x.conf {directive}\nunit rsyslog.service\n")
    assert found.forwards == (host,)


def test_what_forwards_nothing() -> None:
    text = "line /etc/rsyslog.conf mail.*  -/var/log/mail.log\nline /etc/rsyslog.conf *.emerg :omusrmsg:*\n"
    found = log_sinks.parse(text + "unit vector.service\nunit cron.service\n")
    assert found == log_sinks.LogSinks((), ("vector",))
    with pytest.raises(ValueError, match="no running service"):
        log_sinks.parse(text)


def test_logins_are_those_from_afar() -> None:
    text = """seen
kari     pts/0        10.60.0.1        Mon Nov 23 11:00   still logged in
root     tty1         0.0.0.0          Mon Nov 23 10:00 - 10:10  (00:10)
reboot   system boot  0.0.0.0          Mon Nov 23 09:00   still running
ola      pts/1        2001:db8::7      Mon Nov 23 11:00 - 11:05  (00:05)

wtmp begins Mon Nov 23 09:00:00 2026
"""
    assert logins.parse(text) == logins.Logins(("10.60.0.1", "2001:db8::7"))
    assert logins.parse("unseen\n") == logins.Logins(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tag Default string\ntag OSL-7\n", asset.Asset("OSL-7")),
        ("tag \ntag To Be Filled By O.E.M.\n", asset.Asset("")),
        ("", asset.Asset("")),
    ],
)
def test_an_asset_tag_is_not_its_makers_filler(text: str, expected: asset.Asset) -> None:
    assert asset.parse(text) == expected
