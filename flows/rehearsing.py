"""What `safe-harbor rehearse` does, from an empty machine to the report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.cli.exits import Exit, NotAPass, print_json, then
from flows.cli.running import Running
from flows.cli.terminal import Terminal
from flows.orchestrator import Server, free_port, note, server_argv, settings, wait_until_healthy
from inventory.load import load_site
from inventory.models.stage import StageResult
from rehearsal import deep, site
from rehearsal.capture import make_capture
from rehearsal.customers_process import Customers
from rehearsal.faults import Fault, fault_named
from rehearsal.plan import Plan
from rehearsal.reach import how_to_reach
from rehearsal.site import Site
from rehearsal.state import State
from rehearsal.witness import customers_saw
from tasks.drivers.errors import CommandFailed
from tasks.steps.measured import keep_measured
from tasks.steps.observe import observe
from tasks.steps.stage import write_result

# What is true where a rehearsal ends early, in place of the usual hint: it has no `--resume`.
UNTOUCHED = "the site that is there was not touched"
NOT_BEGUN = "no site was built; packages and programs that are there by now are kept"
GONE = "nothing of the site is left; packages and programs are kept"
LEFT = "what is left of the site is removed by: safe-harbor rehearse down"


class Rehearsing(Terminal):
    """The terminal, and what happens in the world outside the exit while its stages go by."""

    def __init__(self, customers: Customers, fault: Fault) -> None:
        super().__init__()
        self._customers = customers
        self._fault = fault

    def stage_ended(self, result: StageResult) -> None:
        """Customers come before the cutover; a fault strikes at its moment."""
        super().stage_ended(result)
        if result.verdict.lets_go_on:
            self._fault.after_stage(result.name)
            if result.name == "capacity":
                observe(load_site(Plan().site_file))  # once, where a timer does it for days
            if result.name == "approve":
                self._customers.start()


def refuse_second() -> None:
    """Raises AlreadyUp where a site is up or was left; ask it before anything is installed or built."""
    with then(UNTOUCHED):
        site.refuse_second(Plan())


def what_is_left() -> str:
    """What is true once building a site has failed, or was interrupted, and what was made is taken down."""
    return LEFT if site.is_up() else GONE


def make_ready(ready_parts: Path | None) -> Path:
    """Packages and parts; the folder of the programs. Raises Denied with the doctor's list."""
    terminal = Terminal()
    try:
        with then(NOT_BEGUN):
            return site.prepare(terminal, ready_parts)
    finally:
        terminal.close()


def bring_up(out: Path, ready_parts: Path | None) -> Site:
    """The site, up and with its capture, and `out` free for it; a failure leaves nothing behind.

    Raises AlreadyUp where one is up, Denied with the doctor's list where the machine cannot hold one.
    """
    refuse_second()
    terminal = Terminal()
    try:
        with then(what_is_left):
            up = site.up(terminal, ready_parts, out=out)  # takes down itself what it made, and nobody else's
            try:
                forget_last(out)  # only now: until the site is ours, it may be in use
                terminal.step("recording the shop's access log")
                make_capture(up.plan)
            except BaseException:
                with then(LEFT):
                    site.down(terminal)
                raise
        return up
    finally:
        terminal.close()


def take_down() -> list[str]:
    """Remove whatever is left of a site; what it was, in words."""
    terminal = Terminal()
    try:
        with then(LEFT):
            return site.down(terminal, deep.standing())
    finally:
        terminal.close()


def rehearse_exit(
    out: Path, *, fault: str | None, keep: bool, ready_parts: Path | None, as_json: bool
) -> int:
    """The main job. Returns the exit code.

    Raises AlreadyUp where a site is up, with nothing installed, built or set aside.
    """
    strike = fault_named(fault, Plan())
    refuse_second()
    make_ready(ready_parts)
    start = time.monotonic()
    with _site(out, ready_parts, keep=keep) as up:
        if keep:
            _leave_server_up(up, out / "prefect")
        code = _exit_on(up, out, strike, start)
        exit_s = time.monotonic() - start
    seconds = time.monotonic() - start
    report = json.loads((out / "report.json").read_text())
    if as_json:
        print_json(report)
    sys.stderr.write(
        f"rehearsal: {report['verdict']}; site up in {up.seconds['all']:.0f} s, exit done "
        f"after {exit_s:.0f} s, with teardown {seconds:.0f} s\n{out / 'report.html'}\n"
    )
    return code


def _leave_server_up(up: Site, home: Path) -> None:
    """A Prefect server that belongs to the site: it stays for the UI, and goes with `rehearse down`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.update(settings(home))
    port = free_port()
    api_url = f"http://127.0.0.1:{port}/api"
    state, log = State(up.plan), home / "server.log"
    running = state.run_process(
        "prefect",
        server_argv(port),
        log=log,
        env={**settings(home), "PREFECT_SERVER_UI_API_URL": api_url, "HOME": str(home)},
    )
    wait_until_healthy(api_url, running.alive, log)
    note(home, Server(api_url, running.pid))
    os.environ["PREFECT_API_URL"] = api_url


def _bring_up_apart(out: Path, ready_parts: Path | None) -> Site:
    """`rehearse up` in a process of its own, so that what building a site takes (clients of the whole AWS
    account, image archives: over 100 MB) is gone when the exit begins.

    Raises SystemExit with its exit code: it has said itself what went wrong.
    """
    # Without us nobody would take down what it makes. A shell without job control starts what runs in its
    # background with SIGINT ignored, and so would this be.
    argv = ["setpriv", "--pdeathsig", "INT", "--", "env", "--default-signal=INT"]
    argv += [sys.executable, "-m", "flows.cli", "rehearse", "up", "--json", "--out", str(out)]
    if ready_parts is not None:
        argv += ["--parts", str(ready_parts)]
    # In a session of its own Ctrl-C reaches it once, through us: a second one would end its taking down.
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            answer, _ = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    if process.returncode != Exit.DONE:
        raise SystemExit(process.returncode)
    found = json.loads(answer)
    return Site(Plan(), Path(found["site_file"]), Path(found["programs"]), found["seconds"])


@contextmanager
def _site(out: Path, ready_parts: Path | None, *, keep: bool) -> Iterator[Site]:
    with then(what_is_left):
        up = _bring_up_apart(out, ready_parts)
    at_end = (
        "the site is still up: `safe-harbor run rehearsal --resume` goes on from here"
        if keep
        else f"the site was taken down; what was recorded is in {out}"
    )
    try:
        with then(at_end):
            yield up
    finally:
        if keep:
            ui = os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
            sys.stderr.write("\n".join(how_to_reach(up.plan, ui)) + "\n")
        else:
            take_down()


def _exit_on(up: Site, out: Path, strike: Fault, start: float) -> int:
    """The exit, the closing table and the report, also where it ends early. Returns the exit code."""
    customers = Customers(up.plan, out / "customers.jsonl")
    terminal = Rehearsing(customers, strike)
    try:
        code = _stages(up, terminal, customers, strike, start)
    except BaseException:
        terminal.table(terminal.ended)
        try:
            _report_apart(up, out)
        except CommandFailed as error:
            terminal.say(str(error))  # beside the failure that ended the exit, which goes on
        raise
    terminal.table(terminal.ended)
    _report_apart(up, out)
    return code


def _stages(up: Site, terminal: Rehearsing, customers: Customers, strike: Fault, start: float) -> int:
    code = int(Exit.DONE)
    with Running(up.site_file, terminal=terminal) as exit_, customers, strike:
        place = exit_.place
        try:
            exit_.whole_exit()
        except NotAPass as refusal:
            terminal.close()
            terminal.say(str(refusal))
            code = int(Exit.NOT_A_PASS)
        if customers.started:
            customers.stop()
            saw = customers_saw(up.plan, customers.log, place.drivers, place.clock)
            write_result(place.state, saw)
            terminal.stage_ended(saw)
            if code == Exit.DONE and not saw.verdict.lets_go_on:
                code = int(Exit.NOT_A_PASS)
        figures = {"site_s": up.seconds, "until_report_s": round(time.monotonic() - start, 1)}
        figures |= exit_.orchestrator_figures()
        keep_measured(place.state, figures)
    return code


def _report_apart(up: Site, out: Path) -> None:
    """Drawing takes as much memory as a stage: a process of its own, which writes what was recorded.

    Raises CommandFailed with its last words.
    """
    argv = [sys.executable, "-m", "flows.cli", "report", str(up.site_file), "--out", str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed("the report", done.stderr.strip()[-500:] or f"ended with {done.returncode}")


def forget_last(out: Path) -> None:
    """Each rehearsal has a ledger of its own: the last one's is set aside, never mixed with this one's.

    A folder without a ledger is no rehearsal's, and stays where it is.
    """
    if not (out / "ledger").exists():
        return
    aside = out.with_name(f"{out.name}.{time.strftime('%Y%m%d-%H%M%S', time.gmtime(out.stat().st_mtime))}")
    while aside.exists():
        aside = aside.with_name(aside.name + "+")
    out.rename(aside)
