"""The kernel profile: live values, and a file that sets them at every boot.

A floor never lowers a higher value. A value that this host cannot set (a container) is written to the file,
not set live: check TUN-LIVE shows it.
"""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.change import Change, Run
from inventory.models.command import Command
from inventory.models.tuning import HostSize, Rule
from inventory.profile import Profile
from tasks.facts.files import FileFact
from tasks.facts.sysctl import Setting
from tasks.operations import files
from tasks.operations.files import Wanted

PATH = "/etc/sysctl.d/90-safe-harbor.conf"


def wanted(profile: Profile, live: Mapping[str, Setting], size: HostSize) -> Wanted:
    """The file that sets the profile at boot."""
    lines = [f"# kernel profile {profile.name}, written by safe-harbor"]
    for rule in profile.sysctls:
        lines += [f"# {rule.why}", f"{rule.key} = {rule.target(size, live[rule.key].value)}"]
    return Wanted(PATH, ("\n".join(lines) + "\n").encode())


def differing(profile: Profile, live: Mapping[str, Setting], size: HostSize) -> list[tuple[Rule, str]]:
    """Every rule whose live value is not as it should be, with the value it should have."""
    found = []
    for rule in profile.sysctls:
        value = rule.target(size, live[rule.key].value)
        if live[rule.key].value != value:
            found.append((rule, value))
    return found


def plan(
    host: str,
    profile: Profile,
    live: Mapping[str, Setting],
    file: Mapping[str, FileFact],
    size: HostSize,
) -> list[Change]:
    """The file first, so that a run killed in between is complete after the next boot."""
    changes = files.plan(
        host, file, (wanted(profile, live, size),), f"profile {profile.name} outlives a reboot"
    )
    for rule, value in differing(profile, live, size):
        setting = live[rule.key]
        if not setting.writable or setting.value is None:
            continue
        changes.append(
            Change(
                host,
                f"sysctl {rule.key}",
                rule.why,
                setting.value,
                value,
                (Run(_set(rule.key, value)),),
                (Run(_set(rule.key, setting.value)),),
            )
        )
    return changes


def _set(key: str, value: str) -> Command:
    return Command.of("sysctl", "-q", "-w", f"{key}={value}")
