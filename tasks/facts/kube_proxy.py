"""kube-proxy's own words: its mode and its metrics (127.0.0.1:10249)."""

from __future__ import annotations

from collections.abc import Mapping

RESTORE_FAILURES = "kubeproxy_sync_proxy_rules_iptables_restore_failures_total"
METRICS = "http://127.0.0.1:10249"
HEALTH = "http://127.0.0.1:10256"


def parse_metrics(text: str) -> Mapping[str, float]:
    """Metrics without labels. Raises ValueError where a line is not of the Prometheus text format."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line and not line.startswith("#") and "{" not in line:
            name, value = line.split()[:2]
            found[name] = float(value)
    return found


def restore_failures(text: str) -> int:
    """How often iptables-restore failed since kube-proxy started, over all IP families.

    Raises KeyError where the metric is missing, which is not the same as none.
    """
    values = [
        float(line.split()[-1])
        for line in text.splitlines()
        if line.startswith((f"{RESTORE_FAILURES} ", f"{RESTORE_FAILURES}{{"))
    ]
    if not values:
        raise KeyError(RESTORE_FAILURES)
    return int(sum(values))
