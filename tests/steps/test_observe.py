"""What is seen of a node is kept line by line, what cannot be seen is said, and a broken line is named."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from inventory.errors import BadInput
from inventory.load import load_site
from inventory.models.observation import Egress, Resolved
from inventory.models.processing import Processing, Processor
from tasks.drivers.errors import CommandFailed, HostUnreachable
from tasks.facts import resolved
from tasks.steps.observe import OBSERVATIONS, _append, inside, look, observe, read_observations
from tests.inventory.sites import whole
from tests.survey.clock import StandingClock

ROW = "ipv4 2 tcp 6 9 ESTABLISHED src=10.244.1.2 dst=8.8.8.8 sport=1 dport=443 src=8.8.8.8 dst=10.60.0.11"


class Node:
    name = "oslo-1"

    def __init__(self, table: str = f"seen proc\n{ROW}\n", *, echoes: bool = True) -> None:
        self._table, self._echoes = table, echoes

    def check(self, command: object, **_: object) -> str:
        if not self._table:
            raise HostUnreachable("oslo-1", "refused")
        return self._table

    def echo_s(self, nonces: Sequence[bytes]) -> list[float]:
        assert len(set(nonces)) == len(nonces) > 10, "each is a fresh one"
        if not self._echoes:
            raise CommandFailed("oslo-1", "something else than the nonce came back")
        return [0.004, 0.0021, 0.9]


def seen(folder: Path, node: Any, vantage: str = "nix1") -> Any:
    return look(load_site(whole(folder)), node, vantage, StandingClock())


def test_egress_and_the_least_echo(tmp_path: Path) -> None:
    found = seen(tmp_path, Node())
    assert found.egress == (Egress(protocol="tcp", address="8.8.8.8", port=443),)
    assert (found.round_trip_ms, found.vantage, found.unseen) == (2.1, "nix1", "")
    assert seen(tmp_path, Node(), "").round_trip_ms is None


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (Node(""), "refused"),
        (Node("seen proc\njunk\n"), "without an original tuple"),
        (Node("unseen no table\n"), "no table"),
        (Node(echoes=False), "else than the nonce came back"),
    ],
)
def test_what_cannot_be_seen_is_said(node: Node, why: str, tmp_path: Path) -> None:
    found = seen(tmp_path, node)
    assert found.egress is None
    assert why in found.unseen


def test_declared_names_are_resolved_on_the_node(tmp_path: Path) -> None:
    class Resolving(Node):
        def check(self, command: object, **_: object) -> str:
            if "getent" not in str(command):
                return super().check(command)
            assert str(command).endswith(" sh api.nordpost.example gone.nordpost.example")
            return "api.nordpost.example\t192.0.2.7 2001:db8::7 \ngone.nordpost.example\t\n"

    names = ("gone.nordpost.example", "api.nordpost.example", "*.eu.nordpost.example")
    company = Processor(name="Nordpost AS", country="NO", purpose="parcels", hosts=names)
    site = load_site(whole(tmp_path)).model_copy(update={"processing": Processing(processors=(company,))})
    found = look(site, Resolving(), "", StandingClock())  # type: ignore[arg-type] # as far as it is asked
    assert found.resolved == (
        Resolved(name="api.nordpost.example", addresses=("192.0.2.7", "2001:db8::7")),
        Resolved(name="gone.nordpost.example", addresses=()),
    )


def test_the_question_for_names_runs_on_a_real_shell() -> None:
    argv = ["sh", "-c", resolved.command(["localhost", "nothing.invalid"]).render()]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    found = resolved.parse(ran.stdout)
    assert {"127.0.0.1", "::1"} & set(found["localhost"])
    assert found["nothing.invalid"] == ()
    with pytest.raises(ValueError, match=r".+"):
        resolved.parse("x\tnowhere\n")


def test_lines_are_kept_and_read_again_and_a_broken_one_is_named(tmp_path: Path) -> None:
    rows = [seen(tmp_path, Node()), seen(tmp_path, Node("unseen x\n"))]
    file = tmp_path / "state" / OBSERVATIONS
    assert read_observations(tmp_path / "state") == ()
    _append(file, rows)
    _append(file, rows[:1])
    assert len(read_observations(tmp_path / "state")) == 3
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open("a") as out:
        out.write("{}\n")
    with pytest.raises(BadInput, match=r"observations.jsonl:4: is no observation"):
        read_observations(tmp_path / "state")


def test_a_vantage_that_is_not_declared_is_refused_before_a_host_is_asked(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--vantage oslo: there is no such vantage"):
        observe(load_site(whole(tmp_path)), "oslo")


def test_inside_is_the_cluster_the_underlay_and_the_nodes(tmp_path: Path) -> None:
    assert inside(load_site(whole(tmp_path)))[:4] == (
        "10.244.0.0/16",
        "10.96.0.0/16",
        "10.60.0.0/24",
        "10.60.0.11/32",
    )
