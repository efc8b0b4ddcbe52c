"""Who else sets what a profile sets, and would win: later files, tuned, cloud-init, NetworkManager."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from inventory.models.tuning import HostSize, Law, LinkSetting, UnitSetting
from inventory.profile import Profile
from tasks.facts.cloud_init import Line
from tasks.facts.config_files import ConfigFile
from tasks.facts.link_settings import LinkSettings
from tasks.facts.network_manager import Entry
from tasks.operations import assigned, limits, link_rivals, links, module_options, modules, sysctl
from tasks.operations import tuned as tuned_profiles
from tasks.operations.assigned import Assigned

_OURS = (modules.PATH, module_options.PATH, sysctl.PATH, limits.PATH, links.PATH)
_Beaten = tuple[Assigned, str]  # who wins, and the file of ours that it is read after


@dataclass(frozen=True)
class Conflict:
    """`wins`: it overrides the profile at the next boot; otherwise it may, when that program runs again."""

    what: str
    remedy: str
    wins: bool


def sources(profile: Profile) -> tuple[str, ...]:
    """The files to ask a host for."""
    return (
        *assigned.patterns(assigned.SYSCTL_FOLDERS, assigned.SYSCTL_CONF),
        *assigned.patterns(assigned.MODPROBE_FOLDERS),
        *limits.sources(profile),
        *(tuned_profiles.ACTIVE, tuned_profiles.MAIN),
        *(f"{folder}/*/tuned.conf" for folder in tuned_profiles.FOLDERS),
        *(f"{folder}/*.link" for folder in link_rivals.LINK_FOLDERS if profile.links),
    )


def words(profile: Profile) -> tuple[str, ...]:
    """What cloud-init's configuration is searched for: our files, and the keys of the profile."""
    return (*_OURS, *profile.keys)


def later_files(profile: Profile, files: Sequence[ConfigFile], size: HostSize) -> Iterator[Conflict]:
    """Every assignment that is read after ours and gives a value that the profile refuses."""
    found = [
        *_over_sysctls(profile, files, size),
        *_over_options(profile, files, size),
        *_over_limits(profile, files, size),
    ]
    for each, ours in found:
        yield Conflict(
            f"{each}, and is read after {ours}",
            f"take the line out of {each.path}, or correct it",
            wins=True,
        )


def tuned(
    profile: Profile,
    files: Sequence[ConfigFile],
    size: HostSize,
    link: LinkSettings | None = None,
    *,
    running: bool,
) -> Iterator[Conflict]:
    """What an active tuned sets: it comes after the boot's own settings.

    `link` is the underlay's card; None where the profile sets nothing of it.
    """
    active = next((file for file in files if file.path == tuned_profiles.ACTIVE), None)
    if not running or active is None:
        return
    main = next((file.text for file in files if file.path == tuned_profiles.MAIN), "")
    # tuned-main.conf(5): by default tuned puts sysctl.d back after its own values.
    back = not re.search(r"^\s*reapply_sysctl\s*=\s*(0|false|no|off)\s*$", main, re.MULTILINE | re.IGNORECASE)
    names = active.text.split()
    options = [option for name in names for option in tuned_profiles.options(name, files)]
    who, remedy = f"tuned runs with profile {' '.join(names)}", "systemctl disable --now tuned, or "
    remedy += "a tuned profile without the line"
    sets = {each.assigned.key: each.assigned for each in options if each.plugin == "sysctl"}
    for rule in profile.sysctls:
        each = sets.get(rule.key)
        if each is None or each.value.startswith(">") or _holds(rule, each.value, size):
            continue
        after = ", and puts sysctl.d back after it" if back else ", after sysctl.d"
        yield Conflict(f"{who}: {each}{after}", remedy, wins=not back)
    parameters = {each.key: each for each in link_rivals.parameters_of_tuned(options)}
    given = [
        parameters[law.identity]
        for law in profile.module_options
        if law.identity in parameters and not _holds(law, parameters[law.identity].value, size)
    ]
    if link is not None:
        given += _link_conflicts(profile, link_rivals.of_tuned(options, link.interface), link, size)
    for each in given:  # nothing puts those back after tuned
        yield Conflict(f"{who}: {each}", remedy, wins=True)


def cards(
    profile: Profile,
    files: Sequence[ConfigFile],
    entries: Sequence[Entry],
    link: LinkSettings,
    size: HostSize,
    *,
    managed: bool,
) -> Iterator[Conflict]:
    """Who else sets the underlay's card: .link files, and NetworkManager where it runs (`managed`).

    udev applies a .link file before our rule when the card appears, and alone when it is triggered later;
    NetworkManager applies a connection's settings whenever it brings it up.
    """
    by_udev = link_rivals.of_link_files(files, link.interface, link.mac)
    for each in _link_conflicts(profile, by_udev, link, size):
        yield Conflict(
            f"{each}, and udev applies it without our rule when it is triggered again",
            f"take the line out of {each.path}, or correct it",
            wins=False,
        )
    by_manager = link_rivals.of_network_manager(entries, link.interface, link.mac) if managed else ()
    for each in _link_conflicts(profile, by_manager, link, size):
        yield Conflict(
            f"NetworkManager: {each}, whenever it brings the connection up",
            f"take ethtool.{each.key} out of {each.path} (nmcli connection modify)",
            wins=True,
        )


def cloud_init(profile: Profile, lines: Iterable[Line], size: HostSize) -> Iterator[Conflict]:
    """Lines that write one of our files, or set a key otherwise, when cloud-init runs them again."""
    rules = {rule.key: rule for rule in profile.sysctls}
    for line in lines:
        text = line.text.strip()
        if text.startswith("#"):
            continue
        place = f"{line.path}:{line.number}"
        remedy = f"take it out of {line.path} (of the user data that the machine was made with)"
        for path in (each for each in _OURS if each in text):
            yield Conflict(f"cloud-init may rewrite {path} ({place})", remedy, wins=False)
        for key, value in re.findall(r"([a-z0-9_]+(?:\.[a-z0-9_-]+)+)\s*[=:]\s*[\"']?([\w -]*\w)", text):
            if key in rules and not _holds(rules[key], value, size):
                yield Conflict(f"cloud-init sets {key} = {value} ({place})", remedy, wins=False)


# -- the programs' own orders -------------------------------------------------------------------------------


def _over_sysctls(profile: Profile, files: Sequence[ConfigFile], size: HostSize) -> Iterator[_Beaten]:
    mine = [f for f in files if f.folder in assigned.SYSCTL_FOLDERS or f.path == assigned.SYSCTL_CONF]
    text = "\n".join(f"{key} = ours" for key in profile.keys)
    order = assigned.in_order(
        _with_ours(mine, sysctl.PATH, text), assigned.SYSCTL_FOLDERS, last=assigned.SYSCTL_CONF
    )
    return _beaten(profile.sysctls, order, assigned.sysctls, sysctl.PATH, size)


def _over_options(profile: Profile, files: Sequence[ConfigFile], size: HostSize) -> Iterator[_Beaten]:
    mine = [file for file in files if file.folder in assigned.MODPROBE_FOLDERS]
    text = "\n".join(f"options {each.module} {each.option}=ours" for each in profile.module_options)
    order = assigned.in_order(_with_ours(mine, module_options.PATH, text), assigned.MODPROBE_FOLDERS)
    return _beaten(profile.module_options, order, assigned.module_options, module_options.PATH, size)


def _over_limits(profile: Profile, files: Sequence[ConfigFile], size: HostSize) -> Iterator[_Beaten]:
    text = "\n".join(f"{each.domain} - {each.item} ours" for each in profile.limits)
    whole = _with_ours(files, limits.PATH, text)
    for unit in dict.fromkeys(each.unit for each in profile.units):
        names = "\n".join(f"{each.name}=ours" for each in profile.units if each.unit == unit)
        whole = _with_ours(whole, limits.drop_in(unit), names)
    for law in (*profile.limits, *profile.units):
        found = limits.winner(whole, law.identity)
        if found is not None and found.value != "ours" and not _holds(law, found.value, size):
            yield found, limits.drop_in(law.unit) if isinstance(law, UnitSetting) else limits.PATH


def _with_ours(files: Iterable[ConfigFile], path: str, text: str) -> list[ConfigFile]:
    """The files with ours as it is or will be: only its place in the order counts."""
    return [*(file for file in files if file.path != path), ConfigFile(path, path, text)]


def _beaten(
    laws: Iterable[Law],
    order: Sequence[ConfigFile],
    parse: Callable[[ConfigFile], Iterator[Assigned]],
    ours: str,
    size: HostSize,
) -> Iterator[_Beaten]:
    for law in laws:
        found = assigned.last_of(order, parse, law.identity)
        if found is not None and found.path != ours and not _holds(law, found.value, size):
            yield found, ours


def _link_conflicts(
    profile: Profile, given: Iterable[Assigned], link: LinkSettings, size: HostSize
) -> Iterator[Assigned]:
    laws = {law.name: law for law in profile.links}
    for each in given:
        if each.key in laws and not _suits(laws[each.key], link, size, each.value):
            yield each


def _suits(law: LinkSetting, link: LinkSettings, size: HostSize, value: str) -> bool:
    try:
        return links.suits(law, link, size, value)
    except ValueError:  # no number, as an unexpanded variable of tuned
        return False


def _holds(law: Law, value: str, size: HostSize) -> bool:
    try:
        return law.holds(size, value)
    except ValueError:  # a floor against what is no number
        return False
