"""The services of the AWS side on loopback addresses: the real programs, started by the real `start`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal import parts, services
from rehearsal.parts_list import PARTS
from rehearsal.plan import Machine, Plan
from rehearsal.services.database import APP_USER
from rehearsal.state import State

PROGRAMS = ("mariadbd", "docker-registry", "haproxy", "knotd", "skopeo", "go", "curl")
NODES = tuple(Machine(f"aws-{n}", f"127.40.0.1{n}") for n in (1, 2, 3))


class Quiet:
    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """Says nothing."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def loopback_plan(folder: Path) -> Plan:
    """The same plan on 127/8, with ports that nobody else uses, and no namespaces."""
    return replace(
        Plan(),
        state=folder,
        wan_netns="",
        aws_network="127.40.0.0/24",
        service_netns="",
        toxiproxy_api=f"127.0.0.1:{free_port()}",
        elb_public="127.18.0.10",
        rds_public="127.18.0.11",
        registry_public="127.18.0.12",
        api_public="127.18.0.13",
        moto_public="127.18.0.14",
        dns_address="127.18.0.53",
        oslo_edge_from_aws="127.40.0.80",
        oslo_database_from_aws="127.40.0.81",
        elb_private="127.40.0.20",
        rds_private="127.40.0.21",
        registry_private="127.40.0.22",
        moto_private="127.40.0.23",
        http_port=free_port(),
        edge_runtime_port=free_port(),
        mariadb_port=free_port(),
        registry_port=free_port(),
        moto_port=free_port(),
        api_port=free_port(),
        dns_port=free_port(),
        node_port=free_port(),
        aws_nodes=NODES,
    )


class ShopProcesses:
    """The Go shop as the cluster would run it: one process a node."""

    def __init__(self, plan: Plan, state: State, program: Path) -> None:
        self.plan, self.state, self.program = plan, state, program

    def environment(self) -> dict[str, str]:
        plan = self.plan
        database = f"{plan.rds_private}:{plan.mariadb_port}"
        return {
            "SITE": "aws",
            "DB_READ": database,
            "DB_PRIMARY": database,
            "DB_NAME": plan.database,
            "DB_USER": APP_USER,
            "DB_PASSWORD_FILE": str(plan.secrets / "shop-database.password"),
            "DB_CA_FILE": str(plan.ca_file),
            "MEDIA_URL": f"http://{plan.moto_private}:{plan.moto_port}/{plan.bucket}",
            "DRAIN": "1s",
        }

    def start(self, name: str, listen: str, **changes: str) -> int:
        """Start one and wait until it listens; its process id."""
        env = {**self.environment(), "LISTEN": listen, **changes}
        running = self.state.run_process(name, [self.program], env=env)
        host, _, port = listen.rpartition(":")

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex((host, int(port))) == 0

        self.state.wait_until(running, listens, what="listening", within_s=15)
        return running.pid


@pytest.fixture(scope="session")
def site() -> Iterator[tuple[Plan, State, Path]]:
    if os.geteuid() != 0:
        pytest.skip("needs root: MariaDB runs under its own account")
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    needed = [part for part in PARTS if part.folder in ("shop", "toxiproxy")]
    programs = parts.build(Quiet(), needed)
    folder = Path(tempfile.mkdtemp(prefix="services-"))
    folder.chmod(0o711)
    plan = loopback_plan(folder)
    state = State(plan)
    try:
        services.start(plan, state, programs)
        yield plan, state, programs
    finally:
        running = [state.process(name) for name in state.recorded("process")]
        for process in running:
            if process.alive():
                os.kill(process.pid, signal.SIGTERM)
        end = time.monotonic() + 10
        while any(process.alive() for process in running) and time.monotonic() < end:
            time.sleep(0.05)
        for process in running:
            if process.alive():
                os.kill(process.pid, signal.SIGKILL)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shop(site: tuple[Plan, State, Path]) -> ShopProcesses:
    plan, state, programs = site
    processes = ShopProcesses(plan, state, programs / "shop")
    for node in plan.aws_nodes:
        processes.start(f"shop-{node.name}", f"{node.address}:{plan.node_port}")
    return processes
