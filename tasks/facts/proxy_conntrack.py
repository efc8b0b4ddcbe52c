"""What kube-proxy is told to make of the connection-tracking table, by its own /configz.

The page has the words of KubeProxyConfiguration (`conntrack.maxPerCore`) or of kube-proxy's own structure
(`Linux.Conntrack.MaxPerCore`), depending on the release. 0 a core leaves the kernel's value as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PAGE = "configz"
PER_CORE, LEAST = 32768, 131072  # kube-proxy's defaults


@dataclass(frozen=True)
class ProxyConntrack:
    """Entries a core, and at least so many; a release that names neither takes its defaults."""

    per_core: int
    least: int

    @property
    def leaves_it(self) -> bool:
        """Whether the kernel's own value stays."""
        return self.per_core == 0

    @property
    def lower(self) -> bool:
        """Whether the table is made smaller than by default."""
        return not self.leaves_it and (self.per_core < PER_CORE or self.least < LEAST)


def parse(text: str) -> ProxyConntrack:
    """Raises ValueError where the page has no such section."""
    for section in _sections(json.loads(text)):
        words = {key.lower(): value for key, value in section.items()}
        if "maxpercore" in words:
            per_core, least = words["maxpercore"], words.get("min")
            return ProxyConntrack(
                PER_CORE if per_core is None else int(per_core), LEAST if least is None else int(least)
            )
    raise ValueError("no section of connection tracking")


def _sections(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _sections(each)
