"""systemd services: files in place, unit enabled and running with exactly these inputs.

After a start, the digest of everything the service reads at its start is kept on the node. A run that is
killed between writing a file and the restart leaves the old digest, and the next run restarts the service.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inventory.models.change import Change, PutFile, RemoveFile, Run
from inventory.models.command import Command, Script
from tasks.facts import files as file_facts
from tasks.facts import units as unit_facts
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations import files
from tasks.operations.files import STATE, Wanted

UNITS = "/etc/systemd/system"
APPLIED = f"{STATE}/applied"
START_TIMEOUT_S = 330.0  # above any TimeoutStartSec of ours: the reason is then in the journal

# $1 the unit. What the journal says last is the message where the service does not come up.
_START = """
systemctl daemon-reload && systemctl enable --quiet "$1" && systemctl restart "$1" && exit 0
journalctl -u "$1" -n 15 --no-pager -o cat | grep -v '^$' | tail -n 4 | tr '\\n' ' ' >&2
exit 1
"""


@dataclass(frozen=True)
class Service:
    """A service: its unit's name (`etcd.service`), the unit's text, the files and programs that it reads.

    `programs` maps paths to SHA-256: they are put in place elsewhere, and a new one restarts the service.
    Who does not know their digests says `follows_program`: a restart where what runs is no longer the file.
    `starts` is False for a service that another program starts first (kubelet: kubeadm).
    """

    unit: str
    text: str
    files: tuple[Wanted, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)
    starts: bool = True
    follows_program: bool = False

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """Every file of it, the unit's own last."""
        return (*self.files, Wanted(f"{UNITS}/{self.unit}", self.text.encode()))

    @property
    def stamp(self) -> Wanted:
        """The file on the node that says which inputs the service runs with."""
        lines = [f"{file.path} {file.sha256} {file.mode:o}" for file in self.wanted]
        lines += [f"{path} {digest}" for path, digest in sorted(self.programs.items())]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return Wanted(f"{APPLIED}/{self.unit}", f"{digest}\n".encode())


def _files(service: Service) -> Asked[Mapping[str, file_facts.FileFact]]:
    return file_facts.ask(files.paths((*service.wanted, service.stamp)))


def asked(service: Service) -> tuple[Asked[Any], ...]:
    """What to ask the host before `plan`."""
    return (_files(service), unit_facts.ask((service.unit,)))


def plan(host: str, facts: Facts, service: Service, why: str) -> list[Change]:
    """The changes that make it run as wanted."""
    there = facts.of(_files(service))
    unit = facts.of(unit_facts.ask((service.unit,)))[service.unit]
    changes = files.plan(host, there, service.wanted, why)
    stamp = service.stamp
    replaced = service.follows_program and unit.replaced
    current = there[stamp.path].sha256 == stamp.sha256 and unit.enabled == "enabled" and not replaced
    if current and (unit.running or not service.starts):
        return changes
    why_not = "" if current else ", the program was replaced" if replaced else ", other inputs"
    before = f"{unit.active}, {unit.enabled or 'no unit'}{why_not}"
    changes.append(
        Change(
            host,
            f"service {service.unit}",
            why,
            before,
            "active, enabled" if service.starts else "enabled",
            (
                Run(Script.of(_START, service.unit), timeout_s=START_TIMEOUT_S),
                PutFile(stamp.path, stamp.content, stamp.mode),
            ),
            (
                Run(Command.of("systemctl", "disable", "--now", service.unit)),
                RemoveFile(stamp.path),
            ),
        )
    )
    return changes
