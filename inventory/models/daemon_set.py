"""A node's daemon that runs as pods: the words with which a person restarts it or reads its log."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DaemonSet:
    """`selector` is the label selector of its pods, as kubectl takes it (`app=flannel`)."""

    namespace: str
    name: str
    selector: str

    def restart(self, node: str) -> str:
        """Take away the pod of one node: the DaemonSet starts another."""
        return f"kubectl -n {self.namespace} delete pod {self._on(node)}"

    def log(self, node: str) -> str:
        """The last lines of the pod of one node."""
        pod = f"$(kubectl -n {self.namespace} get pod -o name {self._on(node)})"
        return f"kubectl -n {self.namespace} logs --tail=50 {pod}"

    def _on(self, node: str) -> str:
        return f"-l {self.selector} --field-selector spec.nodeName={node}"
