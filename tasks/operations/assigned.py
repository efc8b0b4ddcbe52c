"""Who assigns a setting, in which file and line, and whose is read last: the programs' own rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tasks.facts.config_files import ConfigFile

# sysctl.d(5): of two files with one name the first folder's counts, and all are read in the order of names.
SYSCTL_FOLDERS = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)
SYSCTL_CONF = "/etc/sysctl.conf"  # `sysctl --system` reads it after all the others
MODPROBE_FOLDERS = (
    *(
        "/etc/modprobe.d",
        "/run/modprobe.d",
        "/usr/local/lib/modprobe.d",
        "/usr/lib/modprobe.d",
        "/lib/modprobe.d",
    ),
)
LIMITS_CONF = "/etc/security/limits.conf"  # pam_limits reads it before the folder
LIMITS_FOLDERS = ("/etc/security/limits.d",)
UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
                "/usr/lib/systemd/system", "/lib/systemd/system")  # fmt: skip


@dataclass(frozen=True)
class Assigned:
    """One assignment and its place."""

    key: str
    value: str
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line} sets {self.key} = {self.value}"


def patterns(folders: Sequence[str], *files: str) -> tuple[str, ...]:
    """What to ask the host for."""
    return (*files, *(f"{folder}/*.conf" for folder in folders))


def in_order(
    files: Iterable[ConfigFile], folders: Sequence[str], first: str = "", last: str = ""
) -> list[ConfigFile]:
    """The files as they are read; `first` and `last` are paths outside the folders.

    A file that is reached by two paths (/lib is /usr/lib, sysctl.conf is linked) counts once.
    """
    by_name: dict[str, ConfigFile] = {}
    ends: dict[str, ConfigFile] = {}
    for file in sorted(files, key=lambda each: folders.index(each.folder) if each.folder in folders else -1):
        if file.path in (first, last):
            ends[file.path] = file
        else:
            by_name.setdefault(file.name, file)
    read = [by_name[name] for name in sorted(by_name)]
    known = {file.real for file in read}
    head = [ends[path] for path in (first,) if path in ends and ends[path].real not in known]
    tail = [ends[path] for path in (last,) if path in ends and ends[path].real not in known]
    return [*head, *read, *tail]


def sysctls(file: ConfigFile) -> Iterator[Assigned]:
    """Explicit assignments. A pattern (`*`) never overrides one that names the key (sysctl.d(5))."""
    for number, line in _lines(file, "#;"):
        key, equals, value = line.removeprefix("-").partition("=")
        name = key.strip()
        if equals and "*" not in name:
            # A name may be parted by slashes; then a dot is a part's own.
            name = name.replace("/", ".") if "/" in name.partition(".")[0] else name
            yield Assigned(name, " ".join(value.split()), file.path, number)


def module_options(file: ConfigFile) -> Iterator[Assigned]:
    """`options MODULE NAME=VALUE ...`; of several the last counts."""
    for number, line in _lines(file, "#"):
        words = line.split()
        if words[0] == "options" and len(words) > 2:
            module = words[1].replace("-", "_")
            for word in words[2:]:
                name, _, value = word.partition("=")
                yield Assigned(f"{module}.{name}", value, file.path, number)


def limits(file: ConfigFile) -> Iterator[Assigned]:
    """Hard limits, as `domain:item`: what a session cannot go beyond."""
    for number, line in _lines(file, "#"):
        words = line.split()
        if len(words) == 4 and words[1] in ("hard", "-"):
            yield Assigned(
                f"{words[0]}:{words[2]}", "unlimited" if words[3] == "-1" else words[3], file.path, number
            )


def unit_settings(file: ConfigFile) -> Iterator[Assigned]:
    """Settings of a unit's file or of its drop-ins, as `unit:name`."""
    folder = file.folder.rpartition("/")[2]
    unit = folder.removesuffix(".d") if folder.endswith(".d") else file.name
    for number, line in _lines(file, "#;"):
        name, equals, value = line.partition("=")
        if equals and re.fullmatch(r"[A-Za-z]+", name):
            yield Assigned(f"{unit}:{name}", value.strip(), file.path, number)


def last_of(
    files: Iterable[ConfigFile], parse: Callable[[ConfigFile], Iterator[Assigned]], key: str
) -> Assigned | None:
    """The assignment that counts, of files in their order."""
    found = None
    for file in files:
        for each in parse(file):
            if each.key == key:
                found = each
    return found


def _lines(file: ConfigFile, comments: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file.text.splitlines(), 1):
        stripped = line.strip()
        if stripped and stripped[0] not in comments:
            yield number, stripped
