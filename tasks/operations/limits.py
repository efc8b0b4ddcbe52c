"""Limits of login sessions and of services: files that pam_limits and systemd read.

A host whose services may not raise a limit (CAP_SYS_RESOURCE is missing, as in many containers) gets none: a
session or a service would be refused at its start. Check TUN-HELD says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inventory.models.tuning import INFINITY, HostSize, UnitSetting
from inventory.profile import Profile
from tasks.facts.capabilities import CAP_SYS_RESOURCE
from tasks.facts.config_files import ConfigFile
from tasks.facts.contents import Content
from tasks.facts.process_limits import ProcessLimits
from tasks.operations import assigned
from tasks.operations.before import DROP_INS, Noted, file_changes
from tasks.operations.files import Wanted

PATH = "/etc/security/limits.d/90-safe-harbor.conf"
DROP_IN = "90-safe-harbor.conf"
_FILES = "LimitNOFILE"
# A kubelet sets its own at its start (maxOpenFiles of its configuration), whatever its unit says.
_OWN = {f"kubelet.service:{_FILES}": 1_000_000}


def drop_in(unit: str) -> str:
    """The path of our drop-in of a service."""
    return f"{DROP_INS}{unit}.d/{DROP_IN}"


def paths(profile: Profile) -> tuple[str, ...]:
    """Every file of it, and those of services that an earlier profile may have had."""
    units = dict.fromkeys(("containerd.service", "kubelet.service", *(each.unit for each in profile.units)))
    return (PATH, *(drop_in(unit) for unit in units))


def sources(profile: Profile) -> tuple[str, ...]:
    """The files of others that may hold a higher value: what to ask the host for."""
    units = sorted({each.unit for each in profile.units})
    found = assigned.patterns(assigned.LIMITS_FOLDERS, assigned.LIMITS_CONF)
    for unit in units:
        found += tuple(f"{folder}/{unit}" for folder in assigned.UNIT_FOLDERS)
        found += tuple(f"{folder}/{unit}.d/*.conf" for folder in assigned.UNIT_FOLDERS)
    return found


def wanted(
    profile: Profile, others: Sequence[ConfigFile], size: HostSize, capabilities: frozenset[int]
) -> list[Wanted]:
    """Every file of `paths`; one without content shall not be there."""
    able = CAP_SYS_RESOURCE in capabilities
    head = f"# kernel profile {profile.name}, written by safe-harbor\n"
    lines = dict.fromkeys(paths(profile), "")
    for limit in profile.limits if able else ():
        there = value_beside_ours(others, limit.identity)
        value = limit.target(size, there)
        lines[PATH] += f"# {limit.why}\n{limit.domain} - {limit.item} {value}\n"
    for setting in profile.units if able else ():
        path = drop_in(setting.unit)
        value = setting.target(size, value_beside_ours(others, setting.identity))
        lines[path] = (lines[path] or "[Service]\n") + f"# {setting.why}\n{setting.name}={value}\n"
    return [Wanted(path, (head + text).encode() if text else b"") for path, text in lines.items()]


def value_beside_ours(others: Sequence[ConfigFile], identity: str) -> str | None:
    """The value that other files give, where it is a number: a floor must not lower it."""
    found = winner([file for file in others if file.path not in (PATH,) and file.name != DROP_IN], identity)
    return (
        found.value
        if found and (found.value.isdecimal() or found.value in ("infinity", "unlimited"))
        else None
    )


def winner(files: Sequence[ConfigFile], identity: str) -> assigned.Assigned | None:
    """The assignment of a limit or a service's setting that counts, ours included."""
    if ".service:" not in identity:
        ours = [file for file in files if file.path.startswith("/etc/security/")]
        order = assigned.in_order(ours, assigned.LIMITS_FOLDERS, first=assigned.LIMITS_CONF)
        return assigned.last_of(order, assigned.limits, identity)
    unit = identity.partition(":")[0]
    main = [file for file in files if file.name == unit]
    folders = [f"{folder}/{unit}.d" for folder in assigned.UNIT_FOLDERS]
    drop_ins = [file for file in files if file.folder in folders]
    order = [*assigned.in_order(main, assigned.UNIT_FOLDERS), *assigned.in_order(drop_ins, folders)]
    return assigned.last_of(order, assigned.unit_settings, identity)


def outrun(profile: Profile, size: HostSize, running: ProcessLimits) -> Iterator[tuple[UnitSetting, str]]:
    """The services that run with other limits than the profile's, and what they run with.

    A service that does not run has none; how many tasks one may have (TasksMax) is systemd's to hold, and
    follows its file at once.
    """
    for setting in profile.units:
        soft, hard = running.units.get(setting.unit, {}).get(setting.name, ("", ""))
        if soft and not all(_runs_with(setting, size, value, running.nr_open) for value in (soft, hard)):
            yield setting, soft if soft == hard else f"{soft} (at most {hard})"


def _runs_with(setting: UnitSetting, size: HostSize, value: str, nr_open: int) -> bool:
    if value == "unlimited" and setting.exact in (None, INFINITY):
        return True
    if setting.exact == INFINITY and setting.name == _FILES:
        return int(value) >= nr_open
    own = _OWN.get(setting.identity)
    return setting.holds(size, value) or (own is not None and value == str(own))


def plan(
    host: str,
    profile: Profile,
    there: Mapping[str, Content],
    others: Sequence[ConfigFile],
    size: HostSize,
    capabilities: frozenset[int],
) -> list[Noted]:
    """The files that differ; a service that runs is restarted with its new limits."""
    files = wanted(profile, others, size, capabilities)
    return file_changes(host, there, files, f"profile {profile.name}: enough files and processes")
