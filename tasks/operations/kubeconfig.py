"""The kubeconfig with which the lead reaches the new cluster."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from tasks.facts.asked import FactUnreadable


def reaching(admin: str, endpoints: Sequence[str], cluster: str) -> bytes:
    """kubeadm's admin.conf with a context for each of `endpoints` (`host:port`), the first one current.

    The contexts are `USER@CLUSTER`, `USER@CLUSTER-2` and so on: the same cluster by another of its servers.
    Raises FactUnreadable where it is no kubeconfig. The message never holds its content, which has a key.
    """
    try:
        document = yaml.safe_load(admin)
        authority = document["clusters"][0]["cluster"]["certificate-authority-data"]
        user = document["users"][0]["name"]
        names = [cluster, *(f"{cluster}-{number}" for number in range(2, len(endpoints) + 1))]
        document["clusters"] = [
            {
                "name": name,
                "cluster": {"certificate-authority-data": authority, "server": f"https://{endpoint}"},
            }
            for name, endpoint in zip(names, endpoints, strict=True)
        ]
        document["contexts"] = [
            {"name": f"{user}@{name}", "context": {"cluster": name, "user": user}} for name in names
        ]
        document["current-context"] = f"{user}@{cluster}"
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        raise FactUnreadable(
            cluster, "/etc/kubernetes/admin.conf is no kubeconfig", "run prepare again"
        ) from None
    return yaml.safe_dump(document, sort_keys=False).encode()
