"""Running a command in a node of the trial site, and asking its cluster, from this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rehearsal import nodes
from rehearsal.plan import Machine, Plan
from rehearsal.reach import link_kubectl
from rehearsal.state import State


class Quiet:
    """Progress that nobody watches."""

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """Nothing is shown."""


def ssh(plan: Plan, machine: Machine, command: str) -> str:
    """The output of a command over SSH, with the pinned host key; raises where it fails."""
    argv = [
        *("ssh", "-i", str(plan.ssh_key), "-o", f"UserKnownHostsFile={plan.known_hosts}"),
        *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", f"root@{machine.address}", command),
    ]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def inside(plan: Plan, machine: Machine, *argv: str) -> subprocess.CompletedProcess[str]:
    """A command in a node that SSH does not reach from here (the AWS side)."""
    leader = nodes.leader(State(plan).process(machine.name))
    words = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "--", *argv]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def kubectl(plan: Plan, kubeconfig: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """kubectl on this machine, through the link."""
    if not plan.kubectl.is_symlink():  # a test may raise the source's cluster alone
        link_kubectl(plan, _programs(plan))
    argv = [str(plan.kubectl), f"--kubeconfig={kubeconfig}", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def _programs(plan: Plan) -> Path:
    argv = State(plan).recorded("process")[plan.aws_nodes[0].name]["argv"]
    bind = next(word for word in argv if word.endswith(":/opt/safe-harbor/bin"))
    return Path(bind.removeprefix("--bind-ro=").partition(":")[0])
