"""TUN-LIVE: every value of the kernel profile that this host is able to set; what it cannot set is shown.

Before `prepare` a value that differs is only to be set, which is no finding against the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.tuning import HostSize
from inventory.models.verdict import Verdict
from inventory.printable import printable
from inventory.profile import Profile
from inventory.profile_files import load_profile
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import memory, modules, sysctl
from tasks.facts.asked import FactUnreadable
from tasks.operations.sysctl import PATH, differing

CODE = "TUN-LIVE"


def judge(
    profile: Profile, live: Mapping[str, sysctl.Setting], size: HostSize, *, loadable: bool = False
) -> Judged:
    """Settings that differ and cannot be set here, each with what it has and what it should have.

    `loadable`: a module of the profile is yet to be loaded, and will bring settings that are missing now.
    """
    stuck, open_ = [], []
    for rule, value in differing(profile, live, size):
        setting = live[rule.key]
        if setting.value is None and loadable:
            open_.append(rule.key)
        elif setting.value is None:
            stuck.append(f"{rule.key} does not exist here (wanted {value})")
        elif not setting.writable:
            stuck.append(f"{rule.key} is {setting.value} and read-only (wanted {value})")
        else:
            open_.append(rule.key)
    if stuck:
        remedy = (
            f"on a machine with a kernel of its own {PATH} sets them at boot; in a container set them on the "
            "machine around it"
        )
        return Judged(Verdict.WARN, "cannot be set live: " + "; ".join(stuck), remedy)
    if open_:
        return Judged(Verdict.PASS, f"{len(open_)} to be set by prepare: {', '.join(open_)}")
    return Judged(Verdict.PASS, f"all {len(profile.sysctls)} values of {profile.name} are live")


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    profile = load_profile(context.site.profile, context.site.profiles)
    settings, machine = sysctl.ask(profile.keys), memory.ask()
    wanted = modules.ask(profile.modules)
    expected = f"profile {profile.name} can be set"
    for name, facts in answers(context, (settings, machine, wanted)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            loadable = modules.State.LOADABLE in facts.of(wanted).values()
            found = facts.of(machine)
            size = context.site.target.size(found.processors, found.total_kib)
            said = judge(profile, facts.of(settings), size, loadable=loadable)
        except ValueError as error:
            remedy = "give the setting an exact value in the profile"
            unreadable = FactUnreadable(name, printable(str(error)), remedy)
            yield unseen(CODE, name, expected, Severity.MEDIUM, unreadable)
            continue
        except OutsideError as error:
            yield unseen(CODE, name, expected, Severity.MEDIUM, error)
            continue
        yield finding(context, CODE, name, expected, Severity.MEDIUM, said, settings, facts)


CHECK = Check(CODE, "The kernel profile is live", "admission", Severity.MEDIUM, run)
