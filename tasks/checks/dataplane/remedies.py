"""What a person types to mend a node's daemons: other words where somebody else built the cluster."""

from __future__ import annotations

from tasks.checks.context import DataPlane

FLANNELD, PROXY = "flanneld", "kube-proxy"


def restart(context: DataPlane, node: str, daemon: str) -> str:
    """Start a daemon of this node anew."""
    pods = context.daemons.get(daemon)
    return pods.restart(node) if pods else f"ssh {node} systemctl restart {daemon}"


def log(context: DataPlane, node: str, daemon: str) -> str:
    """Read what a daemon of this node said last."""
    pods = context.daemons.get(daemon)
    return pods.log(node) if pods else f"ssh {node} journalctl -u {daemon} -n 50"


def in_our_file(context: DataPlane, ours: str, theirs: str) -> str:
    """`ours` where the cluster follows a site file; `network` makes it so. Else what its owner changes."""
    return ours if context.ours else theirs


def proxy_setting(context: DataPlane, setting: str) -> str:
    """Change kube-proxy's configuration where it stands in a cluster of somebody else's, and have it read."""
    pods = context.daemons.get(PROXY)
    if pods is None:
        return f"set {setting} in kube-proxy's configuration on every node, and restart it"
    return (
        f"set {setting}: kubectl -n {pods.namespace} edit configmap kube-proxy; then kubectl -n "
        f"{pods.namespace} rollout restart daemonset {pods.name}"
    )
