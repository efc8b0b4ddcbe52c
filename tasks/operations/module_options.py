"""Parameters of kernel modules: an option for when one is loaded, and the live value in /sys/module."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.change import Change, Run
from inventory.models.command import Script
from inventory.models.tuning import HostSize
from inventory.profile import Profile
from tasks.facts.before import Record, Was
from tasks.facts.contents import Content
from tasks.facts.sysctl import Setting
from tasks.operations.before import Noted, file_changes
from tasks.operations.files import Wanted

PATH = "/etc/modprobe.d/safe-harbor.conf"
_SET = 'echo "$2" > "/sys/module/${1%%.*}/parameters/${1#*.}"'


def names(profile: Profile) -> tuple[str, ...]:
    """The parameters of a profile, as `module.option`."""
    return tuple(each.identity for each in profile.module_options)


def wanted(profile: Profile, live: Mapping[str, Setting], size: HostSize) -> Wanted:
    """The file of options; no content where the profile has none."""
    lines = [f"# kernel profile {profile.name}, written by safe-harbor"]
    for rule in profile.module_options:
        value = rule.target(size, live[rule.identity].value)
        lines += [f"# {rule.why}", f"options {rule.module} {rule.option}={value}"]
    return Wanted(PATH, ("\n".join(lines) + "\n").encode() if profile.module_options else b"")


def plan(
    host: str, profile: Profile, live: Mapping[str, Setting], there: Mapping[str, Content], size: HostSize
) -> list[Noted]:
    """The file, and what can be set now. Of a module that is yet to be loaded only the file."""
    why = f"profile {profile.name}: given when the module is loaded"
    noted = file_changes(host, there, (wanted(profile, live, size),), why)
    for rule in profile.module_options:
        setting = live[rule.identity]
        value = rule.target(size, setting.value)
        if setting.writable and setting.value is not None and setting.value != value:
            change = _change(host, rule.identity, rule.why, setting.value, value)
            noted.append(Noted(change, (Was("parameter", rule.identity, setting.value),)))
    return noted


def restore(host: str, record: Record, live: Mapping[str, Setting]) -> list[Change]:
    """Changes that put the recorded values back, the latest first."""
    changes = []
    for was in reversed(tuple(record.of("parameter"))):
        now = live[was.name].value
        if now is not None and was.value is not None and now != was.value:
            changes.append(_change(host, was.name, "as it was before the profile", now, was.value))
    return changes


def _change(host: str, name: str, why: str, before: str, after: str) -> Change:
    undo = (Run(Script.of(_SET, name, before)),)
    return Change(
        host, f"module option {name}", why, before, after, (Run(Script.of(_SET, name, after)),), undo
    )
