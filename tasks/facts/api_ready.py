"""Whether API servers answer to a node, asked with the node's own kubeconfig."""

from __future__ import annotations

from collections.abc import Sequence

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

# Each `host:port`: `ok`, or the last line of what kubectl complains about.
_PROGRAM = """
for server do
  said=$(kubectl --kubeconfig /etc/kubernetes/kubelet.conf --server "https://$server" \\
    --request-timeout=5s get --raw /readyz 2>&1 | tail -n 1 | tr '\\t' ' ')
  printf '%s\\t%s\\n' "$server" "$said"
done
"""


def command(servers: Sequence[str]) -> Shellable:
    """Ask these, each as `host:port`."""
    return Script.of(_PROGRAM, *servers)


def parse(output: str) -> dict[str, str]:
    """Server -> `ok` or what was said instead. Raises ValueError where a line is no answer."""
    found = {}
    for line in output.splitlines():
        server, said = fields(line, 2)
        found[server] = said
    return found


def ask(servers: Sequence[str]) -> Asked[dict[str, str]]:
    """The question."""
    return Asked("API servers", command(servers), parse)
