"""Weave Net: recognised where it runs, and left. Its project was archived in June 2024.

What it leaves on a node is found and removed by `tasks/operations/weave_leftovers.py`, whatever network
comes after it.
"""

from __future__ import annotations

from typing import NoReturn

from inventory.errors import BadInput
from inventory.models.site import Site

KIND = "weave"


def network(_: Site) -> NoReturn:
    """Raises BadInput: nobody mends it any more."""
    raise BadInput(
        "target.cluster.network.kind: weave is not stood up: its project was archived in 2024 and nobody "
        "mends it; allowed instead: flannel_wireguard where traffic between nodes must be encrypted, else "
        "flannel_vxlan (`safe-harbor network recommend` says which)"
    )
