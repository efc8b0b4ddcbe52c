"""The settings of a kernel profile: each has a value law, the reason for it, and the source of the number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from inventory.models.cluster import Declared

INFINITY = "infinity"


@dataclass(frozen=True)
class HostSize:
    """What values are derived from: a host's own, and the most pods that it may run among so many nodes."""

    processors: int
    memory_kib: int
    pods: int
    nodes: int

    @property
    def memory_gib(self) -> int:
        """Whole GiB, at least 1: kernels of two versions show some MiB less or more of the same memory."""
        return max(1, round(self.memory_kib / (1 << 20)))


class Law(Declared):
    """A value: `exact`, or at least `floor` and at least each product of the host's size.

    `at_most_per_gib` cuts what the products and the floor ask for, on a host that is too small for it. The
    set of terms is closed: a profile holds data, never an expression.
    """

    exact: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._,:/-]*$")
    floor: int | None = Field(default=None, ge=0)
    floor_per_core: int = Field(default=0, ge=0)
    floor_per_gib: int = Field(default=0, ge=0)
    floor_per_pod: int = Field(default=0, ge=0)
    floor_per_node: int = Field(default=0, ge=0)
    at_most_per_gib: int = Field(default=0, ge=0)
    why: str = Field(min_length=5)
    source: str = Field(min_length=5)

    @property
    def identity(self) -> str:
        """What a profile may name once, and a profile that extends it replaces or drops."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.exact is None) == (self.floor is None):
            raise ValueError("give either exact or floor")
        terms = ("floor_per_core", "floor_per_gib", "floor_per_pod", "floor_per_node", "at_most_per_gib")
        named = [term for term in terms if getattr(self, term)]
        if self.exact is not None and named:
            raise ValueError(f"{named[0]} needs a floor, and exact is given")
        return self

    def floor_for(self, size: HostSize) -> int:
        """The floor on a host of this size. Raises ValueError for an exact value."""
        if self.floor is None:
            raise ValueError(f"{self.identity} has no floor")
        asked = max(
            self.floor,
            self.floor_per_core * size.processors,
            self.floor_per_gib * size.memory_gib,
            self.floor_per_pod * size.pods,
            self.floor_per_node * size.nodes,
        )
        return min(asked, self.at_most_per_gib * size.memory_gib) if self.at_most_per_gib else asked

    def target(self, size: HostSize, live: str | None) -> str:
        """The value to have: the exact one, or the floor, or a higher one that is there already.

        Raises ValueError where a floor meets a value that is no number (`infinity` and `unlimited` are above
        every number, and stay).
        """
        if self.exact is not None:
            return self.exact
        if live is None:
            return str(self.floor_for(size))
        try:
            enough = amount(live) >= self.floor_for(size)
        except ValueError:
            raise ValueError(f"{self.identity} is {live!r}: a floor needs one number") from None
        return live if enough else str(self.floor_for(size))

    def holds(self, size: HostSize, live: str | None) -> bool:
        """Whether this value is as it should be."""
        return live is not None and self.target(size, live) == live


def amount(value: str) -> float:
    """A value as a number. Raises ValueError where it is none."""
    return math.inf if value in (INFINITY, "unlimited") else int(value)


class Rule(Law):
    """A sysctl, by its dotted name."""

    key: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_-]+)+$")

    @property
    def identity(self) -> str:
        """See `Law`."""
        return self.key


class ModuleOption(Law):
    """A parameter of a kernel module: given when it is loaded, and set in /sys/module where that is let."""

    module: str = Field(pattern=r"^[a-z0-9_]{1,40}$")
    option: str = Field(pattern=r"^[a-z0-9_]{1,40}$")

    @property
    def identity(self) -> str:
        """See `Law`."""
        return f"{self.module}.{self.option}"


class Limit(Law):
    """A limit of login sessions (pam_limits), soft and hard; `domain` is a user, @group or `*` (not root)."""

    domain: str = Field(pattern=r"^(\*|@?[a-z_][a-z0-9_-]{0,31})$")
    item: str = Field(pattern=r"^(core|data|fsize|memlock|nofile|stack|cpu|nproc|sigpending|msgqueue)$")

    @property
    def identity(self) -> str:
        """See `Law`."""
        return f"{self.domain}:{self.item}"


class UnitSetting(Law):
    """A setting of a systemd service, in a drop-in."""

    unit: str = Field(pattern=r"^[a-z0-9][a-z0-9@_.-]{0,60}\.service$")
    name: str = Field(pattern=r"^(LimitNOFILE|LimitNPROC|LimitMEMLOCK|LimitCORE|TasksMax)$")

    @property
    def identity(self) -> str:
        """See `Law`."""
        return f"{self.unit}:{self.name}"


class LinkSetting(Law):
    """A setting of the underlay interface.

    `ring-rx`, `ring-tx` and `channels-combined` have a floor, and get at most what the hardware has;
    `feature-NAME` is exactly on or off, NAME as `ethtool -k` shows it; `rps-cpus` is exactly `spread` (every
    processor, where there are fewer receive queues than processors) or `off`; `irq-affinity` is exactly
    `spread` (each queue's interrupts on one processor, in turn, where several queues are and no irqbalance).
    """

    name: str = Field(
        pattern=r"^(ring-[rt]x|channels-combined|rps-cpus|irq-affinity|feature-[a-z0-9-]{2,40})$"
    )

    @property
    def identity(self) -> str:
        """See `Law`."""
        return self.name

    @model_validator(mode="after")
    def _fits(self) -> Self:
        allowed = {"rps-cpus": ("spread", "off"), "irq-affinity": ("spread",)}.get(self.name, ("on", "off"))
        if self.name.startswith(("ring", "channels")):
            if self.floor is None:
                raise ValueError(f"{self.name} has a floor, no exact value")
        elif self.exact not in allowed:
            raise ValueError(f"{self.name} is exactly {' or '.join(allowed)} (in quotes)")
        return self
