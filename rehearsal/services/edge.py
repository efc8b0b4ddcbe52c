"""haproxy as it plays the ELB: the same configuration as the edge in Oslo, its home the source."""

from __future__ import annotations

import socket

from rehearsal.plan import Plan
from rehearsal.state import State
from tasks.operations.haproxy_config import LUA_NAME, MAP_NAME, EdgeDesign, Server, render_edge

NAME = "edge"


def design(plan: Plan) -> EdgeDesign:
    """The edge at the way in to AWS."""
    return EdgeDesign(
        name="aws-edge",
        bind=f"{plan.elb_private}:{plan.http_port}",
        source=tuple(Server(node.name, node.address, plan.node_port) for node in plan.aws_nodes),
        target=(Server("oslo-edge", plan.oslo_edge_from_aws, plan.http_port),),
        home="source",
        runtime=f"ipv4@{plan.elb_private}:{plan.edge_runtime_port}",
        folder=str(plan.state / "edge"),
        share_percent=0,
        log="stdout",
    )


def start_edge(plan: Plan, state: State) -> None:
    """Start the edge; it is up when its runtime API answers, whether the shop does or not."""
    folder = plan.state / "edge"
    folder.mkdir(parents=True, exist_ok=True)
    files = render_edge(design(plan))
    (folder / "haproxy.cfg").write_text(files.config)
    (folder / LUA_NAME).write_text(files.lua)
    (folder / MAP_NAME).write_text(files.shift_map)
    running = state.run_process(
        NAME, ["haproxy", "-W", "-db", "-f", folder / "haproxy.cfg"], netns=plan.service_netns
    )
    state.wait_until(running, lambda: b"Name: HAProxy" in ask_edge(plan, "show info"), what="up", within_s=15)


def ask_edge(plan: Plan, command: str) -> bytes:
    """What the runtime API answers through the link; empty where it does not answer."""
    try:
        with socket.create_connection((plan.elb_public, plan.edge_runtime_port), timeout=2) as connection:
            connection.sendall(command.encode() + b"\n")
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
    except OSError:
        return b""
    return b"".join(parts)
