"""nftables is offered above a thousand Services, and only to who has not declared it."""

from __future__ import annotations

import pytest

from inventory.models.cluster import ProxyMode
from tasks.operations.proxy_scale import MANY_SERVICES, advice


@pytest.mark.parametrize(
    ("mode", "services", "offered"),
    [
        (ProxyMode.IPTABLES, MANY_SERVICES, False),
        (ProxyMode.IPTABLES, MANY_SERVICES + 1, True),
        (ProxyMode.NFTABLES, 5 * MANY_SERVICES, False),
    ],
)
def test_nftables_is_offered_where_it_pays(mode: ProxyMode, services: int, offered: bool) -> None:
    assert bool(advice(mode, services)) is offered
    assert (str(services) in advice(mode, services)) is offered
