"""The interrupts of the underlay's card: each queue's on a processor of its own, set by a unit at every boot.

The unit is wanted by the card itself (udev) and waits for the network: many drivers ask for their interrupts
only when the interface comes up. Where irqbalance runs nothing is set, as it would move them again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from inventory.models.change import Change, Run
from inventory.models.command import Script
from inventory.models.tuning import LinkSetting
from inventory.profile import Profile
from tasks.facts.before import Record, Was
from tasks.facts.contents import Content
from tasks.facts.interrupts import Interrupt
from tasks.operations.before import DROP_INS, UDEV_RULES, Noted, file_changes
from tasks.operations.files import Wanted

NAME = "irq-affinity"
BALANCER = "irqbalance.service"
UNIT = "safe-harbor-interrupts.service"
PROGRAM = "/usr/local/lib/safe-harbor/set-interrupts"
UNIT_FILE, RULES = f"{DROP_INS}{UNIT}", f"{UDEV_RULES}91-safe-harbor-interrupts.rules"
PATHS = (PROGRAM, UNIT_FILE, RULES)

# NAME=PROCESSORS each: by name, as numbers change from boot to boot.
SET = """#!/bin/sh
for pair do
  irq=$(awk -v name="${pair%=*}" '$NF == name {sub(":", "", $1); print $1; exit}' /proc/interrupts)
  [ -n "$irq" ] || { echo "no interrupt is named ${pair%=*}" >&2; exit 1; }
  echo "${pair##*=}" > "/proc/irq/$irq/smp_affinity_list" || exit 1
done
"""
# The drivers number their queues: virtio0-input.1, eth0-TxRx-1, mlx5_comp1@pci:0000:00:05.0; eth0 is none.
_QUEUE = re.compile(r"[A-Za-z0-9]+[-_.][A-Za-z0-9_.-]*?(\d+)(@[A-Za-z0-9_.:-]+)?")


def now(found: Sequence[Interrupt]) -> str | None:
    """The processors allowed to each queue's interrupts, NAME=PROCESSORS; None: no two queues can be set."""
    queues = _queues(found)
    return " ".join(f"{each.name}={each.allowed}" for each, _ in queues) if queues else None


def target(found: Sequence[Interrupt], processors: int, *, balanced: bool) -> str | None:
    """As `now`, as it shall be: a queue's interrupts, in and out, on one processor; None: nothing to set."""
    if balanced or processors < 2:
        return None
    queues = _queues(found)
    return " ".join(f"{each.name}={number % processors}" for each, number in queues) if queues else None


def plan(
    host: str,
    profile: Profile,
    interface: str,
    mac: str,
    found: Sequence[Interrupt],
    there: Mapping[str, Content],
    wish: str | None,
) -> list[Noted]:
    """The unit with its program and rule, and what is set now. `wish` is the `target`, None sets nothing."""
    setting = setting_of(profile)
    if setting is None or wish is None:
        why = f"profile {profile.name} sets no interrupts here"
        return file_changes(host, there, (Wanted(path, b"") for path in PATHS), why)
    noted = file_changes(
        host, there, _files(profile, setting, mac, wish), f"profile {profile.name}: at every boot"
    )
    value = now(found)
    if value is not None and value != wish:
        change = _change(host, interface, setting.why, value, wish)
        noted.append(Noted(change, (Was("interrupts", interface, value),)))
    return noted


def restore(host: str, record: Record, interface: str, found: Sequence[Interrupt]) -> list[Change]:
    """The change that puts the recorded processors back, of the interrupts that are still there."""
    value = now(found)
    recorded = next((was.value for was in record.of("interrupts") if was.name == interface), None)
    if value is None or recorded is None:
        return []
    current = dict(pair.rsplit("=", 1) for pair in value.split())
    was = dict(pair.rsplit("=", 1) for pair in recorded.split())
    back = {name: was[name] for name in current if name in was and was[name] != current[name]}
    if not back:
        return []
    before = " ".join(f"{name}={current[name]}" for name in back)
    after = " ".join(f"{name}={allowed}" for name, allowed in back.items())
    return [_change(host, interface, "as it was before the profile", before, after)]


def setting_of(profile: Profile) -> LinkSetting | None:
    """The profile's own, None where it has none."""
    return next((each for each in profile.links if each.name == NAME), None)


def _queues(found: Sequence[Interrupt]) -> list[tuple[Interrupt, int]]:
    """The interrupts that belong to a queue, with its number; none where there is one queue only."""
    numbered = [(each, _QUEUE.fullmatch(each.name)) for each in found if each.settable]
    queues = [(each, int(match[1])) for each, match in numbered if match]
    return queues if len({number for _, number in queues}) > 1 else []


def _files(profile: Profile, setting: LinkSetting, mac: str, wish: str) -> tuple[Wanted, ...]:
    head = f"# kernel profile {profile.name}, written by safe-harbor: {setting.why}\n"
    unit = f"""{head}[Unit]
Description=Interrupts of the underlay's card, each queue on a processor of its own
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={PROGRAM} {wish}
"""
    # DRIVERS: a card, not a VLAN or bridge with the same address.
    rule = (
        f'{head}ACTION=="add", SUBSYSTEM=="net", DRIVERS=="?*", ATTR{{address}}=="{mac}", '
        f'TAG+="systemd", ENV{{SYSTEMD_WANTS}}+="{UNIT}"\n'
    )
    return (
        Wanted(PROGRAM, SET.encode(), 0o755),
        Wanted(UNIT_FILE, unit.encode()),
        Wanted(RULES, rule.encode()),
    )


def _change(host: str, interface: str, why: str, before: str, after: str) -> Change:
    do, back = (Run(Script.of(SET, *value.split())) for value in (after, before))
    return Change(host, f"interface {interface} {NAME}", why, before, after, (do,), (back,))
