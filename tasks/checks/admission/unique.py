"""ADM-UNIQUE: no two hosts are copies of each other, and each has the address that is declared for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, answers, finding, named
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import interfaces, machine_id

CODE = "ADM-UNIQUE"
_EXPECTED = "machine id, product UUID, hardware and IP address are this host's alone"


def judge(
    name: str,
    declared: Mapping[str, str],
    identities: Mapping[str, machine_id.Identity],
    networks: Mapping[str, Mapping[str, interfaces.Interface]],
    interface: str,
) -> Judged:
    """What this host shares with another; whether the addresses declared by name stand where they shall."""
    wrong = []
    mine, address = identities[name], declared[name]
    others = sorted(set(identities) - {name})
    for what, own_id in (("machine id", mine.machine_id), ("product UUID", mine.product_uuid)):
        same = [other for other in others if own_id and own_id in _ids(identities[other])]
        if same:
            wrong.append(f"{what} {own_id} is also that of {named(same)}")
    macs = Counter(
        found[interface_name].mac
        for found in networks.values()
        for interface_name in found
        if interface_name != "lo"
    )
    standing = {
        entry.partition("/")[0]: each.name for each in networks[name].values() for entry in each.addresses
    }
    for other in sorted(set(declared) - {name}):
        if declared[other] in standing:
            wrong.append(f"{standing[declared[other]]} has {declared[other]}, which is declared for {other}")
    own = networks[name].get(interface)
    if own is None:
        wrong.append(f"there is no interface {interface}")
    else:
        if macs[own.mac] > 1:
            wrong.append(f"hardware address {own.mac} is there {macs[own.mac]} times")
        if address not in (entry.partition("/")[0] for entry in own.addresses):
            wrong.append(f"{interface} has {', '.join(own.addresses) or 'no address'}, declared is {address}")
    if wrong:
        remedy = (
            "a cloned machine: rm /etc/machine-id && systemd-machine-id-setup, give it its own addresses, "
            "reboot; or correct the site file"
        )
        return Judged(Verdict.FAIL, "; ".join(wrong), remedy)
    return Judged(Verdict.PASS, f"machine id {mine.machine_id}, {address} on {interface}")


def _ids(identity: machine_id.Identity) -> tuple[str, str]:
    return identity.machine_id, identity.product_uuid


def run(context: Admission) -> Iterable[Finding]:
    """Compare all the hosts that answer."""
    who, where = machine_id.ask(), interfaces.ask()
    found = answers(context, (who, where))
    identities, networks, told = {}, {}, {}
    for name, facts in found.items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            identities[name], networks[name] = facts.of(who), facts.of(where)
            told[name] = facts
        except OutsideError as error:
            yield unseen(CODE, name, _EXPECTED, Severity.HIGH, error)
    nodes = context.site.target.nodes
    declared = {node.name: str(node.address) for node in nodes}
    for node in nodes:
        if node.name in told:
            said = judge(node.name, declared, identities, networks, node.interface)
            yield finding(context, CODE, node.name, _EXPECTED, Severity.HIGH, said, who, told[node.name])


CHECK = Check(CODE, "Hosts are not copies of each other", "admission", Severity.HIGH, run)
