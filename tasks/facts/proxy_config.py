"""kube-proxy as a cluster's API shows it to be configured: a ConfigMap, or the flags of its DaemonSet.

Sources: kube-proxy's KubeProxyConfiguration v1alpha1; kubeadm keeps it in the ConfigMap `kube-proxy`, EKS in
`kube-proxy-config`. Where a file is given, kube-proxy heeds no flag of the same meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from inventory.models.cluster import ProxyMode
from tasks.drivers.ports import Kube

NAMESPACE = "kube-system"
CONFIG_MAPS = ("kube-proxy", "kube-proxy-config")
DAEMON_SET = "kube-proxy"
_KIND = "KubeProxyConfiguration"


@dataclass(frozen=True)
class ProxyConfig:
    """`mode` as it is written, which proves nothing of what runs. `source` and `raw` are the evidence."""

    mode: ProxyMode
    masquerade_all: bool
    source: str
    raw: str


def configured(kube: Kube) -> ProxyConfig | None:
    """None where the API shows no configuration. Raises what the port raises."""
    for name in CONFIG_MAPS:
        kept = kube.get("v1", "ConfigMap", name, namespace=NAMESPACE)
        found = of_config_map(kept) if kept else None
        if found is not None:
            return found
    daemons = kube.get("apps/v1", "DaemonSet", DAEMON_SET, namespace=NAMESPACE)
    return of_flags(daemons) if daemons else None


def of_config_map(config_map: Mapping[str, Any]) -> ProxyConfig | None:
    """The configuration that stands in it, under whatever key; an empty mode is the default, iptables."""
    for text in (config_map.get("data") or {}).values():
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if isinstance(document, dict) and document.get("kind", _KIND) == _KIND and "mode" in document:
            mode = _mode(document.get("mode"))
            own = document.get(str(mode)) or {}
            hides = isinstance(own, dict) and bool(own.get("masqueradeAll"))
            source = f"kubectl get configmap -n {NAMESPACE} {config_map['metadata']['name']} -o json"
            return ProxyConfig(mode, hides, source, json.dumps(document, default=str))
    return None


def of_flags(daemon_set: Mapping[str, Any]) -> ProxyConfig | None:
    """What its flags say; None where they name a file, or the pods run something else."""
    words = [word for container in _containers(daemon_set) for word in _words(container)]
    flags = dict(_flags(words))
    if "config" in flags or not any("kube-proxy" in word for word in words):
        return None
    source = f"kubectl get daemonset -n {NAMESPACE} {daemon_set['metadata']['name']} -o json"
    hides = flags.get("masquerade-all", "false") in ("", "true")
    return ProxyConfig(_mode(flags.get("proxy-mode")), hides, source, json.dumps(words))


def _mode(word: object) -> ProxyMode:
    try:
        return ProxyMode(str(word or ProxyMode.IPTABLES))
    except ValueError:
        return ProxyMode.UNKNOWN


def _containers(daemon_set: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(daemon_set["spec"]["template"]["spec"]["containers"])


def _words(container: Mapping[str, Any]) -> list[str]:
    return [str(word) for key in ("command", "args") for word in container.get(key) or ()]


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    for number, word in enumerate(words):
        if word.startswith("-"):
            name, given, value = word.lstrip("-").partition("=")
            after = words[number + 1] if number + 1 < len(words) else ""
            yield name, value if given or after.startswith("-") else after
