"""What `safe-harbor rehearse` does, from an empty machine to the report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.cli.exits import Exit, NotAPass, print_json
from flows.cli.running import Running
from flows.cli.terminal import Terminal
from inventory.models.stage import StageResult
from rehearsal import doctor, orders, packages, parts, site
from rehearsal.customers_process import Customers
from rehearsal.faults import Fault, fault_named
from rehearsal.plan import Plan
from tasks.drivers.errors import OutsideError
from tasks.steps.report import write_report
from tasks.steps.stage import write_result


class Rehearsing(Terminal):
    """The terminal, and what happens in the world outside the exit while its stages go by."""

    def __init__(self, customers: Customers, fault: Fault) -> None:
        super().__init__()
        self._customers = customers
        self._fault = fault

    def stage_ended(self, result: StageResult) -> None:
        """Customers come before the cutover; a fault strikes at its moment."""
        super().stage_ended(result)
        self._fault.after_stage(result.name)
        if result.name == "approve" and result.verdict.lets_go_on:
            self._customers.start()


def make_ready(given_parts: Path | None) -> Path:
    """Doctor, packages, parts. The folder of the programs; raises OutsideError with the doctor's list."""
    packages.install_missing()
    failing = [each for each in doctor.examine() if each.status == "fail"]
    if failing:
        listed = "\n".join(f"  {each.name}: {each.observed}\n    -> {each.remedy}" for each in failing)
        raise OutsideError("this machine", f"cannot hold a rehearsal:\n{listed}")
    return parts.build_all(given_parts)


def bring_up(out: Path, programs: Path) -> site.Running:
    """The site, up. A site that was left by a failed attempt is taken down first by the person, not by us."""
    return site.up(Plan(), programs=programs, out=out)


def rehearse_exit(out: Path, *, fault: str | None, keep: bool, parts: Path | None, as_json: bool) -> int:
    """The main job. Returns the exit code."""
    programs = make_ready(parts)
    start = time.monotonic()
    with _site(out, programs, keep=keep) as running:
        site_s = time.monotonic() - start
        code = _exit_on(running, out, fault, site_s)
    seconds = time.monotonic() - start
    report = _closing(out, site_s, seconds)
    if as_json:
        print_json(report)
    sys.stderr.write(
        f"rehearsal: {report['verdict']}, site {site_s:.0f} s, all {seconds:.0f} s\n{out}/report.html\n"
    )
    return code


@contextmanager
def _site(out: Path, programs: Path, *, keep: bool) -> Iterator[site.Running]:
    try:
        running = bring_up(out, programs)
    except site.AlreadyUp:
        raise  # somebody else's site is not ours to take down
    except BaseException:
        site.down()
        raise
    try:
        yield running
    finally:
        if keep:
            sys.stderr.write("\n".join(running.how_to_reach()) + "\n")
        else:
            site.down()


def _exit_on(running: site.Running, out: Path, fault: str | None, site_s: float) -> int:
    plan = Plan()
    customers = Customers(plan, out / "customers.jsonl")
    strike = fault_named(fault, plan)
    terminal = Rehearsing(customers, strike)
    code = int(Exit.DONE)
    with customers, strike, Running(running.site_file, terminal=terminal) as exit_:
        place = exit_.place
        try:
            results = exit_.whole_exit()
            terminal.table(results)
        except NotAPass as refusal:
            terminal.say(str(refusal))
            code = int(Exit.NOT_A_PASS)
        finally:
            customers.stop()
            if customers.started:
                write_result(place.state, orders.reconcile(plan, customers.log, place.clock))
            write_report(out, site_seconds=site_s)
    return code


def _closing(out: Path, site_s: float, seconds: float) -> dict[str, object]:
    del site_s, seconds
    report: dict[str, object] = json.loads((out / "report.json").read_text())
    return report
