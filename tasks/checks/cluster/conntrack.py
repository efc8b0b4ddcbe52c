"""CLU-CONNTRACK: as far as the API shows it, connection tracking is made as large as kube-proxy makes it.

The kernel's own value is to be seen on the node alone (CT-MAX). What kube-proxy was told to make of it stands
on its /configz, which the API server reaches where its metrics port is not on loopback.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.cluster.asking import Seen, nodes, on_each, says
from tasks.checks.context import Cluster
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.drivers.errors import OutsideError
from tasks.facts.proxy_conntrack import LEAST, PAGE, PER_CORE, parse

CODE = "CLU-CONNTRACK"
PORT = 10249
_EXPECTED = f"kube-proxy makes nf_conntrack_max max({PER_CORE} x cores, {LEAST}) or more"
_LOOK = (
    "on the node: sysctl net.netfilter.nf_conntrack_max; or declare the nodes with SSH, and CT-MAX reads it"
)
_RAISE = f"set conntrack.maxPerCore: {PER_CORE} and conntrack.min: {LEAST} in kube-proxy's configuration"


def run(context: Cluster) -> Iterable[Finding]:
    """One finding a node; one whose kube-proxy does not answer was not seen, which is said and no pass."""

    def ask(each: Seen) -> Finding:
        try:
            page = context.kube.node_get(each.name, PORT, PAGE)
            told = parse(page)
        except OutsideError as error:
            what = f"not seen: kube-proxy's metrics port does not answer ({error.what})"
            return says(CODE, Severity.MEDIUM, _EXPECTED, each.name, Verdict.WARN, what, (), _LOOK)
        except (ValueError, TypeError) as error:
            what = f"not seen: /{PAGE} cannot be understood: {error}"
            return says(CODE, Severity.MEDIUM, _EXPECTED, each.name, Verdict.WARN, what, (), _LOOK)
        source = f"kubectl get --raw /api/v1/nodes/{each.name}:{PORT}/proxy/{PAGE}"
        evidence = (observed(context.clock, source, f"maxPerCore {told.per_core}, min {told.least}"),)
        if told.leaves_it:
            what = "kube-proxy is told to leave nf_conntrack_max as it is; the API does not show how large"
            return says(CODE, Severity.MEDIUM, _EXPECTED, each.name, Verdict.WARN, what, evidence, _LOOK)
        what = f"kube-proxy makes it max({told.per_core} x cores, {told.least})"
        verdict = Verdict.WARN if told.lower else Verdict.PASS
        return says(CODE, Severity.MEDIUM, _EXPECTED, each.name, verdict, what, evidence, _RAISE)

    return on_each(nodes(context), ask).values()


CHECK = Check(CODE, "Connection tracking is made large enough", "cluster", Severity.MEDIUM, run)
