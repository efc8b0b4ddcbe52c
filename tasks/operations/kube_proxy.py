"""kube-proxy as a systemd unit: its flags, its own credentials, the mode that the site declares.

Its identity is a service account of its own with the right `system:node-proxier` and nothing more; the token
lies in a 0600 file on each node. Source: kube-proxy's command-line reference (1.37).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inventory.errors import BadInput
from inventory.models.change import Change, Run
from inventory.models.cluster import Cluster, KubeProxy, Node
from inventory.models.command import Script
from inventory.models.secret import Secret
from tasks.facts import config_files, iptables, sysctl
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations import units
from tasks.operations.assigned import SYSCTL_CONF, SYSCTL_FOLDERS, patterns, sysctls
from tasks.operations.files import Wanted

UNIT = "kube-proxy.service"
PROGRAM = "/usr/local/bin/kube-proxy"
FOLDER = "/etc/safe-harbor/kube-proxy"
ACCOUNT = "safe-harbor-kube-proxy"
ACCOUNT_NAMESPACE = "kube-system"
CLUSTER_CA = "/etc/kubernetes/pki/ca.crt"
CONNTRACK_MAX = "net.netfilter.nf_conntrack_max"
SYSCTL_FILES = patterns(SYSCTL_FOLDERS, SYSCTL_CONF)

_UNIT = """# Written by safe-harbor
[Unit]
Description=kube-proxy, the Services of the node
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/
Wants=network-online.target
After=network-online.target flanneld.service

[Service]
ExecStart={program} {flags}
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""

# $1... TABLE/CHAIN. First nothing jumps there any more, then the chains are emptied and deleted.
_REMOVE_USERSPACE = """
set -e
for each do
  table=${each%%/*} chain=${each#*/}
  iptables-save -t "$table" | sed -n "s/^-A \\(.* -j $chain\\)\\$/-D \\1/p" | while read -r rule; do
    printf '*%s\\n%s\\nCOMMIT\\n' "$table" "$rule" | iptables-restore --noflush
  done
done
for each do iptables -t "${each%%/*}" -F "${each#*/}"; done
for each do iptables -t "${each%%/*}" -X "${each#*/}"; done
"""


def manifests() -> tuple[dict[str, Any], ...]:
    """The account, its right and its token, to be applied before the nodes are planned."""
    account = {"name": ACCOUNT, "namespace": ACCOUNT_NAMESPACE}
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": dict(account)},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:node-proxier",
            },
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": account | {"annotations": {"kubernetes.io/service-account.name": ACCOUNT}},
        },
    )


def policies_with_addresses(policies: Sequence[Mapping[str, Any]]) -> list[str]:
    """`namespace/name` of the NetworkPolicies that match addresses (ipBlock)."""
    return [
        f"{policy['metadata']['namespace']}/{policy['metadata']['name']}"
        for policy in policies
        if '"ipBlock"' in json.dumps(policy.get("spec", {}))
    ]


def refuse_hidden_clients(proxy: KubeProxy, policies: Sequence[Mapping[str, Any]]) -> None:
    """Raises BadInput for `masquerade_all` next to a NetworkPolicy with an ipBlock: it could never match.

    `policies` are those of the target and those that will move there.
    """
    blocking = policies_with_addresses(policies)
    if proxy.masquerade_all and blocking:
        raise BadInput(
            "target.cluster.kube_proxy.masquerade_all hides client addresses from NetworkPolicies with an "
            f"ipBlock: {', '.join(blocking)}; set masquerade_all: false, or remove these policies"
        )


def flags(node: Node, cluster: Cluster, *, sets_conntrack: bool) -> tuple[str, ...]:
    """kube-proxy's flags on this node.

    Flags and not `--config`: a configuration file is watched, and each watch takes one of the few inotify
    instances of the machine (128 by default), which a node full of pods can run out of.
    kube-proxy makes its own figure of nf_conntrack_max, also of a higher one: it must not where the node sets
    it at boot, nor where it is read-only (any network namespace but the first).
    """
    per_core, least = (32768, 131072) if sets_conntrack else (0, 0)
    return (
        f"--kubeconfig={FOLDER}/kubeconfig",
        f"--hostname-override={node.name}",
        f"--proxy-mode={cluster.kube_proxy.mode}",
        f"--cluster-cidr={cluster.pod_cidr}",
        f"--masquerade-all={'true' if cluster.kube_proxy.masquerade_all else 'false'}",
        f"--conntrack-max-per-core={per_core}",
        f"--conntrack-min={least}",
        "--healthz-bind-address=0.0.0.0:10256",
        "--metrics-bind-address=127.0.0.1:10249",
        "--v=2",
    )


def kubeconfig(server: str) -> dict[str, Any]:
    """The kubeconfig; its secret is in another file."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": {"server": server, "certificate-authority": CLUSTER_CA}}],
        "users": [{"name": "kube-proxy", "user": {"tokenFile": f"{FOLDER}/token"}}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "kube-proxy"}}],
        "current-context": "cluster",
    }


def service(
    node: Node, cluster: Cluster, server: str, token: Secret, *, sets_conntrack: bool
) -> units.Service:
    """kube-proxy on this node; `server` is the API server's URL as the node reaches it."""
    words = " \\\n  ".join(flags(node, cluster, sets_conntrack=sets_conntrack))
    return units.Service(
        UNIT,
        _UNIT.format(program=PROGRAM, flags=words),
        (
            Wanted(f"{FOLDER}/kubeconfig", _json(kubeconfig(server)), 0o600),
            Wanted(f"{FOLDER}/token", token.reveal().encode(), 0o600),
        ),
        follows_program=True,
    )


def questions() -> tuple[Asked[Any], ...]:
    """What must be known of the node, whatever is planned for it."""
    empty = units.Service(
        UNIT, "", tuple(Wanted(f"{FOLDER}/{name}", b"") for name in ("kubeconfig", "token"))
    )
    return (*units.asked(empty), sysctl.ask([CONNTRACK_MAX]), config_files.ask(SYSCTL_FILES), iptables.ask())


def plan_node(node: Node, cluster: Cluster, server: str, token: Secret, facts: Facts) -> list[Change]:
    """kube-proxy's changes on this node."""
    setting = facts.of(sysctl.ask([CONNTRACK_MAX]))[CONNTRACK_MAX]
    at_boot = {each.key for file in facts.of(config_files.ask(SYSCTL_FILES)) for each in sysctls(file)}
    sets_conntrack = setting.writable and CONNTRACK_MAX not in at_boot
    wanted = service(node, cluster, server, token, sets_conntrack=sets_conntrack)
    return [
        *units.plan(node.name, facts, wanted, f"Services in {cluster.kube_proxy.mode} mode"),
        *plan_userspace_removal(node.name, facts.of(iptables.ask())),
    ]


def plan_userspace_removal(host: str, rules: iptables.Rules) -> list[Change]:
    """What an old kube-proxy's userspace mode left in the kernel, once the new one runs.

    From 1.26 on kube-proxy does not know these rules; of iptables and nftables mode it removes the other's
    itself when it starts.
    """
    left = rules.userspace()
    if not left:
        return []
    chains = [f"{table}/{chain}" for table, names in sorted(left.items()) for chain in names]
    return [
        Change(
            host,
            "rules of kube-proxy's userspace mode",
            "they redirect Services to a proxy that is gone",
            ", ".join(chains),
            "removed",
            (Run(Script.of(_REMOVE_USERSPACE, *chains)),),
        )
    ]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
