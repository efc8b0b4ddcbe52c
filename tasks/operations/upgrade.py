"""One node of a cluster to the next version: kubeadm, drain, uncordon. Programs and services are `node`'s.

The order is kubeadm's: the first control plane applies the version, the others follow one by one, the workers
last, so that no kubelet is ever newer than an API server (Kubernetes' version skew policy).
"""

from __future__ import annotations

from collections.abc import Sequence

from inventory.kubernetes_version import Version
from inventory.models.change import Change, PutProgram, Run
from inventory.models.cluster import Node, Role
from inventory.models.command import Command, Script
from inventory.models.site import Site
from tasks.operations.images_archive import MULTI_CALL
from tasks.operations.kubeadm import ADMIN
from tasks.operations.preparation import BIN, Preparation

STAGED = "/opt/safe-harbor/next/kubeadm"  # the new kubeadm, while every other program is still the old
DRAIN_WITHIN_S = 300
# kubeadm asks how its CoreDNS is brought to the next version; here it has installed none.
NO_COREDNS = ("CoreDNSUnsupportedPlugins", "CoreDNSMigration")

# $1 kubeadm, then its words. Its last line is only advice.
_KUBEADM = """
PATH=$1:$PATH; program=$2; shift 2
said=$("$program" "$@" 2>&1) && exit 0
printf '%s\\n' "$said" | grep -v 'stack trace' | grep -E 'rror|ERROR|FATAL|fail|time' |
  tail -n 4 | tr '\\n' ' ' >&2
exit 1
"""


def order(site: Site) -> tuple[Node, ...]:
    """The control planes in the order of the site file, then the others."""
    planes = site.target.having(Role.CONTROL_PLANE)
    return (*planes, *(node for node in site.target.nodes if node not in planes))


def plan_kubeadm(
    preparation: Preparation, node: Node, to: Version, *, applies: bool, ignored: Sequence[str]
) -> Change:
    """kubeadm's part on this node: `applies` on the one control plane that sets the cluster's version.

    On a control plane its certificates are renewed as well, kubeadm's default.
    """
    name = MULTI_CALL if MULTI_CALL in preparation.programs else "kubeadm"
    local = preparation.programs[name]
    words = ("upgrade", "apply", f"v{to}", "--yes") if applies else ("upgrade", "node")
    names = (*ignored, *(NO_COREDNS if applies else ()))
    silenced = (f"--ignore-preflight-errors={','.join(names)}",) if names else ()
    return Change(
        node.name,
        f"kubeadm {' '.join(words[:2])}",
        "the control plane of this node" if Role.CONTROL_PLANE in node.roles else "this node's kubelet",
        "",
        f"v{to}",
        (
            PutProgram(STAGED, local.path, local.sha256),
            Run(Script.of(_KUBEADM, BIN, STAGED, *words, *silenced), timeout_s=900.0),
            Run(Command.of("rm", "-f", "--", STAGED)),
        ),
    )


def plan_drain(plane: Node, node: Node) -> Change:
    """Move the pods of `node` away, by the control plane `plane`; a disruption budget may make it wait."""
    return Change(
        plane.name,
        f"drain {node.name}",
        "its pods run elsewhere while its kubelet changes",
        "",
        "no pods but those of the node itself",
        (
            Run(
                Command.of(
                    *(f"{BIN}/kubectl", "--kubeconfig", ADMIN, "drain", node.name),
                    *("--ignore-daemonsets", "--delete-emptydir-data", "--force"),
                    f"--timeout={DRAIN_WITHIN_S}s",
                ),
                timeout_s=DRAIN_WITHIN_S + 30.0,
            ),
        ),
        plan_uncordon(plane, node).apply,
    )


def plan_uncordon(plane: Node, node: Node) -> Change:
    """Let `node` take pods again."""
    words = (f"{BIN}/kubectl", "--kubeconfig", ADMIN, "uncordon", node.name)
    return Change(
        plane.name,
        f"uncordon {node.name}",
        "it takes pods again",
        "",
        "schedulable",
        (Run(Command.of(*words)),),
    )
