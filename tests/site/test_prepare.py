"""The preparation on bare nodes: to joined ones, nothing the second time, and what heals.

Two nodes beside any other site: names, addresses and state of their own.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.command import Command, Script
from inventory.models.finding import Finding
from inventory.models.ssh import Ssh
from inventory.models.verdict import Verdict
from inventory.profile_files import load_profile
from rehearsal import netns, node_root, nodes, parts, teardown
from rehearsal.plan import Machine, Plan
from rehearsal.state import State
from tasks.checks.context import Admission
from tasks.checks.registry import in_group, judge
from tasks.drivers.clock import SystemClock
from tasks.drivers.errors import CommandFailed, HostKeyRefused, LoginRefused
from tasks.drivers.ports import Host
from tasks.drivers.ssh import SshHost
from tasks.facts import before as record_facts
from tasks.facts.gather import gather
from tasks.operations.apply import apply, apply_all
from tasks.operations.kubeadm import JOINED
from tasks.operations.node import PHASES, SETTINGS, Phase
from tasks.operations.preparation import BIN, Preparation
from tasks.operations.settings import undo_asked, undo_plan
from tasks.steps.preparation import keep_kubeconfig, open_preparation
from tests.drivers.sshd import make_key
from tests.operations.places import site

pytestmark = [pytest.mark.site]

_RENAMED = (("198.18.0.", "198.19.8."), ("10.40.0.", "10.43.0."), ("10.60.0.", "10.63.0."), ("shx-", "shp-"))
_STATE = Path("/var/lib/safe-harbor/rehearsal-prepare")
_COUNT = 2


class Quiet:
    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """Nothing is shown."""


def _renamed(text: str) -> str:
    for old, new in _RENAMED:
        text = text.replace(old, new)
    return text


def plan_of(count: int = _COUNT) -> Plan:
    plan = Plan(state=_STATE)
    values = {field.name: getattr(plan, field.name) for field in fields(plan)}
    changed: dict[str, Any] = {
        key: _renamed(value) for key, value in values.items() if isinstance(value, str)
    }
    oslo = tuple(Machine(f"p-{each.name}", _renamed(each.address)) for each in plan.oslo_nodes[:count])
    return replace(plan, **changed, aws_nodes=(), oslo_nodes=oslo)


@dataclass(frozen=True)
class Bare:
    """Booted nodes, and what is needed to prepare them."""

    plan: Plan
    preparation: Preparation
    hosts: Mapping[str, Host]
    ssh: Ssh


def opened(plan: Plan, programs: Path) -> tuple[Preparation, Ssh]:
    ssh = Ssh(identity_file=plan.ssh_key)
    roles = [("control-plane", "edge", "data"), *[("worker",)] * (len(plan.oslo_nodes) - 1)]
    declared = tuple(
        Node.model_validate(
            {
                "name": machine.name,
                "address": machine.address,
                "roles": role,
                "host_key": nodes.host_key(plan, machine),
            }
        )
        for machine, role in zip(plan.oslo_nodes, roles, strict=True)
    )
    ca = plan.state / "registry-ca.crt"
    ca.write_text("a certificate that nobody asks for here\n")
    whole = site(programs=str(programs), kubeconfig=str(plan.state / "kubeconfig"))
    registry = whole.target.registry.model_copy(update={"ca_file": ca})
    target = whole.target.model_copy(update={"nodes": declared, "ssh": ssh, "registry": registry})
    whole = whole.model_copy(update={"target": target, "state": plan.state / "lead"})
    return open_preparation(whole, SystemClock()), ssh


@pytest.fixture(scope="module")
def bare() -> Iterator[Bare]:
    plan = plan_of()
    teardown.down(plan)
    state = State(plan)
    try:
        nodes.make_keys(plan, plan.oslo_nodes)
        netns.raise_wan(plan, state)
        nodes.boot(plan, state, plan.oslo_nodes)
        preparation, ssh = opened(plan, parts.build(Quiet()))
        hosts = {node.name: SshHost(node, ssh) for node in preparation.site.target.nodes}
        yield Bare(plan, preparation, hosts, ssh)
        for host in hosts.values():
            host.close()
    finally:
        teardown.down(plan)


def planned(phase: Phase, bare: Bare) -> list[Change]:
    """What a dry run shows of one phase: ask every node at once, then plan."""
    asked = {node.name: phase.asked(bare.preparation, node) for node in phase.nodes(bare.preparation)}
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        answers = pool.map(lambda name: gather(bare.hosts[name], asked[name]), asked)
        return phase.plan(bare.preparation, dict(zip(asked, answers, strict=True)))


def prepare(bare: Bare, phases: Sequence[Phase] = PHASES) -> dict[str, list[Change]]:
    """Every phase in turn, as the step does it, without the ledger; the changes that were made."""
    made = {}
    for phase in phases:
        started = time.monotonic()
        changes = made[phase.name] = planned(phase, bare)
        names = sorted({change.host for change in changes})
        with ThreadPoolExecutor(max(1, len(names))) as pool:
            outcomes = pool.map(
                lambda name, mine=changes: apply_all(bare.hosts[name], [c for c in mine if c.host == name]),
                names,
            )
            for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error
        print(f"{phase.name:12} {len(changes):3} changes {time.monotonic() - started:6.2f} s")  # noqa: T201 - figures
    return made


def subjects(made: Mapping[str, list[Change]]) -> list[str]:
    return [f"{change.host}: {change.subject}" for changes in made.values() for change in changes]


def kubectl(bare: Bare, *words: str) -> str:
    """The lead's own kubectl with the kubeconfig that `prepare` fetched."""
    program = bare.plan.state / "kubectl"
    if not program.exists():
        program.symlink_to(bare.preparation.programs["kubernetes"].path)
    kubeconfig = bare.preparation.site.target.cluster.kubeconfig
    argv = [str(program), "--kubeconfig", str(kubeconfig), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_wrong_host_key_or_client_key_touches_nothing(bare: Bare, tmp_path: Path) -> None:
    node = bare.preparation.site.target.nodes[0]
    for name in ("other", "stranger"):
        make_key(tmp_path / name)
    wrong = node.model_copy(update={"host_key": (tmp_path / "other.pub").read_text().strip()})
    with pytest.raises(HostKeyRefused, match=f"{node.name}: {node.address} shows the host key"):
        SshHost(wrong, bare.ssh).put_file("/root/touched", b"x")
    stranger = bare.ssh.model_copy(update={"identity_file": tmp_path / "stranger"})
    with pytest.raises(LoginRefused, match=f"{node.name}: {node.address} does not take the key"):
        SshHost(node, stranger).put_file("/root/touched", b"x")
    assert not bare.hosts[node.name].run(Command.of("test", "-e", "/root/touched")).ok


def test_a_container_is_not_admitted_and_everything_else_is_seen(bare: Bare) -> None:
    findings = judge(in_group("admission"), Admission(bare.preparation.site, bare.hosts, SystemClock()))
    failed = {(finding.code, finding.subject) for finding in findings if not finding.verdict.lets_go_on}
    assert failed == {("ADM-VIRT", name) for name in bare.hosts}
    tuning = [finding for finding in findings if finding.code == "TUN-LIVE"]
    assert {finding.verdict for finding in tuning} == {Verdict.WARN}
    assert all("gc_thresh1 does not exist here (wanted 1024)" in finding.observed for finding in tuning)


def test_a_container_is_known_by_many_signs(bare: Bare) -> None:
    for finding in _admission(bare, "ADM-VIRT"):
        for sign in ("systemd-nspawn", "kthreadd", "PID namespace", "booted at the same instant"):
            assert sign in finding.observed


def test_a_noisy_neighbour_is_caught_with_the_latency_it_costs(bare: Bare) -> None:
    """The hog runs in the other node: nothing of it is to be seen in this one, except by its processors."""
    victim, neighbour = bare.hosts
    hogs = 2 * len(os.sched_getaffinity(0))
    start = Script.of(
        'for hog in $(seq "$1"); do timeout 60 sh -c "while :; do :; done" > /dev/null 2>&1 & echo $!; done',
        hogs,
    )
    pids = bare.hosts[neighbour].check(start).split()
    try:
        assert bare.hosts[victim].run(Command.of("pgrep", "-f", "[w]hile :; do")).stdout == ""
        (finding,) = (f for f in _admission(bare, "ADM-NOISE") if f.subject == victim)
    finally:
        bare.hosts[neighbour].run(Command.of("kill", *pids))
    print(finding.observed)  # noqa: T201 - figures
    assert finding.verdict is Verdict.WARN  # a failure on a machine with a kernel of its own
    assert finding.observed.startswith("a noisy neighbour uses ")
    assert "waits p50" in finding.observed
    assert "(PSI)" in finding.observed
    assert "burst_us" in finding.evidence[0].excerpt


def _admission(bare: Bare, code: str) -> list[Finding]:
    context = Admission(bare.preparation.site, bare.hosts, SystemClock())
    return judge([check for check in in_group("admission") if check.code == code], context)


def test_a_dry_run_of_the_first_phases_changes_nothing(bare: Bare) -> None:
    first = [str(change) for phase in PHASES[:4] for change in planned(phase, bare)]
    again = [str(change) for phase in PHASES[:4] for change in planned(phase, bare)]
    assert first == again != []
    for host in bare.hosts.values():
        assert not host.run(Command.of("test", "-e", BIN)).ok


def test_undo_gives_the_settings_back(bare: Bare) -> None:
    """Before anything else is prepared, with the profile that sets most: to the byte, and only once."""
    web = replace(bare, preparation=replace(bare.preparation, profile=load_profile("web")))
    look = Script.of(
        'find /etc -xdev ! -type d -printf "%p %m %U:%G %s %l\\n" | sort; find /etc -xdev -type d | sort; '
        'sysctl -n "$@"',
        *(key for key in web.preparation.profile.keys if not key.startswith("net.ipv4.neigh")),
    )
    record = record_facts.ask()

    def undone(name: str, host: Host) -> list[Change]:
        _, known = gather(host, (record,)).of(record)
        changes = undo_plan(name, known, gather(host, undo_asked(known)))
        assert apply_all(host, changes).ok
        return changes

    before = {name: host.run(look).stdout for name, host in bare.hosts.items()}
    made = subjects(prepare(web, SETTINGS))
    for name, host in bare.hosts.items():
        assert f"{name}: sysctl net.ipv4.ip_local_port_range" in made
        assert host.check(Command.of("stat", "-c", "%a %U", record_facts.PATH)) == "600 root\n"
        assert host.run(look).stdout != before[name]
    assert subjects(prepare(web, SETTINGS)) == []
    for name, host in bare.hosts.items():
        assert undone(name, host)
        assert host.run(look).stdout == before[name]
        assert undone(name, host) == []


def test_bare_machines_become_nodes(bare: Bare) -> None:
    started = time.monotonic()
    made = prepare(bare)
    plane = bare.preparation.planes[0].name
    assert keep_kubeconfig(bare.preparation, bare.hosts[plane])
    print(f"{len(subjects(made))} changes in {time.monotonic() - started:.1f} s")  # noqa: T201 - figures
    assert kubectl(bare, "get", "nodes", "-o", "name").split() == [
        f"node/{name}" for name in sorted(bare.hosts)
    ]
    assert kubectl(bare, "get", "--raw", "/readyz") == "ok"
    assert bare.preparation.site.target.cluster.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_the_second_run_makes_no_change(bare: Bare) -> None:
    def seen() -> dict[str, str]:
        look = Script.of(
            "find /etc /opt /var/lib/safe-harbor -newer /proc/1 -type f -printf '%p %T@\\n' | sort; "
            "systemctl show -p InvocationID etcd containerd kubelet"
        )
        return {name: host.check(look) for name, host in bare.hosts.items()}

    before = seen()
    assert subjects(prepare(bare)) == []
    assert not keep_kubeconfig(bare.preparation, next(iter(bare.hosts.values())))
    assert seen() == before


def test_the_token_is_left_nowhere(bare: Bare) -> None:
    secret = bare.preparation.token.reveal().partition(".")[2]
    look = Script.of(
        'grep -rlF -- "$(cat)" /etc /run /var/lib/safe-harbor /var/lib/kubelet /var/log /tmp /root '
        "2>/dev/null; true"
    )
    for host in bare.hosts.values():
        assert host.check(look, stdin=secret.encode()) == ""


def test_what_was_changed_by_hand_is_put_back_and_only_that(bare: Bare) -> None:
    name, host = next(iter(bare.hosts.items()))
    host.check(Command.of("sysctl", "-q", "-w", "net.ipv4.ip_forward=0"))
    host.check(Command.of("rm", "/etc/sysctl.d/90-safe-harbor.conf", "/usr/local/bin/ctr"))
    host.check(Command.of("systemctl", "stop", "containerd"))
    assert subjects(prepare(bare)) == [
        f"{name}: file /etc/sysctl.d/90-safe-harbor.conf",
        f"{name}: sysctl net.ipv4.ip_forward",
        f"{name}: link /usr/local/bin/ctr",
        f"{name}: service containerd.service",
    ]
    assert host.check(Command.of("sysctl", "-n", "net.ipv4.ip_forward")) == "1\n"


def test_the_profile_is_set_again_by_the_boot_itself(bare: Bare) -> None:
    for host in bare.hosts.values():
        host.check(Command.of("sysctl", "-q", "-w", "net.bridge.bridge-nf-call-iptables=0"))
        host.check(Command.of("systemctl", "restart", "systemd-sysctl", "systemd-modules-load"))
        assert host.check(Command.of("sysctl", "-n", "net.bridge.bridge-nf-call-iptables")) == "1\n"


def await_api(bare: Bare, within_s: float = 180.0) -> None:
    """After a boot the kubelet waits most of a minute for an API server before it starts its static pods."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            kubectl(bare, "get", "--raw", "/readyz")
        except subprocess.CalledProcessError:
            time.sleep(1.0)
        else:
            return
    pytest.fail(f"the API server does not answer {within_s:.0f} s after the boot")


def test_a_power_cut_leaves_whole_nodes(bare: Bare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pull the plug, boot from the same disk: profile and services are there, nothing is to be done."""
    for host in bare.hosts.values():
        # The network namespace, with these values in it, outlives the boot: only the boot can set them again.
        host.check(Command.of("sysctl", "-q", "-w", "net.ipv4.ip_forward=0"))
        host.check(Command.of("sync"))
    state = State(bare.plan)
    nodes.stop(state, bare.plan.oslo_nodes)
    for machine in bare.plan.oslo_nodes:
        state.forget("process", machine.name)
    monkeypatch.setattr(node_root, "make", lambda plan, _, machine: node_root.folder(plan, machine) / "root")
    nodes.boot(bare.plan, state, bare.plan.oslo_nodes)
    for host in bare.hosts.values():
        host.run(Command.of("systemctl", "is-system-running", "--wait"), timeout_s=60)
        assert host.check(Command.of("sysctl", "-n", "net.ipv4.ip_forward")) == "1\n"
    # In a container some values are read-only: that is said, and the others hold by the boot alone.
    seen = judge(in_group("settings"), Admission(bare.preparation.site, bare.hosts, SystemClock()))
    held = [finding for finding in seen if finding.code == "TUN-HELD"]
    assert len(held) == len(bare.hosts)
    for finding in held:
        assert finding.verdict is Verdict.WARN, finding.observed
        assert "(booted since they were set)" in finding.observed
        assert "net.ipv4.neigh.default.gc_thresh1 is missing" in finding.observed
    assert subjects(prepare(bare)) == []
    await_api(bare)
    plane = bare.preparation.planes[0].name
    kubectl(bare, "wait", "--for=create", f"node/{plane}", "--timeout=60s")


def test_a_join_that_was_killed_is_ended_by_the_next_run(bare: Bare) -> None:
    name, host = list(bare.hosts.items())[-1]
    host.check(Command.of("rm", JOINED.path))  # as if the run had died before it was noted
    made = prepare(bare)
    plane = bare.preparation.planes[0].name
    assert subjects(made) == [f"{plane}: kubeadm bootstrap token", f"{name}: kubeadm join"]
    assert subjects(prepare(bare)) == []
    kubectl(bare, "wait", "--for=jsonpath={.status.nodeInfo.kubeletVersion}=v1.37.1", f"node/{name}")


def test_a_service_that_does_not_come_up_says_why(bare: Bare) -> None:
    host = next(iter(bare.hosts.values()))
    host.check(Command.of("cp", "/etc/etcd/etcd.json", "/root/etcd.json"))
    host.put_file("/etc/etcd/etcd.json", b"{ this is no JSON")
    start = Script.of(
        'systemctl restart "$1" || { journalctl -u "$1" -n 5 -o cat >&2; exit 1; }', "etcd.service"
    )
    with pytest.raises(CommandFailed, match="ended with 1"):
        host.check(start)
    (config, service) = planned(next(phase for phase in PHASES if phase.name == "etcd"), bare)
    assert (config.subject, service.subject) == ("file /etc/etcd/etcd.json", "service etcd.service")
    for change in (config, service):
        apply(host, change)
    assert host.check(Command.of("systemctl", "is-active", "etcd")) == "active\n"
