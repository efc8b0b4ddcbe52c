"""The remedy of the VXLAN checksum bug: the overlay's link computes checksums itself.

Some kernels and cards compute the outer checksum of VXLAN packets wrongly. It costs bulk throughput (0.24x of
what it was), so it is done only where the site declares it, after check FL-CSUM has found the bug. A drop-in
of flanneld sets it again whenever flanneld makes the link anew; one that nobody declares any more goes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inventory.models.change import Change, Run
from inventory.models.cluster import Cluster
from inventory.models.command import Command, Script
from tasks.facts import files as file_facts
from tasks.facts import link_checksum
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations import files
from tasks.operations.files import Wanted
from tasks.operations.flannel_backends import backend_of
from tasks.operations.units import UNITS

PATH = f"{UNITS}/flanneld.service.d/50-safe-harbor-checksum.conf"
KIND = "flannel_vxlan"
_ASIDE = f"{files.STATE}/taken-out/50-safe-harbor-checksum.conf"
_MOVE = 'mkdir -p "$(dirname "$2")" && mv -f -- "$1" "$2"'
_WHY = "the site declares the VXLAN checksum bug (network.vxlan_checksum_off)"
_GONE = "the site does not declare the VXLAN checksum bug any more"
_RELOAD = Run(Command.of("systemctl", "daemon-reload"))
_DROP_IN = """# Written by safe-harbor: {why}
[Service]
ExecStartPost=/usr/sbin/ethtool -K {link} {feature} off
"""


def link_of(cluster: Cluster) -> str:
    """The link of the declared overlay; empty where it is none of VXLAN."""
    backend = backend_of(cluster.network)
    return backend.link if backend is not None and cluster.network.kind == KIND else ""


def wanted(cluster: Cluster) -> Wanted | None:
    """The drop-in; None where none shall be."""
    link = link_of(cluster)
    if not link or not cluster.network.vxlan_checksum_off:
        return None
    return Wanted(PATH, _DROP_IN.format(why=_WHY, link=link, feature=link_checksum.FEATURE).encode())


def questions(cluster: Cluster) -> tuple[Asked[Any], ...]:
    """What must be known of the node."""
    link = link_of(cluster)
    there: tuple[Asked[Any], ...] = (file_facts.ask((PATH,)),)
    return (*there, link_checksum.ask(link)) if link else there


def plan(host: str, cluster: Cluster, facts: Facts) -> list[Change]:
    """The drop-in, and the link as it is now. To be applied before flanneld starts: it reads the drop-in.

    A link that is not there yet is made by flanneld, with what the drop-in says. Without a declaration only
    what our own drop-in has set is put back: a link that somebody else has set so stays.
    """
    there = facts.of(file_facts.ask((PATH,)))
    link, drop_in = link_of(cluster), wanted(cluster)
    on = facts.of(link_checksum.ask(link)) if link else None
    if drop_in is not None:
        changes = [_reloading(change) for change in files.plan(host, there, (drop_in,), _WHY)]
        return [*changes, _switch(host, link, _WHY, on=False)] if on else changes
    if not there[PATH].exists:
        return []
    changes = [_taken_out(host, str(there[PATH]))]
    return [*changes, _switch(host, link, _GONE, on=True)] if on is False else changes


def _reloading(change: Change) -> Change:
    return replace(change, apply=(*change.apply, _RELOAD), undo=(*change.undo, _RELOAD))


def _taken_out(host: str, before: str) -> Change:
    apply, undo = Run(Script.of(_MOVE, PATH, _ASIDE)), Run(Script.of(_MOVE, _ASIDE, PATH))
    return _reloading(Change(host, f"file {PATH}", _GONE, before, "absent", (apply,), (undo,)))


def _switch(host: str, link: str, why: str, *, on: bool) -> Change:
    def to(value: str) -> Run:
        return Run(Command.of("ethtool", "-K", link, link_checksum.FEATURE, value))

    words = ("off", "on") if on else ("on", "off")
    subject = f"interface {link} {link_checksum.FEATURE}"
    return Change(host, subject, why, *words, (to(words[1]),), (to(words[0]),))
