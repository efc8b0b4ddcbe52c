"""What a profile of tuned sets, with what it includes: each option, its plugin and its devices. Pure.

Source: tuned-profiles(7), tuned's plugins `sysctl`, `net` and `sysfs` (2.20).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tasks.facts.config_files import ConfigFile
from tasks.operations.assigned import Assigned

ACTIVE = "/etc/tuned/active_profile"
MAIN = "/etc/tuned/tuned-main.conf"
# Some include one profile in a guest and another elsewhere; nodes are guests.
_FOR_A_GUEST = re.compile(r"\$\{f:virt_check:([^:}]+):[^}]*\}")
_OTHER_PROCESSORS = "aarch64"  # nodes are x86_64 (ADM-KERNEL)
FOLDERS = ("/etc/tuned", "/etc/tuned/profiles", "/usr/lib/tuned", "/usr/lib/tuned/profiles")


@dataclass(frozen=True)
class Option:
    """`devices` are patterns, those with `!` taken out; none: all devices."""

    plugin: str
    assigned: Assigned
    devices: tuple[str, ...] = ()

    def concerns(self, device: str) -> bool:
        """Whether it is for this device."""
        if any(fnmatchcase(device, each[1:]) for each in self.devices if each.startswith("!")):
            return False
        wanted = [each for each in self.devices if not each.startswith("!")]
        return not wanted or any(fnmatchcase(device, each) for each in wanted)


def options(name: str, files: Sequence[ConfigFile], above: tuple[str, ...] = ()) -> list[Option]:
    """The options of a profile, what it includes first, as tuned reads them."""
    there = {file.path: file for file in files}
    file = next((there[path] for each in FOLDERS if (path := f"{each}/{name}/tuned.conf") in there), None)
    if file is None or name in above:
        return []
    sections: dict[str, list[Assigned]] = {}
    section = ""
    for number, line in enumerate(file.text.splitlines(), 1):
        stripped = line.strip()
        if match := re.fullmatch(r"\[(.+)\]", stripped):
            section = match[1]
        key, equals, value = (part.strip() for part in stripped.partition("="))
        if equals and not stripped.startswith("#"):
            plain = " ".join(value.strip("\"'").split())
            sections.setdefault(section, []).append(Assigned(key, plain, file.path, number))
    included = [
        option
        for each in sections.pop("main", ())
        if each.key == "include"
        for other in re.split(r"[\s,;]+", _FOR_A_GUEST.sub(r"\1", each.value))
        for option in options(other, files, (*above, name))
    ]
    return [*included, *(option for name, own in sections.items() for option in _of_section(name, own))]


def _of_section(name: str, own: Sequence[Assigned]) -> list[Option]:
    """A section is named as its plugin, or as it likes with the plugin under `type`."""
    head = {each.key: each.value for each in own if each.key in ("type", "devices", "uname_regex")}
    if _OTHER_PROCESSORS in head.get("uname_regex", ""):
        return []
    devices = tuple(re.split(r"[\s,;]+", head["devices"])) if "devices" in head else ()
    return [Option(head.get("type", name), each, devices) for each in own if each.key not in head]
