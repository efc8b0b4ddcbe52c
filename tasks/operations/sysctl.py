"""The kernel profile: live values, and a file that sets them at every boot.

A floor never lowers a higher value. A value that this host cannot set (a container) is written to the file,
not set live: check TUN-LIVE shows it.
"""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.change import Change, Run
from inventory.models.command import Command, Script, Shellable
from inventory.models.tuning import HostSize, Rule
from inventory.profile import Profile
from tasks.facts.before import Record, Was
from tasks.facts.contents import Content
from tasks.facts.sysctl import Setting
from tasks.operations.before import Noted, file_changes
from tasks.operations.files import Wanted

PATH = "/etc/sysctl.d/90-safe-harbor.conf"
_EMPTY = 'echo > "/proc/sys/$(echo "$1" | tr . /)"'


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
    host: str, profile: Profile, live: Mapping[str, Setting], there: Mapping[str, Content], size: HostSize
) -> list[Noted]:
    """The file first, so that a run killed in between is complete after the next boot."""
    noted = file_changes(
        host, there, (wanted(profile, live, size),), f"profile {profile.name} outlives a reboot"
    )
    for rule, value in differing(profile, live, size):
        setting = live[rule.key]
        if setting.writable and setting.value is not None:
            change = _change(host, rule.key, rule.why, setting.value, value)
            noted.append(Noted(change, (Was("sysctl", rule.key, setting.value),)))
    return noted


def restore(host: str, record: Record, live: Mapping[str, Setting]) -> list[Change]:
    """Changes that put the recorded values back, the latest first.

    A key that is gone (its module is no longer loaded) has nothing to put back.
    """
    changes = []
    for was in reversed(tuple(record.of("sysctl"))):
        now = live[was.name].value
        if now is not None and was.value is not None and now != was.value:
            changes.append(_change(host, was.name, "as it was before the profile", now, was.value))
    return changes


def _change(host: str, key: str, why: str, before: str, after: str) -> Change:
    return Change(
        host, f"sysctl {key}", why, before, after, (Run(_set(key, after)),), (Run(_set(key, before)),)
    )


def _set(key: str, value: str) -> Shellable:
    # sysctl(8) takes no empty value, and some settings (a list of ports) are empty at first.
    return Command.of("sysctl", "-q", "-w", f"{key}={value}") if value else Script.of(_EMPTY, key)
