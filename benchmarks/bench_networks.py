"""Each pod network that runs on this machine against a plain route from node to node, in turns of one run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.network_bed import PORT, Bed, bgp, standing
from benchmarks.table import Row, show
from inventory.models.cluster import Network
from rehearsal import parts
from tasks.facts import modules

ROUNDS = 3
SECONDS = 2.0
CONNECTIONS = 32
BULK_BYTES = 1 << 29
PLAIN = "plain route"
NETWORKS: dict[str, Network | None] = {
    PLAIN: None,
    "flannel_vxlan": Network(),
    "flannel_vxlan, direct_routing": Network(direct_routing=True),
    "flannel_host_gw": Network(kind="flannel_host_gw"),
    "bgp": bgp(),
}
FIGURES = {"bulk": "Mbit/s", "keep-alive requests": "1/s", "p50 of one connection": "us"}


class Quiet:
    """Progress that nobody watches."""

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """Nothing is shown: the parts are mostly there."""


def main() -> int:
    """Measure in turns, print, keep."""
    if os.geteuid() != 0:
        sys.stderr.write("network namespaces need root\n")
        return 3
    programs = parts.build(Quiet())
    networks = dict(NETWORKS)
    if _wireguard():
        networks["flannel_wireguard"] = Network(kind="flannel_wireguard")
    else:
        sys.stderr.write("flannel_wireguard is not measured: this kernel has no WireGuard\n")
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in networks}
    with tempfile.TemporaryDirectory() as name:
        for number in range(ROUNDS):
            # The order turns round each time, so that a drift of the machine falls on all.
            for kind in networks if number % 2 == 0 else reversed(networks):
                sys.stderr.write(f"round {number + 1} of {ROUNDS}: {kind}\n")
                with standing(programs, Path(name) / f"{number}-{kind}") as bed:
                    network = networks[kind]
                    if network is None:
                        bed.raise_plain()
                    else:
                        bed.raise_network(network)
                    turns[kind].append(_measured(bed))
    show("networks", [row for kind in networks if kind != PLAIN for row in _rows(kind, turns)])
    return 0


def _rows(kind: str, turns: dict[str, list[dict[str, float]]]) -> list[Row]:
    how = f"median of {ROUNDS} turns of {SECONDS:g} s, pod to pod on two nodes of one machine"
    return [
        Row(
            f"{kind}: {figure}",
            unit,
            statistics.median(turn[figure] for turn in turns[kind]),
            how,
            PLAIN,
            statistics.median(turn[figure] for turn in turns[PLAIN]),
        )
        for figure, unit in FIGURES.items()
    ]


def _measured(bed: Bed) -> dict[str, float]:
    asking, asked = bed.raise_pods()
    load = ("load", "-seconds", f"{SECONDS:g}", "-c")
    many = bed.ask(asking, *load, str(CONNECTIONS), asked.url)
    one = bed.ask(asking, *load, "1", asked.url)
    bulk = bed.ask(asking, "bulk", "-timeout", "60", "-bytes", str(BULK_BYTES), f"{asked.address}:{PORT}")
    if many["errors"] or one["errors"] or bulk["error"]:
        raise RuntimeError(f"a network that loses requests is not measured: {many} {one} {bulk}")
    found = (bulk["mbit_per_s"], many["requests_per_s"], one["p50_ms"] * 1000)
    return dict(zip(FIGURES, map(float, found), strict=True))


def _wireguard() -> bool:
    asked = modules.ask(("wireguard",))
    command = asked.command.render()
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return asked.parse(said.stdout)["wireguard"] is not modules.State.MISSING


if __name__ == "__main__":
    sys.exit(main())
