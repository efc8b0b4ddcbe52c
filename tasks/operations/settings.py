"""The settings of a node, phase by phase: what to ask, what to change and record, and how to undo it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.site import Side
from inventory.models.tuning import HostSize
from inventory.printable import printable
from inventory.profile import Profile
from tasks.facts import before as record_facts
from tasks.facts import (
    capabilities,
    config_files,
    contents,
    link_settings,
    memory,
    module_parameters,
    units,
)
from tasks.facts import interrupts as interrupt_facts
from tasks.facts import modules as module_facts
from tasks.facts import sysctl as sysctl_facts
from tasks.facts.asked import Asked, FactUnreadable
from tasks.facts.before import Record, Was
from tasks.facts.capabilities import CAP_SYS_RESOURCE
from tasks.facts.gather import Facts
from tasks.operations import before, interrupts, limits, links, module_options, modules, sysctl
from tasks.operations.before import Noted, file_changes, recorded

Questions = tuple[Asked[Any], ...]


class Subject(Protocol):
    """Nodes and the profile that they shall have: a whole preparation, or what a check looks at."""

    @property
    def profile(self) -> Profile:
        """The profile."""

    @property
    def target(self) -> Side:
        """The nodes and their cluster."""


def modules_asked(subject: Subject, _: Node) -> Questions:
    """Modules, their parameters, the files of both."""
    profile = subject.profile
    return (
        module_facts.ask(profile.modules),
        module_parameters.ask(module_options.names(profile)),
        contents.ask((modules.PATH, module_options.PATH)),
        memory.ask(),
        record_facts.ask(),
    )


def modules_plan(subject: Subject, node: Node, facts: Facts) -> list[Change]:
    """Options come before the modules are loaded: that is when they are read."""
    states, parameters, files, size, record = modules_asked(subject, node)
    profile, there, host = subject.profile, facts.of(files), node.name
    at_boot = (modules.wanted(profile.modules),)
    noted = file_changes(host, there, at_boot, "the cluster's network needs these modules at boot")
    with _understood(host):
        noted += module_options.plan(
            host, profile, facts.of(parameters), there, _size(subject, facts.of(size))
        )
    for change in modules.loading(host, facts.of(states), profile.modules):
        name = change.subject.rpartition(" ")[2]
        noted.append(Noted(change, (Was("module", name, None),)))
    return recorded(host, facts.of(record), noted)


def sysctl_asked(subject: Subject, _: Node) -> Questions:
    """Live values, and the file."""
    keys = sysctl_facts.ask(subject.profile.keys)
    return (keys, contents.ask((sysctl.PATH,)), memory.ask(), record_facts.ask())


def sysctl_plan(subject: Subject, node: Node, facts: Facts) -> list[Change]:
    """The kernel profile."""
    live, file, size, record = sysctl_asked(subject, node)
    host = _size(subject, facts.of(size))
    with _understood(node.name):
        noted = sysctl.plan(node.name, subject.profile, facts.of(live), facts.of(file), host)
    return recorded(node.name, facts.of(record), noted)


def limits_asked(subject: Subject, _: Node) -> Questions:
    """Our files, those of others, and whether limits may be raised here."""
    profile = subject.profile
    return (
        contents.ask(limits.paths(profile)),
        config_files.ask(limits.sources(profile)),
        memory.ask(),
        capabilities.ask(),
        record_facts.ask(),
    )


def limits_plan(subject: Subject, node: Node, facts: Facts) -> list[Change]:
    """Limits of sessions and services."""
    files, others, size, able, record = limits_asked(subject, node)
    host = _size(subject, facts.of(size))
    noted = limits.plan(node.name, subject.profile, facts.of(files), facts.of(others), host, facts.of(able))
    return recorded(node.name, facts.of(record), noted)


def links_asked(subject: Subject, node: Node) -> Questions:
    """The underlay interface, and the rules of udev."""
    asked = (contents.ask((links.PATH,)), memory.ask(), record_facts.ask())
    return (*asked, link_settings.ask(node.interface)) if subject.profile.links else asked


def links_plan(subject: Subject, node: Node, facts: Facts) -> list[Change]:
    """The underlay interface's settings."""
    file, size, record, *link = links_asked(subject, node)
    host = _size(subject, facts.of(size))
    found = facts.of(link[0]) if link else None
    noted = links.plan(node.name, subject.profile, found, facts.of(file), host)
    return recorded(node.name, facts.of(record), noted)


def interrupts_asked(subject: Subject, node: Node) -> Questions:
    """The card's interrupts and address, and who else sets them."""
    common = (contents.ask(interrupts.PATHS), memory.ask(), record_facts.ask())
    if interrupts.setting_of(subject.profile) is None:
        return common
    link = link_settings.ask(node.interface)
    return (*common, link, interrupt_facts.ask(node.interface), units.ask((interrupts.BALANCER,)))


def interrupts_plan(subject: Subject, node: Node, facts: Facts) -> list[Change]:
    """The interrupts of the underlay's card."""
    files, size, record, *card = interrupts_asked(subject, node)
    there, mac, found, wish = facts.of(files), "", (), None
    if card:
        link, interrupts_now, balancer = card
        mac, found = facts.of(link).mac, facts.of(interrupts_now)
        balanced = facts.of(balancer)[interrupts.BALANCER].running
        wish = interrupts.target(found, facts.of(size).processors, balanced=balanced)
    noted = interrupts.plan(node.name, subject.profile, node.interface, mac, found, there, wish)
    return recorded(node.name, facts.of(record), noted)


def asked(subject: Subject, node: Node) -> Questions:
    """The questions of all the phases, each once."""
    parts = (modules_asked, sysctl_asked, limits_asked, links_asked, interrupts_asked)
    return tuple({each.command.render(): each for part in parts for each in part(subject, node)}.values())


def differing(subject: Subject, node: Node, facts: Facts) -> list[Change]:
    """What all the phases would change on this node, as it is now."""
    plans = (modules_plan, sysctl_plan, limits_plan, links_plan, interrupts_plan)
    changes = [change for plan in plans for change in plan(subject, node, facts)]
    return [change for change in changes if not change.subject.startswith("record ")]


def out_of_reach(subject: Subject, node: Node, facts: Facts) -> list[str]:
    """What this host cannot have, and what there is instead: read-only, missing, not in its hardware."""
    live, _, machine, _ = sysctl_asked(subject, node)
    parameters = modules_asked(subject, node)[1]
    able = limits_asked(subject, node)[3]
    link = links_asked(subject, node)[3:]
    size = _size(subject, facts.of(machine))
    profile = subject.profile
    found = []
    for law in (*profile.sysctls, *profile.module_options):
        values = facts.of(live) if law.identity in facts.of(live) else facts.of(parameters)
        setting = values[law.identity]
        with _understood(node.name):
            holds = law.holds(size, setting.value)
        if not holds and not setting.writable:
            there = "missing" if setting.value is None else f"{setting.value} and read-only"
            found.append(f"{law.identity} is {there}")
    if CAP_SYS_RESOURCE not in facts.of(able):
        found += [f"{law.identity}: limits cannot be raised" for law in (*profile.limits, *profile.units)]
    for law in profile.links if link else ():
        if law.name != interrupts.NAME and links.now(facts.of(link[0]), law.name) is None:
            found.append(f"{node.interface} has no {law.name} that can be set")
    return found


def undo_asked(record: Record) -> Questions:
    """What is there now of all that is recorded."""
    return (
        sysctl_facts.ask([was.name for was in record.of("sysctl")]),
        module_parameters.ask([was.name for was in record.of("parameter")]),
        module_facts.ask([was.name for was in record.of("module")]),
        contents.ask([was.name for was in record.of("file", "symlink")]),
        *(link_settings.ask(name) for name in _interfaces(record)),
        *(interrupt_facts.ask(was.name) for was in record.of("interrupts")),
    )


def undo_plan(host: str, record: Record, facts: Facts) -> list[Change]:
    """Back to what is recorded: live values, then files, then modules; the record goes last."""
    live, parameters, states, files, *others = undo_asked(record)
    asked_links, served = others[: len(_interfaces(record))], others[len(_interfaces(record)) :]
    changes = [
        change
        for was, question in zip(record.of("interrupts"), served, strict=True)
        for change in interrupts.restore(host, record, was.name, facts.of(question))
    ]
    changes += [each for link in asked_links for each in links.restore(host, record, facts.of(link))]
    changes += sysctl.restore(host, record, facts.of(live))
    changes += module_options.restore(host, record, facts.of(parameters))
    changes += before.restore_files(host, record, facts.of(files))
    changes += modules.unloading(host, facts.of(states))
    return [*changes, *before.forget(host, record)]


@contextmanager
def _understood(host: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        remedy = "give the setting an exact value in the profile"
        raise FactUnreadable(host, printable(str(error)), remedy) from None


def _interfaces(record: Record) -> Sequence[str]:
    return sorted({was.name.partition(" ")[0] for was in record.of("interface")})


def _size(subject: Subject, found: memory.Memory) -> HostSize:
    return subject.target.size(found.processors, found.total_kib)
