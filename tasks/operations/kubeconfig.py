"""The kubeconfig with which the lead reaches the new cluster."""

from __future__ import annotations

import yaml

from tasks.facts.asked import FactUnreadable


def reaching(admin: str, endpoint: str, cluster: str) -> bytes:
    """kubeadm's admin.conf, its server being `endpoint` (`host:port`) and its cluster's name `cluster`.

    Raises FactUnreadable where it is no kubeconfig. The message never holds its content, which has a key.
    """
    try:
        document = yaml.safe_load(admin)
        document["clusters"][0]["cluster"]["server"] = f"https://{endpoint}"
        context = document["contexts"][0]
        user = document["users"][0]["name"]
        document["clusters"][0]["name"] = cluster
        context["name"] = f"{user}@{cluster}"
        context["context"]["cluster"] = cluster
        document["current-context"] = context["name"]
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        raise FactUnreadable(
            cluster, "/etc/kubernetes/admin.conf is no kubeconfig", "run prepare again"
        ) from None
    return yaml.safe_dump(document, sort_keys=False).encode()
