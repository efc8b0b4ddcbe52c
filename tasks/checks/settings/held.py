"""TUN-HELD: the running values are those of the kernel profile, and its files are in place for the next boot.

What it compares is the plan of `prepare`: where that would change something, the profile does not hold.
Run it after a reboot, and it says what the boot itself brought about. What a host cannot have is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inventory.models.change import Change
from inventory.models.finding import Finding, Severity
from inventory.models.site import Side
from inventory.models.tuning import UnitSetting
from inventory.models.verdict import Verdict
from inventory.printable import printable
from inventory.profile import Profile
from inventory.profile_files import load_profile
from tasks.checks.admission.looking import Judged, finding, gathered
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import before, capabilities, config_files, memory, process_limits
from tasks.facts.capabilities import CAP_SYS_RESOURCE
from tasks.operations import conflicts, limits, settings

CODE = "TUN-HELD"
_LIMIT = 1500


@dataclass(frozen=True)
class Wanted:
    """What the plans of the settings work with."""

    profile: Profile
    target: Side


def judge(
    profile: Profile,
    pending: Sequence[Change],
    stuck: Sequence[str],
    winners: Sequence[str],
    booted: str,
    outrun: Sequence[tuple[UnitSetting, str]] = (),
) -> Judged:
    """`pending` is what `prepare` would change, `stuck` what this host cannot have, `winners` override.

    `outrun` are services that still run with other limits than their files give.
    """
    if pending:
        said = "; ".join(
            f"{change.subject} is {change.before or 'not there'}, not {change.after or 'gone'}"
            for change in pending
        )
        said = "; ".join([said, *winners])
        remedy = "take out what overrides it; then " if winners else ""
        return Judged(Verdict.FAIL, printable(said, _LIMIT), f"{remedy}run prepare")
    if outrun:
        said = "; ".join(f"{each.unit} runs with {each.name} {value}" for each, value in outrun)
        units = " ".join(dict.fromkeys(each.unit for each, _ in outrun))
        remedy = (
            f"the files are right, the processes older: systemctl restart {units}; where it stays so, the "
            "program sets its own (a kubelet: maxOpenFiles)"
        )
        return Judged(Verdict.FAIL, printable(said, _LIMIT), remedy)
    count = len(profile.identities)
    if stuck:
        said = f"{count - len(stuck)} of {count} hold; not on this host: {'; '.join(stuck)} ({booted})"
        remedy = (
            "on a machine with a kernel of its own they can be set; in a container, on the machine around it"
        )
        return Judged(Verdict.WARN, printable(said, _LIMIT), remedy)
    return Judged(Verdict.PASS, f"all {count} settings of {profile.name} hold ({booted})")


def since(boot: str, record: before.Record) -> str:
    """Whether the host has booted since its settings were last changed."""
    if not record.boot:
        return "there is no record of a change"
    return "booted since they were set" if boot != record.boot else "not booted since they were set"


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    profile = load_profile(context.site.profile, context.site.profiles)
    subject = Wanted(profile, context.site.target)
    files, machine, record = config_files.ask(conflicts.sources(profile)), memory.ask(), before.ask()
    able, running = capabilities.ask(), process_limits.ask(sorted({each.unit for each in profile.units}))
    nodes = {node.name: node for node in subject.target.nodes}
    asked = {
        name: (*settings.asked(subject, nodes[name]), files, running)
        for name in context.hosts
        if name in nodes
    }
    expected = f"the settings of profile {profile.name}, running and for the next boot"
    for name, facts in gathered(context, asked).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            found, there = facts.of(machine), facts.of(files)
            size = subject.target.size(found.processors, found.total_kib)
            said = judge(
                profile,
                settings.differing(subject, nodes[name], facts),
                settings.out_of_reach(subject, nodes[name], facts),
                [each.what for each in conflicts.later_files(profile, there, size)],
                since(*facts.of(record)),
                # Where no limit may be raised none is set, which is among what the host cannot have.
                list(limits.outrun(profile, size, facts.of(running)))
                if CAP_SYS_RESOURCE in facts.of(able)
                else (),
            )
        except OutsideError as error:
            yield unseen(CODE, name, expected, Severity.HIGH, error)
            continue
        yield finding(context, CODE, name, expected, Severity.HIGH, said, asked[name][0], facts)


CHECK = Check(CODE, "The settings of the profile hold", "settings", Severity.HIGH, run)
