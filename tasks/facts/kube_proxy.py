"""kube-proxy's own words: where it tells them, and what it counts."""

from __future__ import annotations

RESTORE_FAILURES = (
    "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
    "kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
)
_SYNCS = "kubeproxy_sync_proxy_rules_"
METRICS = "http://127.0.0.1:10249"
HEALTH = "http://127.0.0.1:10256"


def restore_failures(text: str) -> int:
    """How often rules were refused since kube-proxy started, in either mode, over all IP families.

    kube-proxy 1.37 shows the counter only after a first failure; that it counts what it wrote proves that
    none is none. Raises KeyError where they are missing, too.
    """
    values = [
        float(line.split()[-1])
        for line in text.splitlines()
        if line.startswith(tuple(f"{name}{end}" for name in RESTORE_FAILURES for end in " {"))
    ]
    if not values and f"\n{_SYNCS}" not in text:
        raise KeyError(_SYNCS)
    return int(sum(values))
