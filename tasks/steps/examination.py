"""A doctor's round: every check that applies to a cluster, in one run that only reads. No ledger, no Prefect.

What would write (a scratch file, probe pods) is left out and named; a host or an API that does not answer
is one finding, and the rest is looked at all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inventory.load_cluster import load_declared
from inventory.models.cluster import Role
from inventory.models.command import Command
from inventory.models.finding import Finding, Severity
from inventory.models.site import Side, Workload
from inventory.models.verdict import Verdict, worst
from inventory.printable import printable
from tasks.checks.context import Admission, Cluster, ControlPlane, DataPlane
from tasks.checks.context import Workload as Workloads
from tasks.checks.registry import Check, in_group, observe
from tasks.drivers.clock import SystemClock
from tasks.drivers.errors import OutsideError, Unasked, Unprobed
from tasks.drivers.kube_once import KubeOnce
from tasks.drivers.ports import Host, Kube
from tasks.facts.together import Together
from tasks.gates.decision import decide
from tasks.networks.host_asked import HostAsked, node_probes
from tasks.networks.recognise import ENFORCING, daemons_of, fabric_of
from tasks.steps.examined import Observed, Patient, on_their_interfaces, open_hosts, open_kube, patients

AT_ONCE = 16
CHECKS_AT_ONCE = 64  # what they ask of a host at once goes to it together
HOST_ALONE = "the kernel's settings (sysctl), its tables, steal and noisy neighbours"
UNPROBED = {
    True: "it needs probe pods; network runs it",
    False: "it needs probe pods, and this only looks",
}
SEEN_ALREADY = {"DP-STEAL": "ADM-STEAL watches the same, and longer"}
KNOWS_OURS = ("CLU-API", "CLU-ETCD")  # they look where `prepare` puts the endpoint and etcd
_LOGIN_S = 20.0
Told = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """A finding, and whose it is (`source`, `target`, or the name in a cluster's file)."""

    side: str
    finding: Finding


@dataclass(frozen=True)
class LeftOut:
    """What was not looked at, and why; a code of a check, or of a group of them."""

    side: str
    what: str
    why: str


@dataclass(frozen=True)
class Examination:
    """What came of a round. `unreached`: a host or an API did not answer."""

    name: str
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The worst of what is not waived; `nodata` where nothing was looked at."""
        counted = [row.finding.verdict for row in self.rows if not row.finding.waived_by]
        return worst(counted) if counted or not self.rows else Verdict.WARN

    @property
    def unreached(self) -> bool:
        """Whether something could not be asked at all."""
        return any(row.finding.code.startswith("DOC-") and not row.finding.waived_by for row in self.rows)


def examine(file: Path, told: Told = lambda _: None) -> Examination:
    """Look at everything that the file declares; what does not answer is a finding.

    Raises BadInput for a bad file.
    """
    declared = load_declared(file)
    started = time.monotonic()
    sides = patients(declared)
    with ThreadPoolExecutor(len(sides)) as pool:
        looked = list(pool.map(lambda patient: _look(patient, told), sides))
    rows, left_out = [], []
    today = datetime.now(UTC).date()
    for patient, (findings, missing) in zip(sides, looked, strict=True):
        judged = decide(findings, declared.waivers, today).findings
        rows += [Row(patient.name, finding) for finding in judged]
        left_out += missing
    return Examination(declared.name, tuple(rows), tuple(left_out), round(time.monotonic() - started, 1))


def _look(patient: Patient, told: Told) -> tuple[list[Finding], list[LeftOut]]:
    findings: list[Finding] = []
    missing: list[LeftOut] = []

    def leave(what: str, why: str) -> None:
        missing.append(LeftOut(patient.name, what, why))

    with ExitStack() as stack:
        told(f"{patient.name}: reaching {len(patient.nodes)} hosts and the API")
        opened = {name: Together(host) for name, host in open_hosts(patient, stack).items()}
        hosts, silent = _reached(opened)
        findings += silent
        kube, broken = _answering(open_kube(patient, stack))
        kube = KubeOnce(kube) if kube is not None else None
        findings += broken
        if not patient.nodes:
            leave(
                "admission, dataplane",
                f"no node is declared with SSH, and the API does not show {HOST_ALONE}",
            )
        if patient.written_later:
            leave("cluster, dataplane", "there is no kubeconfig yet: prepare writes it")
        elif patient.kubeconfig is None:
            leave("cluster, dataplane, workload", "no kubeconfig is declared")
        try:
            subject = _observed(patient, hosts, kube)
        except OutsideError as error:
            findings.append(_unreached(error, code="DOC-API"))
            return findings, missing
        rounds = list(_rounds(patient, subject, hosts, kube))
        if patient.nodes and kube is not None and not any(c.group == "controlplane" for c, _ in rounds):
            leave("controlplane", "no control plane that answers is declared with SSH")
        elif not patient.ours and any(c.group == "controlplane" for c, _ in rounds):
            leave(", ".join(KNOWS_OURS), "they know only a control plane that prepare made")

        def one(check: Check, context: object) -> list[Finding]:
            told(f"{patient.name}: {check.title}")
            if check.code in SEEN_ALREADY:
                leave(check.code, SEEN_ALREADY[check.code])
                return []
            if check.writes:
                leave(check.code, f"it writes {check.writes}{'; prepare runs it' if patient.ours else ''}")
                return []
            try:
                return observe(check, context)
            except Unprobed:
                leave(check.code, UNPROBED[patient.ours])
                return []
            except Unasked as error:
                leave(check.code, f"{error.what}; network runs it" if patient.ours else error.what)
                return []

        with ThreadPoolExecutor(CHECKS_AT_ONCE) as pool:
            for measured in sorted({check.alone for check, _ in rounds}, reverse=True):
                at_once = [each for each in rounds if each[0].alone == measured]
                for found in pool.map(lambda each: one(*each), at_once):
                    findings += found
    return findings, missing


def _rounds(
    patient: Patient, subject: Observed | None, hosts: Mapping[str, Host], kube: Kube | None
) -> Iterable[tuple[Check, object]]:
    """Every check with its context, as far as there are hosts and an API."""
    clock = SystemClock()
    if kube is not None:
        yield from ((check, Cluster(kube, clock)) for check in in_group("cluster"))
    if subject is None:
        return
    enforces = subject.target.cluster.network.kind in ENFORCING
    if kube is not None and patient.judges_workloads:
        workloads = Workloads(subject, kube, clock, enforces)
        yield from ((check, workloads) for check in in_group("workload"))
    if hosts:
        yield from ((check, Admission(subject, hosts, clock)) for check in in_group("admission"))
    if hosts and kube is not None:
        asked = HostAsked(kube, hosts)
        plane = DataPlane(
            subject,
            hosts,
            asked,
            {},
            clock,
            node_probes(hosts),
            enforces,
            ours=patient.ours,
            daemons={} if patient.ours else daemons_of(kube),
            without_probes=True,
        )
        yield from ((check, plane) for check in in_group("dataplane"))
    if hosts and kube is not None and subject.target.having(Role.CONTROL_PLANE):
        itself = ControlPlane(subject, hosts, kube, clock)
        checks = (check for check in in_group("controlplane") if patient.ours or check.code not in KNOWS_OURS)
        yield from ((check, itself) for check in checks)


def _observed(patient: Patient, hosts: Mapping[str, Host], kube: Kube | None) -> Observed | None:
    """What the checks judge by; None where neither a file nor an API says it. Raises as `fabric_of`."""
    fabric = patient.fabric
    if kube is not None and not patient.ours:
        fabric = fabric_of(kube, patient.fabric)
    if fabric is None:
        return None
    workload = patient.workload
    if not workload.namespaces and kube is not None:
        names = [str(each["metadata"]["name"]) for each in kube.list("v1", "Namespace")]
        ours = tuple(name for name in names if not name.startswith("kube-"))
        workload = Workload(namespaces=ours)
    nodes = tuple(node for node in patient.nodes if node.name in hosts)
    if not patient.ours:
        nodes = on_their_interfaces(nodes, hosts)
    return Observed(patient.profile, patient.profiles, Side(nodes=nodes, cluster=fabric), workload)


def _reached(hosts: Mapping[str, Host]) -> tuple[dict[str, Host], list[Finding]]:
    """Log in to all at once: those that answer, and a finding for each of the others."""

    def tried(host: Host) -> OutsideError | None:
        try:
            host.check(Command.of("true"), timeout_s=_LOGIN_S)
        except OutsideError as error:
            return error
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        errors = dict(zip(hosts, pool.map(tried, hosts.values()), strict=True))
    silent = [_unreached(error, code="DOC-HOST") for error in errors.values() if error is not None]
    return {name: host for name, host in hosts.items() if errors[name] is None}, silent


def _answering(kube: Kube | None) -> tuple[Kube | None, Sequence[Finding]]:
    if kube is None:
        return None, ()
    try:
        kube.list("v1", "Node")
    except OutsideError as error:
        return None, (_unreached(error, code="DOC-API"),)
    return kube, ()


def _unreached(error: OutsideError, *, code: str) -> Finding:
    return Finding(
        code=code,
        subject=error.part,
        verdict=Verdict.ERROR,
        observed=printable(error.what),
        expected="it answers",
        remedy=error.remedy or "make it answer and run the doctor again",
        severity=Severity.CRITICAL,
    )
