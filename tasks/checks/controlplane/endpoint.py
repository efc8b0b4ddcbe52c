"""CLU-API: every node reaches the API by its endpoint, and every API server behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.cluster import Role
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.checks.asking import answer, ask_hosts
from tasks.checks.context import ControlPlane
from tasks.checks.controlplane.looking import Said, finding
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import api_ready
from tasks.operations.preparation import API_PORT, api_endpoint

CODE = "CLU-API"
EXPECTED = "the endpoint answers on every node, and so does every API server"


def judge(node: str, endpoint: str, answers: Mapping[str, str]) -> Said:
    """What one node sees; `answers` has the endpoint and every API server."""
    bad = {server: said for server, said in answers.items() if said != "ok"}
    servers = max(1, len(answers) - 1)  # with one control plane the endpoint is that server
    if endpoint in bad:
        return Said(
            node,
            Verdict.FAIL,
            f"the endpoint {endpoint} says: {printable(bad[endpoint], 200)}",
            "journalctl -u safe-harbor-api on the node, or the load balancer that the site file names",
        )
    if bad:
        told = "; ".join(f"{server} says: {printable(said, 120)}" for server, said in bad.items())
        return Said(
            node,
            Verdict.WARN,
            f"the endpoint answers, but {told}",
            "crictl or `ctr -n k8s.io task ls` there; journalctl -u kubelet",
        )
    told = (
        "one API server: the API ends with its node" if servers == 1 else f"all {servers} API servers answer"
    )
    return Said(node, Verdict.PASS, f"{endpoint} answers; {told}")


def run(context: ControlPlane) -> Iterable[Finding]:
    """Ask on every node."""
    planes = context.site.target.having(Role.CONTROL_PLANE)
    if not planes:
        return  # a control plane that others run: nothing is known of its servers
    endpoint = api_endpoint(context.site.target)
    servers = dict.fromkeys([endpoint, *(f"{node.address}:{API_PORT}" for node in planes)])
    asked = api_ready.ask(tuple(servers))
    for name, facts in ask_hosts(context.hosts, dict.fromkeys(context.hosts, (asked,))).items():
        try:
            found = answer(facts, asked)
        except OutsideError as error:
            yield unseen(CODE, name, EXPECTED, Severity.CRITICAL, error)
            continue
        said = judge(name, endpoint, found)
        yield finding(context, CODE, EXPECTED, Severity.CRITICAL, said, f"{name}: /readyz", repr(found))


CHECK = Check(CODE, "The API's endpoint answers everywhere", "controlplane", Severity.CRITICAL, run)
