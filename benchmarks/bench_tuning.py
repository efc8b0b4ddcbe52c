"""Ten kernel settings on twenty hosts: ours beside ansible-core and pyinfra, each from start to end."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import peers
from benchmarks.light_hosts import COUNT, Bench, light_hosts
from benchmarks.table import Row, run, show
from rehearsal.netns import NAMED
from tasks.drivers.errors import OutsideError

ROUNDS = 3
ANSIBLE_GOAL, PYINFRA_GOAL = 20.0, 3.0
# Settings of a network namespace, so that each host has its own; the values change from turn to turn.
_SETTINGS = {
    "net.core.somaxconn": 4096,
    "net.ipv4.tcp_fin_timeout": 30,
    "net.ipv4.tcp_keepalive_time": 600,
    "net.ipv4.tcp_keepalive_intvl": 30,
    "net.ipv4.tcp_keepalive_probes": 5,
    "net.ipv4.tcp_max_syn_backlog": 8192,
    "net.ipv4.tcp_orphan_retries": 2,
    "net.ipv4.tcp_retries2": 8,
    "net.ipv4.tcp_syn_retries": 4,
    "net.ipv4.tcp_synack_retries": 3,
}


def main() -> int:
    """Measure in turns, print, keep."""
    programs = peers.install()
    with light_hosts() as bench, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools: dict[str, Callable[[dict[str, str]], None]] = {
            "ours": lambda values: _ours(bench, values),
            "pyinfra": lambda values: _pyinfra(bench, programs, folder, values),
            "ansible": lambda values: _ansible(bench, programs, folder, values),
        }
        seconds: dict[str, list[float]] = {tool: [] for tool in tools}
        turn = 0
        for _ in range(ROUNDS):
            for tool, tune in tools.items():
                turn += 1
                values = {key: str(value + turn) for key, value in _SETTINGS.items()}
                began = time.monotonic()
                tune(values)
                seconds[tool].append(time.monotonic() - began)
                _verify(bench, tool, values)
    ours, pyinfra, ansible = (statistics.median(seconds[tool]) * 1000 for tool in tools)
    how = (
        f"wall time of the whole program, median of {ROUNDS} turns, {COUNT} hosts at once, {len(_SETTINGS)} "
        "settings changed and verified; ours locks, asks, writes sysctl.d and sets, the peers only set"
    )
    rows = []
    for peer, value, goal in (
        (peers.version("ansible-core"), ansible, ANSIBLE_GOAL),
        (peers.version("pyinfra"), pyinfra, PYINFRA_GOAL),
    ):
        what = f"tuning {COUNT} hosts, {len(_SETTINGS)} settings each"
        met = value >= goal * ours
        rows.append(Row(what, "ms", ours, how, peer, value, f"{goal:g}x faster", met))
    show("tuning", rows)
    return 0


def _ours(bench: Bench, values: dict[str, str]) -> None:
    asked = {
        "nodes": [node.model_dump(mode="json") for node in bench.nodes],
        "ssh": bench.ssh.model_dump(mode="json"),
        "values": values,
    }
    changes = _run([sys.executable, "-m", "benchmarks.tune"], json.dumps(asked))
    if int(changes) < COUNT * (len(values) + 1):  # the settings and their file; at first a record for undo
        raise RuntimeError(f"{changes} changes were made")


def _ansible(bench: Bench, programs: Path, folder: Path, values: dict[str, str]) -> None:
    inventory = "".join(f"{node.name} ansible_host={node.address}\n" for node in bench.nodes)
    (folder / "hosts.ini").write_text(inventory)
    tasks = [{"ansible.builtin.command": f"sysctl -q -w {key}={value}"} for key, value in values.items()]
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
    (folder / "play.json").write_text(json.dumps([play]))
    extra = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(bench.plan.ssh_key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={bench.plan.known_hosts}",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    argv: list[str | Path] = [
        programs / "ansible-playbook",
        "-i",
        folder / "hosts.ini",
        "-f",
        str(COUNT),
        "-e",
        json.dumps(extra),
    ]
    _run([*argv, folder / "play.json"], ANSIBLE_PIPELINING="1", ANSIBLE_HOME=str(folder / "ansible"))


def _pyinfra(bench: Bench, programs: Path, folder: Path, values: dict[str, str]) -> None:
    data = {
        "ssh_user": "root",
        "ssh_key": str(bench.plan.ssh_key),
        "ssh_known_hosts_file": str(bench.plan.known_hosts),
    }
    hosts = [(str(node.address), data) for node in bench.nodes]
    (folder / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    lines = [f"server.sysctl(key={key!r}, value={int(value)})\n" for key, value in values.items()]
    (folder / "deploy.py").write_text("from pyinfra.operations import server\n" + "".join(lines))
    argv: list[str | Path] = [programs / "pyinfra", "-y", "--parallel", str(COUNT)]
    _run([*argv, folder / "inventory.py", folder / "deploy.py"])


def _run(argv: Sequence[str | Path], stdin: str = "", **environment: str) -> str:
    done = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise OutsideError(
            Path(argv[0]).name, f"ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"
        )
    return done.stdout


def _verify(bench: Bench, tool: str, values: dict[str, str]) -> None:
    """Every host has every value. Raises RuntimeError."""
    for machine in bench.plan.oslo_nodes:
        argv = ["nsenter", f"--net={NAMED / machine.netns}", "sysctl", "-n", *values]
        found = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
        if found != list(values.values()):
            raise RuntimeError(f"{tool} left {machine.name} with {found}")


if __name__ == "__main__":
    run(main)
