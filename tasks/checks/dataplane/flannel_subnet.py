"""FL-SUBNET: every node has a subnet of its own, of the declared length, out of the declared network."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.counting import on_all
from tasks.checks.dataplane.flannel_only import on_flannel
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.dataplane.remedies import FLANNELD, in_our_file, log, restart
from tasks.checks.registry import Check, Layer
from tasks.drivers.errors import OutsideError
from tasks.facts.flannel import SUBNET_FILE, SubnetEnv, ask_subnet

LINE = Line(
    "FL-SUBNET", "FLANNEL_NETWORK as declared, and a subnet that no other node has", Severity.CRITICAL
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node; a subnet that two nodes have is a failure of both."""
    there = [node for node in context.site.target.nodes if node.name in context.hosts]
    seen = on_all(there, lambda node: read(context, context.hosts[node.name], ask_subnet()))
    taken = Counter(_subnet(value) for value in seen.values())
    return [_judge(context, node.name, seen.get(node.name), taken) for node in context.site.target.nodes]


def _subnet(value: tuple[SubnetEnv | None, Evidence] | OutsideError) -> IPv4Network | None:
    return value[0].subnet.network if isinstance(value, tuple) and value[0] else None


def _judge(
    context: DataPlane,
    name: str,
    value: tuple[SubnetEnv | None, Evidence] | OutsideError | None,
    taken: Counter[IPv4Network | None],
) -> Finding:
    cluster = context.site.target.cluster
    if value is None:
        return LINE.says(Verdict.NODATA, name, "no connection to this host", (), "run prepare")
    if isinstance(value, OutsideError):
        return LINE.says(Verdict.ERROR, name, str(value), (), value.remedy or "mend it and run again")
    env, evidence = value
    if env is None:
        what = f"{SUBNET_FILE} is missing: flanneld has no subnet"
        return LINE.says(Verdict.FAIL, name, what, evidence, log(context, name, FLANNELD))
    subnet = env.subnet.network
    wrong = []
    if env.network != cluster.pod_cidr:
        wrong.append(f"the network is {env.network}, declared is {cluster.pod_cidr}")
    if subnet.prefixlen != cluster.subnet_len or not subnet.subnet_of(cluster.pod_cidr):
        wrong.append(f"{subnet} is no /{cluster.subnet_len} of {cluster.pod_cidr}")
    if taken[subnet] > 1:
        wrong.append(f"{taken[subnet]} nodes have {subnet}")
    if not env.masquerades:
        wrong.append("flanneld runs without --ip-masq")
    what = "; ".join(wrong) or f"{subnet} of {env.network}, MTU {env.mtu}"
    kept = in_our_file(context, "etcd", "net-conf.json of its ConfigMap")
    remedy = f"{restart(context, name, FLANNELD)}, after the configuration in {kept} is right"
    return LINE.judged(not wrong, name, what, evidence, remedy)


# What a node was given: without it neither its MTU nor its peers can be judged.
CHECK = Check(
    LINE.code,
    "every node has a flannel subnet of its own",
    "dataplane",
    LINE.severity,
    on_flannel(LINE, run),
    layer=Layer.SETTING,
)
