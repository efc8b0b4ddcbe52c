"""Who else sets the underlay's card: tuned, .link files of systemd, connections of NetworkManager. Pure.

Each yields what it assigns, by the names that a profile uses (`ring-rx`, `feature-...`, `rps-cpus`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby
from types import MappingProxyType

from tasks.facts.config_files import ConfigFile
from tasks.facts.network_manager import Entry
from tasks.operations.assigned import Assigned
from tasks.operations.tuned import Option

LINK_FOLDERS = ("/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network",
                "/usr/lib/systemd/network", "/lib/systemd/network")  # fmt: skip
_SWITCH = {"yes": "on", "true": "on", "1": "on", "no": "off", "false": "off", "0": "off"}

# ethtool(8), -K: the short names, which tuned and NetworkManager take, too.
_FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "rx": "rx-checksumming",
        "tx": "tx-checksumming",
        "sg": "scatter-gather",
        "tso": "tcp-segmentation-offload",
        "gso": "generic-segmentation-offload",
        "gro": "generic-receive-offload",
        "lro": "large-receive-offload",
        "rxvlan": "rx-vlan-offload",
        "txvlan": "tx-vlan-offload",
        "ntuple": "ntuple-filters",
        "rxhash": "receive-hashing",
    }
)
# systemd.link(5), section [Link].
_LINK_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "RxBufferSize": "ring-rx",
        "TxBufferSize": "ring-tx",
        "CombinedChannels": "channels-combined",
        "ReceivePacketSteeringCPUMask": "rps-cpus",
        "ReceiveChecksumOffload": "feature-rx-checksumming",
        "TransmitChecksumOffload": "feature-tx-checksumming",
        "TCPSegmentationOffload": "feature-tcp-segmentation-offload",
        "GenericSegmentationOffload": "feature-generic-segmentation-offload",
        "GenericReceiveOffload": "feature-generic-receive-offload",
        "LargeReceiveOffload": "feature-large-receive-offload",
    }
)


def of_tuned(options: Iterable[Option], interface: str) -> Iterator[Assigned]:
    """What plugins `net` and `sysfs` set of this interface; of several the last counts."""
    found: dict[str, Assigned] = {}
    for option in options:
        each = option.assigned
        if option.plugin == "net" and option.concerns(interface):
            words = each.value.split()
            for name, value in zip(words[::2], words[1::2], strict=False):
                key = _named(
                    {"ring": "ring", "channels": "channels", "features": "feature"}.get(each.key), name
                )
                if key:
                    found[key] = Assigned(key, value, each.path, each.line)
        elif option.plugin == "sysfs" and fnmatchcase(
            f"/sys/class/net/{interface}/queues/rx-0/rps_cpus", each.key
        ):
            found["rps-cpus"] = Assigned("rps-cpus", each.value, each.path, each.line)
    yield from found.values()


def parameters_of_tuned(options: Iterable[Option]) -> Iterator[Assigned]:
    """What they set of kernel modules, as `module.parameter`."""
    for option in options:
        each = option.assigned
        match = re.fullmatch(r"/sys/module/(\w+)/parameters/(\w+)", each.key)
        if option.plugin == "sysfs" and match:
            yield Assigned(f"{match[1]}.{match[2]}", each.value, each.path, each.line)
        elif option.plugin == "net" and each.key == "nf_conntrack_hashsize":
            yield Assigned("nf_conntrack.hashsize", each.value, each.path, each.line)


def of_link_files(files: Sequence[ConfigFile], interface: str, mac: str) -> Iterator[Assigned]:
    """What .link files set that may be for this card: what else they match by cannot be seen from here."""
    by_name: dict[str, ConfigFile] = {}
    mine = [file for file in files if file.folder in LINK_FOLDERS and file.name.endswith(".link")]
    for file in sorted(mine, key=lambda each: LINK_FOLDERS.index(each.folder)):
        by_name.setdefault(file.name, file)
    for _, file in sorted(by_name.items()):
        section, own, ours = "", [], True
        for number, line in enumerate(file.text.splitlines(), 1):
            stripped = line.strip()
            if match := re.fullmatch(r"\[(.+)\]", stripped):
                section = match[1]
            key, equals, value = (part.strip() for part in stripped.partition("="))
            if not equals or stripped.startswith(("#", ";")):
                continue
            if section == "Match":
                ours = ours and _may_match(key, value.split(), interface, mac)
            elif section == "Link" and key in _LINK_KEYS:
                own.append(Assigned(_LINK_KEYS[key], _SWITCH.get(value.lower(), value), file.path, number))
        if ours:
            yield from own


def of_network_manager(entries: Sequence[Entry], interface: str, mac: str) -> Iterator[Assigned]:
    """What connections set that are for this card, or for any."""
    for path, group in groupby(entries, key=lambda each: each.path):
        own = list(group)
        said = {(each.section, each.key): each.value for each in own}
        named = said.get(("connection", "interface-name"), interface)
        wanted = said.get(("ethernet", "mac-address")) or said.get(("802-3-ethernet", "mac-address")) or mac
        if said.get(("connection", "type"), "ethernet") not in ("ethernet", "802-3-ethernet"):
            continue
        if named != interface or wanted.lower() != mac:
            continue
        for each in own:
            kind, _, name = each.key.partition("-")
            key = _named(kind, name) if each.section == "ethtool" else ""
            if key:
                value = _SWITCH.get(each.value.lower(), each.value) if kind == "feature" else each.value
                yield Assigned(key, value, path, each.line)


def _named(kind: str | None, name: str) -> str:
    """A profile's name of it; empty for what no profile has."""
    if kind == "feature":
        return f"feature-{_FEATURES.get(name, name)}"
    return (
        f"{kind}-{name}" if (kind, name) in (("ring", "rx"), ("ring", "tx"), ("channels", "combined")) else ""
    )


def _may_match(key: str, values: Sequence[str], interface: str, mac: str) -> bool:
    if key in ("MACAddress", "PermanentMACAddress"):
        return mac in (value.lower() for value in values)
    # The kernel's first name of a card is not known once it was renamed: only a plain ethN tells.
    if key == "OriginalName" and interface.startswith("eth"):
        return any(fnmatchcase(interface, value) for value in values)
    return True
