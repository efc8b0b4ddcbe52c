"""kube-proxy's own words: where it tells them, and what it counts."""

from __future__ import annotations

RESTORE_FAILURES = "kubeproxy_sync_proxy_rules_iptables_restore_failures_total"
_RULES_TOTAL = "kubeproxy_sync_proxy_rules_iptables_total"
METRICS = "http://127.0.0.1:10249"
HEALTH = "http://127.0.0.1:10256"


def restore_failures(text: str) -> int:
    """How often iptables-restore failed since kube-proxy started, over all IP families.

    kube-proxy 1.37 shows the counter only after a first failure; that the others of iptables mode are there
    proves that none is none. Raises KeyError where they are missing, too.
    """
    values = [
        float(line.split()[-1])
        for line in text.splitlines()
        if line.startswith((f"{RESTORE_FAILURES} ", f"{RESTORE_FAILURES}{{"))
    ]
    if not values and f"\n{_RULES_TOTAL}" not in text:
        raise KeyError(_RULES_TOTAL)
    return int(sum(values))
