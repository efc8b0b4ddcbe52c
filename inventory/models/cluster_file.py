"""One cluster that is only looked at: what reaches it, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from inventory.models.cluster import Declared, Fabric, Node
from inventory.models.finding import Waiver
from inventory.models.ssh import Ssh

SCHEMA = "safe-harbor/cluster/v1"


class ClusterFile(Declared):
    """A kubeconfig, or nodes with SSH, or both. `cluster` is read from the API where it is left out."""

    schema_: Literal["safe-harbor/cluster/v1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    kubeconfig: Path | None = None
    ssh: Ssh | None = None
    nodes: tuple[Node, ...] = ()
    cluster: Fabric | None = None
    namespaces: tuple[str, ...] = ()  # whose workloads are judged; empty: all but kube-*
    profile: str = "article-2016"
    profiles: Path | None = None
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.kubeconfig is None and not self.nodes:
            raise ValueError(
                "name a kubeconfig, or nodes with ssh, or both: nothing can be looked at otherwise"
            )
        if self.nodes and self.ssh is None:
            raise ValueError("nodes need ssh: {identity_file: ...}")
        if self.kubeconfig is None and self.cluster is None:
            raise ValueError("without a kubeconfig give cluster: {name, pod_cidr, service_cidr}")
        for what in ("name", "address"):
            values = [getattr(node, what) for node in self.nodes]
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"two nodes have the {what} {value}")
        return self
