"""Reads the machines of the loaded side, and this one, before and after every run of the replay.

One short question a machine, all at once, while nothing is loaded. What cannot be read is told as missing
and never ends a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from inventory.errors import BadInput
from tasks.drivers.errors import OutsideError
from tasks.drivers.local_program import HERE, run_here
from tasks.drivers.ports import Host, Kube
from tasks.facts import usage, virtualization
from tasks.facts.gather import command, gather, parse
from tasks.facts.probe import NAMESPACE, PROGRAM
from tasks.facts.usage import Counted, Usage
from tasks.gates.disturbance import void_reasons
from tasks.gates.rounds_file import MachineReading
from tasks.networks.probe_image import probe_image
from tasks.replay.glance import Progress
from tasks.replay.plan import Plan
from tasks.replay.rounds import Runner
from tasks.replay.run import Options, RunResult
from tasks.replay.target_url import Endpoint
from tasks.steps.cluster_effects import probing_nodes
from tasks.steps.workplace import Workplace

READ_WITHIN_S = 10.0
PODS_WITHIN_S = 60.0
SOURCE = "/proc/stat, /proc/net/snmp and nf_conntrack_count of every machine, before and after every run"

Part = Literal["source", "target", "generator"]


@dataclass(frozen=True)
class Machine:
    """A machine and how it is read; `read` raises OutsideError."""

    name: str
    part: Part
    read: Callable[[], Counted]
    own_kernel: bool | None = None


@contextmanager
def machines_of(place: Workplace) -> Iterator[dict[str, tuple[Machine, ...]]]:
    """The machines to read, by the side that is loaded: its nodes, and this one.

    Source nodes that the site file does not declare are read through probe pods on their own network, which
    stand for the time of the block.
    """
    here = Machine(HERE, "generator", _read_here)
    stack = ExitStack()
    try:
        target = [_over_ssh(host, "target") for host in place.drivers.hosts().values()]
        yield {"source": (*_of_source(place, stack), here), "target": (*target, here)}
    finally:
        try:
            stack.close()
        except OutsideError as error:  # the rounds are worth more than the pods that are left
            place.progress.say(f"probe pods are left at the source: {error}")


def _of_source(place: Workplace, stack: ExitStack) -> list[Machine]:
    site, drivers = place.site, place.drivers
    if site.source.nodes:
        return [_over_ssh(drivers.host(node.name), "source") for node in site.source.nodes]
    try:
        kube = drivers.source_kube()
        names = [str(node["metadata"]["name"]) for node in kube.list("v1", "Node")]
        if not names:
            raise OutsideError(kube.name, "the cluster names no node")
        image = probe_image(site.target.cluster.programs)
        standing = probing_nodes(kube, names, image.reference, within_s=PODS_WITHIN_S)
        pods = stack.enter_context(standing)
    except (OutsideError, BadInput) as error:
        return [Machine("source nodes", "source", partial(_fail, str(error)))]
    return [Machine(name, "source", partial(_read_pod, kube, pod)) for name, pod in pods.items()]


def reading(
    run: Runner, machines: Mapping[str, Sequence[Machine]], side_of: Callable[[Endpoint], str]
) -> Runner:
    """The runner with readings around each run: `machines` in its result, and void where they say so."""

    def read(
        plan: Plan, endpoint: Endpoint, out_dir: Path, options: Options, *, on_progress: Progress
    ) -> RunResult:
        mine = machines[side_of(endpoint)]
        before = read_all(mine)
        result = run(plan, endpoint, out_dir, options, on_progress=on_progress)
        after = read_all(mine)
        seen = [_between(each, before[each.name], after[each.name]) for each in mine]
        content: dict[str, Any] = result.result | {"machines": [each.model_dump() for each in seen]}
        if void := void_reasons(seen):
            content |= {"valid": False, "reasons": [*content["reasons"], *void]}
        return replace(result, result=content)

    return read


def read_all(machines: Sequence[Machine]) -> dict[str, Counted | OutsideError]:
    """Every machine at once; what came of each."""
    with ThreadPoolExecutor(len(machines), thread_name_prefix="reading") as pool:
        return dict(zip([each.name for each in machines], pool.map(_tried, machines), strict=True))


def _tried(machine: Machine) -> Counted | OutsideError:
    try:
        return machine.read()
    except OutsideError as error:
        return error


def _between(
    machine: Machine, before: Counted | OutsideError, after: Counted | OutsideError
) -> MachineReading:
    if isinstance(before, OutsideError) or isinstance(after, OutsideError):
        told = Usage(missing=str(before if isinstance(before, OutsideError) else after))
    else:
        told = usage.between(before, after)
    return MachineReading(
        machine=machine.name, part=machine.part, own_kernel=machine.own_kernel, **asdict(told)
    )


def _over_ssh(host: Host, part: Part) -> Machine:
    own: bool | None = None  # where it does not answer, the readings say what is wrong with it
    asked = virtualization.ask()
    with suppress(OutsideError):
        own = not gather(host, (asked,)).of(asked).container_signs
    return Machine(host.name, part, partial(_read_host, host), own)


def _read_host(host: Host) -> Counted:
    return usage.counted(gather(host, usage.questions(), timeout_s=READ_WITHIN_S))


def _read_here() -> Counted:
    asked = usage.questions()
    output = run_here(command(asked), timeout_s=READ_WITHIN_S)
    return usage.counted(parse(HERE, asked, output.stdout, output.stderr))


def _read_pod(kube: Kube, pod: str) -> Counted:
    output = kube.execute(NAMESPACE, pod, [PROGRAM, "usage"], timeout_s=READ_WITHIN_S)
    if not output.ok:
        raise OutsideError(f"{kube.name}: {pod}", f"`{PROGRAM} usage`: {output.stderr.strip()[:200]}")
    try:
        return usage.parse_probe(output.stdout)
    except (ValueError, KeyError) as error:
        raise OutsideError(f"{kube.name}: {pod}", f"answered something else: {error}") from None


def _fail(why: str) -> Counted:
    raise OutsideError("source nodes", why)
