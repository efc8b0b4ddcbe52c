"""What `safe-harbor rehearse --deep` does: machines made, admitted, prepared, joined, rebooted, removed."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from flows.cli.exits import Exit, NotAPass, print_json, then
from flows.cli.running import Running
from flows.cli.terminal import Terminal
from flows.fault_matrix import try_faults
from flows.rehearsing import LEFT, forget_last, refuse_second, what_is_left
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from rehearsal import deep, kvm_host, teardown
from rehearsal.matrix.kept import write
from rehearsal.matrix.registry import all_faults
from rehearsal.reach import how_to_reach
from tasks.drivers.errors import OutsideError
from tasks.steps.stage import write_result

_HEALTHY_RUNS = 2  # an emulated one takes minutes


def rehearse_deep(out: Path, *, keep: bool, ready_parts: Path | None, as_json: bool) -> int:
    """The deep rehearsal. Returns the exit code."""
    start = time.monotonic()
    refuse_second()
    terminal = Terminal()
    with then(what_is_left):
        up = deep.up(terminal, ready_parts, out)
    terminal.say(f"two KVM hosts are up after {up.seconds['all']:.0f} s")
    results: list[StageResult] = []
    code = int(Exit.DONE)
    kept = "the machines are still up; `safe-harbor rehearse down` removes them"
    try:
        forget_last(out)  # only now: until the site is ours, it may be in use
        with (
            then(kept if keep else f"the site was taken down; what was recorded is in {out}"),
            Running(up.site_file, terminal=terminal) as run,
        ):
            try:
                _stages(run, results, out, keep=keep)
            except NotAPass as refusal:
                results += [refusal.result] if refusal.result is not None else []
                terminal.say(str(refusal))
                code = int(Exit.NOT_A_PASS)
            except (OutsideError, KeyboardInterrupt):
                terminal.table(terminal.ended)
                raise
            terminal.table(results)
    finally:
        terminal.close()
        if keep:
            sys.stderr.write("\n".join(how_to_reach(up.plan)) + "\n")
        else:
            with then(LEFT):
                teardown.down(up.plan, terminal.step)
            terminal.close()
    if as_json:
        print_json([result.model_dump(mode="json") for result in results])
    sys.stderr.write(
        f"deep rehearsal: {'pass' if code == Exit.DONE else 'not a pass'} after "
        f"{time.monotonic() - start:.0f} s; {closing(results)}\n{out}\n"
    )
    return code


def closing(results: Sequence[StageResult]) -> str:
    """How soon the machines could be used and were Ready, in words."""
    # Of a stage that ran twice the first counts: the second finds what the first has made.
    figures = {key: value for each in reversed(results) for key, value in each.figures.items()}

    def after(name: str) -> str:
        seconds = figures.get(name) or {}
        words = [f"{seconds[node]:.0f} s ({node})" for node in sorted(seconds)]
        return ", ".join(words) or "no time: not reached"

    return f"machines usable after {after('usable_s')}; Ready after {after('ready_after_s')}"


def _stages(run: Running, results: list[StageResult], out: Path, *, keep: bool) -> None:
    place = run.place
    made = run.stage("provision")
    results.append(made)
    results.append(run.stage("prepare"))
    results.append(run.stage("network", beside_source=False))
    _keep(run, deep.became_ready(place.drivers.target_kube(), made.started_at), results)
    _require_unchanged("provision, again", run.stage("provision"), results)
    _keep(run, deep.reboot(place.drivers.hosts(), run.terminal), results)
    _require_unchanged("prepare, after the reboot", run.stage("prepare"), results)
    again = run.stage("network", beside_source=False)
    _require_unchanged("network, after the reboot", again, results)
    _faults_of_own_kernels(run, out)
    if not keep:
        removed = run.stage("provision", destroy=True)
        results.append(removed.model_copy(update={"name": "provision, removed"}))


def _faults_of_own_kernels(run: Running, out: Path) -> None:
    """Those faults of the matrix that a container cannot have. Raises NotAPass where one is not found."""
    faults = [fault for fault in all_faults() if fault.needs]
    made_of = "machines run by KVM" if kvm_host.accelerator() == "kvm" else "emulated machines"
    matrix = try_faults(run.place, made_of, faults, _HEALTHY_RUNS, run.terminal)
    page = write(matrix, out)
    if not matrix.good:
        raise NotAPass(f"{page}: a fault was not found by exactly its check, or a healthy run alarmed")


def _keep(run: Running, result: StageResult, results: list[StageResult]) -> None:
    """A result that no flow made stands beside those of the stages. Raises NotAPass where it is none."""
    write_result(run.place.state, result)
    run.terminal.stage_ended(result)
    if not result.verdict.lets_go_on:
        raise NotAPass(f"{result.name}: {result.verdict}", result)
    results.append(result)


def _require_unchanged(name: str, result: StageResult, results: list[StageResult]) -> None:
    """Keep the result of a repeated stage under a name of its own. Raises NotAPass where it made changes."""
    if result.changes:
        found = result.figures.get("changes_by_phase")
        raise NotAPass(
            f"{name}: {result.changes} changes where there must be none: {found}",
            result.model_copy(update={"name": name, "verdict": Verdict.FAIL}),
        )
    results.append(result.model_copy(update={"name": name}))
