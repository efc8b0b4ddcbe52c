"""What `safe-harbor rehearse matrix` does: a site with its network, faults, healthy runs, the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flows.cli.exits import Exit, print_json, then
from flows.cli.running import Running
from flows.cli.terminal import Terminal
from flows.rehearsing import bring_up, take_down
from inventory.models.command import Command
from rehearsal import site
from rehearsal.matrix.fault import Fault
from rehearsal.matrix.kept import read, write
from rehearsal.matrix.registry import all_faults, faults_named
from rehearsal.matrix.result import Matrix
from rehearsal.matrix.run import heal, healthy_runs, try_fault, where_of
from rehearsal.plan import Plan
from tasks.checks.context import DataPlane
from tasks.networks.probe import probing
from tasks.networks.probe_image import probe_image
from tasks.steps.workplace import Workplace

CONTAINERS = "containers"


def fault_matrix(
    out: Path,
    *,
    names: Sequence[str],
    runs: int,
    beside: Sequence[Path],
    ready_parts: Path | None,
    as_json: bool,
) -> int:
    """Run it on the site that is up, or on one of its own. Returns the exit code.

    `beside` are documents of other runs, which the page shows as well. Raises BadInput where one is none.
    """
    faults = faults_named(names)
    others = [read(file) for file in beside]
    terminal = Terminal()
    with _site_file(out, ready_parts) as file, Running(file, terminal=terminal) as running:
        running.whole_exit(resume=True, until="network")
        matrix = try_faults(running.place, CONTAINERS, faults, runs, terminal)
    page = write(matrix, out, others)
    if as_json:
        print_json(matrix.model_dump(mode="json", by_alias=True))
    terminal.say(str(page))
    return Exit.DONE if matrix.good else Exit.NOT_A_PASS


def try_faults(
    place: Workplace, made_of: str, faults: Sequence[Fault], runs: int, terminal: Terminal
) -> Matrix:
    """Each fault on the site whose network stands, then healthy runs; `made_of` says what its nodes are.

    Raises OutsideError where the site does not heal.
    """
    site, kube = place.site, place.drivers.target_kube()
    nodes = [node.name for node in site.target.nodes]
    matrix = Matrix(measured_at=f"{place.clock.now():%Y-%m-%d}", site=_words(place, made_of))
    reference = probe_image(site.target.cluster.programs).reference
    with probing(kube, place.clock, nodes, reference) as probes:
        context = DataPlane(site, place.drivers.hosts(), kube, probes.pods, place.clock, probes.nodes)
        where = where_of(context)
        terminal.step("undoing what an earlier run may have left")
        heal(all_faults(), where)
        for fault in faults:
            if not fault.possible(where):
                matrix.untried[fault.name] = f"{fault.what}: takes a node with a kernel of its own"
                continue
            row = try_fault(fault, where, terminal.step)
            matrix.rows.append(row)
            terminal.close()
            word = "found" if row.found else "NOT FOUND"
            terminal.say(f"{word:<10} {row.fault:<24} {', '.join(row.named)}")
        for number, run in enumerate(healthy_runs(context, runs), start=1):
            matrix.healthy.append(run)
            terminal.close()
            said = "; ".join(run.alarms) or "no alarm"
            terminal.say(f"healthy run {number} of {runs}: {said} in {run.seconds:.1f} s")
    return matrix


def _words(place: Workplace, made_of: str) -> str:
    cluster, nodes = place.site.target.cluster, place.site.target.nodes
    release = place.drivers.hosts()[nodes[-1].name].check(Command.of("uname", "-r"))
    kernel = release.strip().partition("-")[0]
    return (
        f"a rehearsal site of {len(nodes)} {made_of} (Linux {kernel}, network {cluster.network.kind}, "
        f"kube-proxy {cluster.kube_proxy.mode})"
    )


@contextmanager
def _site_file(out: Path, ready_parts: Path | None) -> Iterator[Path]:
    """The site that is up stays up; one that was built for this goes again, whatever happens."""
    if site.is_up():
        with then("the site is still up; the same command goes on with it"):
            yield Plan().site_file
        return
    up = bring_up(out, ready_parts)
    try:
        with then("the site was taken down"):
            yield up.site_file
    finally:
        take_down()
