"""TUN-CONFLICT: nothing else on the host sets what the kernel profile sets, and wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from inventory.profile_files import load_profile
from tasks.checks.admission.looking import Judged, finding, gathered
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import cloud_init, config_files, link_settings, memory, network_manager, units
from tasks.operations import conflicts
from tasks.operations.conflicts import Conflict

CODE = "TUN-CONFLICT"
_TUNED, _MANAGER = "tuned.service", "NetworkManager.service"


def judge(found: Sequence[Conflict], *, tuned: bool) -> Judged:
    """What wins at the next boot fails; what may win when another program runs again is a warning."""
    if not found:
        other = "; tuned runs, and sets none of them" if tuned else ""
        return Judged(Verdict.PASS, f"no other file or program sets them otherwise{other}")
    verdict = Verdict.FAIL if any(each.wins for each in found) else Verdict.WARN
    said = printable("; ".join(dict.fromkeys(each.what for each in found)), 2000)
    return Judged(verdict, said, printable("; ".join(dict.fromkeys(each.remedy for each in found)), 1000))


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    profile = load_profile(context.site.profile, context.site.profiles)
    files = config_files.ask(conflicts.sources(profile))
    lines = cloud_init.ask(conflicts.words(profile))
    machine, services, connections = memory.ask(), units.ask((_TUNED, _MANAGER)), network_manager.ask()
    common = (files, lines, machine, services)
    card = {
        node.name: link_settings.ask(node.interface) for node in context.site.target.nodes if profile.links
    }
    asked = {name: (*common, connections, card[name]) if name in card else common for name in context.hosts}
    expected = f"what profile {profile.name} sets, no other file or program sets otherwise"
    for name, facts in gathered(context, asked).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            there, named = facts.of(files), facts.of(lines)
            running, managed = (facts.of(services)[each].running for each in (_TUNED, _MANAGER))
            size = context.site.target.size(facts.of(machine).processors, facts.of(machine).total_kib)
            link = facts.of(card[name]) if name in card else None
            found = [
                *conflicts.later_files(profile, there, size),
                *conflicts.tuned(profile, there, size, link, running=running),
                *conflicts.cloud_init(profile, named, size),
            ]
            if link is not None:
                entries = facts.of(connections)
                found += conflicts.cards(profile, there, entries, link, size, managed=managed)
            said = judge(found, tuned=running)
        except OutsideError as error:
            yield unseen(CODE, name, expected, Severity.HIGH, error)
            continue
        yield finding(context, CODE, name, expected, Severity.HIGH, said, files, facts)


CHECK = Check(CODE, "Nothing overrides the kernel profile", "admission", Severity.HIGH, run)
