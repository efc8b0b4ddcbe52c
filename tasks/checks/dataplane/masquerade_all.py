"""KP-MASQ-ALL: clients keep their addresses, or someone has decided that they do not.

`masquerade_all` costs new connections (0.74x measured, 0.1x once backends hold TIME_WAIT sockets), and
policies or rate limits that match an address of a client stop working.
"""

from __future__ import annotations

import json

from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line
from tasks.checks.dataplane.remedies import in_our_file, proxy_setting
from tasks.checks.evidence import observed
from tasks.checks.registry import Check, Layer
from tasks.operations.kube_proxy import policies_with_addresses

LINE = Line("KP-MASQ-ALL", "masquerade_all is off; where it is on, no NetworkPolicy matches client addresses")


def run(context: DataPlane) -> list[Finding]:
    """One finding of the site."""
    on = context.site.target.cluster.kube_proxy.masquerade_all
    blocking = policies_with_addresses(context.kube.list("networking.k8s.io/v1", "NetworkPolicy"))
    declared = in_our_file(context, "site file", "kube-proxy's configuration")
    source = f"{context.kube.name}: {declared} and NetworkPolicies"
    raw = json.dumps({"masquerade_all": on, "policies_with_ip_block": blocking})
    evidence = observed(context.clock, source, raw)
    remedy = in_our_file(
        context,
        "set target.cluster.kube_proxy.masquerade_all: false",
        proxy_setting(context, "masqueradeAll: false"),
    )
    if not on:
        return [LINE.says(Verdict.PASS, "site", "off: pods see their clients' addresses", evidence)]
    if blocking:
        what = f"on, and these policies match addresses that nothing has any more: {', '.join(blocking)}"
        return [LINE.says(Verdict.FAIL, "site", what, evidence, remedy)]
    what = (
        "on: it hides client addresses and costs new connections (0.74x, 0.1x with TIME_WAIT at the backends)"
    )
    return [LINE.says(Verdict.WARN, "site", what, evidence, remedy)]


CHECK = Check(LINE.code, "client addresses are kept", "dataplane", LINE.severity, run, layer=Layer.SETTING)
