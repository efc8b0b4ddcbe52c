"""The underlay interface: rings, channels, features, packet steering; udev sets them at every boot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inventory.models.change import Change, Run
from inventory.models.command import Command, Script, Shellable
from inventory.models.tuning import HostSize, LinkSetting
from inventory.profile import Profile
from tasks.facts.before import Record, Was
from tasks.facts.contents import Content
from tasks.facts.link_settings import LinkSettings
from tasks.operations.before import UDEV_RULES, Noted, file_changes
from tasks.operations.files import Wanted

PATH = f"{UDEV_RULES}90-safe-harbor-links.rules"
_RPS = 'for file in "/sys/class/net/$1/queues/"rx-*/rps_cpus; do echo "$2" > "$file" || exit 1; done'
_AT_BOOT = "for file in /sys/class/net/$name/queues/rx-*/rps_cpus; do echo {mask} > $$file; done"


def mask(processors: int) -> str:
    """All processors, as the kernel writes a mask: hexadecimal, in groups of 32 bits."""
    digits = f"{(1 << processors) - 1:x}"
    digits = digits.zfill(-(-len(digits) // 8) * 8)
    groups = [digits[start : start + 8] for start in range(0, len(digits), 8)]
    return ",".join([groups[0].lstrip("0") or "0", *groups[1:]])


def now(link: LinkSettings, name: str) -> str | None:
    """The value of a setting; None where this interface does not have it, or it cannot be changed."""
    if name == "rps-cpus":
        masks = {value for value, _ in link.rps.values()}
        return min(masks, key=_number) if masks and all(able for _, able in link.rps.values()) else None
    if name.startswith("feature-"):
        on, changeable = link.features.get(name.removeprefix("feature-"), (False, False))
        return ("on" if on else "off") if changeable else None
    return str(link.sized[name][0]) if name in link.sized else None


def target(setting: LinkSetting, link: LinkSettings, size: HostSize) -> str | None:
    """The value that it shall have; None where there is nothing to set.

    Receive queues that are as many as the processors need no steering: the card spreads them itself.
    """
    value = now(link, setting.name)
    if value is None:
        return None
    if setting.name == "rps-cpus":
        if setting.exact == "off":
            return "0"
        return mask(size.processors) if len(link.rps) < size.processors else value
    if setting.name in link.sized:
        return str(min(int(setting.target(size, value)), link.sized[setting.name][1]))
    return setting.target(size, value)


def suits(setting: LinkSetting, link: LinkSettings, size: HostSize, value: str) -> bool:
    """Whether this value, which somebody else gives, is one that the profile accepts on this interface.

    What the interface does not have, nobody can set. Raises ValueError for what is no value of the setting.
    """
    if now(link, setting.name) is None:
        return True
    if setting.name == "rps-cpus":
        if setting.exact != "off" and len(link.rps) >= size.processors:
            return True
        return _number(value) == (0 if setting.exact == "off" else _number(mask(size.processors)))
    if setting.name in link.sized:
        return int(value) >= min(setting.floor_for(size), link.sized[setting.name][1])
    return setting.holds(size, value)


def differing(profile: Profile, link: LinkSettings, size: HostSize) -> Iterator[tuple[LinkSetting, str, str]]:
    """Every setting that is not as it should be: what it has, and what it should have."""
    for setting in profile.links:
        value, wish = now(link, setting.name), target(setting, link, size)
        if value is not None and wish is not None and not _same(setting.name, value, wish):
            yield setting, value, wish


def wanted(profile: Profile, link: LinkSettings, size: HostSize) -> Wanted:
    """The rules of udev, for the card with this hardware address; no content: there is nothing to set."""
    rules = []
    for setting in profile.links:
        value = target(setting, link, size)
        if value is None or (setting.name == "rps-cpus" and value != mask(size.processors)):
            continue
        # DRIVERS: a card, not a VLAN or bridge with the same address.
        rules += [
            f"# {setting.why}",
            f'ACTION=="add", SUBSYSTEM=="net", DRIVERS=="?*", ATTR{{address}}=="{link.mac}", '
            f'RUN+="{_at_boot(setting.name, value)}"',
        ]
    head = f"# kernel profile {profile.name}, written by safe-harbor"
    return Wanted(PATH, ("\n".join([head, *rules]) + "\n").encode() if rules else b"")


def plan(
    host: str, profile: Profile, link: LinkSettings | None, there: Mapping[str, Content], size: HostSize
) -> list[Noted]:
    """The rules, and what can be set now. Nothing before ethtool is there (its package comes first).

    `link` is None where the profile sets nothing of links: an earlier profile's rules go.
    """
    if link is None:
        return file_changes(host, there, (Wanted(PATH, b""),), f"profile {profile.name} has no link settings")
    if not link.tool:
        return []
    rules = wanted(profile, link, size)
    noted = file_changes(host, there, (rules,), f"profile {profile.name}: set again when the card appears")
    for setting, value, wish in differing(profile, link, size):
        change = _change(host, link.interface, setting.name, setting.why, value, wish)
        noted.append(Noted(change, (Was("interface", f"{link.interface} {setting.name}", value),)))
    return noted


def restore(host: str, record: Record, link: LinkSettings) -> list[Change]:
    """Changes that put the recorded values of this interface back, the latest first."""
    changes = []
    for was in reversed(tuple(record.of("interface"))):
        interface, _, name = was.name.partition(" ")
        value = now(link, name)
        if interface != link.interface or value is None or was.value is None:
            continue
        if not _same(name, value, was.value):
            changes.append(_change(host, interface, name, "as it was before the profile", value, was.value))
    return changes


def _change(host: str, interface: str, name: str, why: str, before: str, after: str) -> Change:
    do, back = (Run(_set(interface, name, value)) for value in (after, before))
    return Change(host, f"interface {interface} {name}", why, before, after, (do,), (back,))


def _set(interface: str, name: str, value: str) -> Shellable:
    if name == "rps-cpus":
        return Script.of(_RPS, interface, value)
    return Command.of("ethtool", *_words(interface, name, value))


def _words(interface: str, name: str, value: str) -> Sequence[str]:
    kind, _, rest = name.partition("-")
    return ({"ring": "-G", "channels": "-L", "feature": "-K"}[kind], interface, rest, value)


def _at_boot(name: str, value: str) -> str:
    if name == "rps-cpus":
        return f"/bin/sh -c '{_AT_BOOT.format(mask=value)}'"
    return " ".join(("/usr/sbin/ethtool", *_words("$name", name, value)))


def _same(name: str, value: str, other: str) -> bool:
    return _number(value) == _number(other) if name == "rps-cpus" else value == other


def _number(mask_text: str) -> int:
    return int(mask_text.replace(",", ""), 16)
