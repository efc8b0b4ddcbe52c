"""A fault as a value: what it does to a node or the cluster, how it is undone, which check must name it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from inventory.models.cluster import Node, Role
from inventory.models.command import Command, Script, Word
from tasks.checks.context import DataPlane
from tasks.drivers.ports import Host


@dataclass(frozen=True)
class Where:
    """The site that a fault strikes; `node` is the one that it strikes."""

    context: DataPlane
    node: Node

    @property
    def host(self) -> Host:
        """The struck node."""
        return self.context.hosts[self.node.name]

    @property
    def plane(self) -> Node:
        """The first control-plane node."""
        return self.context.site.target.having(Role.CONTROL_PLANE)[0]

    @property
    def peer(self) -> Node:
        """Another node than the struck one."""
        return next(node for node in self.context.site.target.nodes if node.name != self.node.name)


Act = Callable[[Where], None]


@dataclass(frozen=True)
class Fault:
    """`primary` is the code of the check that must name the cause; others may fail behind it.

    `undo` is harmless where there is nothing to undo. `needs` is a file that must be writable on the node for
    it: some settings exist only where a node has a kernel of its own, which a container has not.
    """

    name: str
    what: str
    primary: str
    create: Act
    undo: Act
    needs: str = ""

    def possible(self, where: Where) -> bool:
        """Whether the struck node has what the fault needs. Raises what `Host.run` raises."""
        return not self.needs or where.host.run(Command.of("test", "-w", self.needs)).ok


def on_node(program: str, *words: Callable[[Where], Word]) -> Act:
    """Run a fixed program on the struck node; `words` become its `$1`, `$2`, ..."""

    def act(where: Where) -> None:
        where.host.check(Script.of(program, *(word(where) for word in words)))

    return act


def constant(word: Word) -> Callable[[Where], Word]:
    """A word that is the same on every node."""
    return lambda _: word


@contextmanager
def struck(fault: Fault, where: Where) -> Iterator[None]:
    """The fault for the time of the block. Raises what its commands raise, after the undo."""
    try:
        fault.create(where)
        yield
    finally:
        with uninterrupted():
            fault.undo(where)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the block has ended, and then do what they would have done."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in received:
            signal.raise_signal(late)
