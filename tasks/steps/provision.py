"""Provisioning: machines on KVM hosts, until each of them is a node that we can log in to."""

from __future__ import annotations

import hashlib
import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.errors import BadInput
from inventory.models.cluster import Node
from inventory.models.command import Command
from inventory.models.finding import Finding, Severity
from inventory.models.machines import Kvm
from inventory.models.verdict import Verdict
from tasks.drivers.errors import CommandFailed, HostKeyRefused, HostUnreachable, LoginRefused, OutsideError
from tasks.operations import machines
from tasks.steps.hosts import ask_all, bring_about
from tasks.steps.machine_keys import identity_of
from tasks.steps.stage import Draft
from tasks.steps.workplace import current

USABLE_WITHIN_S = 600.0  # an emulated machine with a slow disk; by KVM it takes a tenth of it
LOOK_EVERY_S = 1.0


def declared() -> Kvm:
    """The site's machines. Raises BadInput where it declares none."""
    place = current()
    if place.site.target.kvm is None:
        raise BadInput(
            "declares no machines to be made: all its nodes exist (see target.kvm in the example)",
            place.site_file,
        )
    return place.site.target.kvm


@task(name="verify image", cache_policy=NO_CACHE)
def verify_image() -> int:
    """The size of the image's file in bytes. Raises BadInput where it is not the declared one."""
    image = declared().image
    current().progress.step(f"verifying {image.file.name}")
    with image.file.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != image.sha256:
        raise BadInput(f"has the SHA-256 {found}, declared is {image.sha256}", image.file)
    return image.file.stat().st_size


@task(name="make machines", cache_policy=NO_CACHE)
def make_machines(draft: Draft, image_bytes: int, *, dry_run: bool) -> dict[str, float]:
    """Pools and networks, then machines. Node -> when its machine was begun (monotonic seconds).

    Raises Halt where something stands in the way: then nothing of a machine has been touched.
    """
    place, kvm = current(), declared()
    site, hosts = place.site, place.drivers.kvm_hosts()
    asked = {host.name: machines.asked(site) for host in kvm.hosts}
    seen = ask_all("machines", asked, hosts)
    existing = _existing(draft, set(machines.found(site, seen)))
    _plan(draft, seen, existing, image_bytes, dry_run=True)  # what is in the way is known before any change
    bring_about(
        draft, "ground", asked, lambda facts: machines.plan_ground(site, facts), dry_run=dry_run, hosts=hosts
    )
    began = time.monotonic()
    planned = machines.Planned()

    def plan(facts: machines.FactsOf) -> machines.Changes:
        nonlocal planned
        planned = _plan(draft, facts, existing, image_bytes, dry_run=dry_run)
        return planned.changes

    bring_about(draft, "machines", asked, plan, dry_run=dry_run, hosts=hosts)
    draft.figures["machines"] = {**planned.stands, **planned.makes}
    draft.figures["taken_over"] = sorted(existing)
    return dict.fromkeys(planned.makes, began)


def _plan(
    draft: Draft, facts: machines.FactsOf, existing: list[str], image_bytes: int, *, dry_run: bool
) -> machines.Planned:
    site = current().site
    planned = machines.plan(
        site, facts, existing, lambda node: identity_of(site, node, keep=not dry_run), image_bytes
    )
    if planned.problems:
        draft.require(
            _finding(
                "machines",
                Verdict.FAIL,
                "; ".join(planned.problems),
                "a place for every machine, and nothing of others in the way",
                "make room, correct target.kvm, or clear what is named; nothing was changed",
                code="PRV-PLACE",
            )
        )
    return planned


def _existing(draft: Draft, ours: set[str]) -> list[str]:
    """Nodes that answer at their address and that we did not make. Takes a finding of each."""
    place = current()
    made = {machine.node for machine in declared().machines}
    existing = []
    for node in place.site.target.nodes:
        if node.name in ours:
            continue
        if not place.drivers.answers(node.name):
            if node.name not in made:
                draft.add([_gone(node)])
            continue
        try:
            place.drivers.host(node.name).check(Command.of("true"))
        except (HostKeyRefused, LoginRefused) as error:
            draft.require(
                _finding(
                    node.name,
                    Verdict.FAIL,
                    error.what,
                    "a machine that lets us in",
                    error.remedy or f"free the address {node.address}, or make the machine known",
                    code="PRV-NODE",
                )
            )
        existing.append(node.name)
        draft.add([_usable(node, "exists already, taken over by its address")])
    return existing


@task(name="await nodes", cache_policy=NO_CACHE)
def await_nodes(draft: Draft, begun: dict[str, float]) -> None:
    """Wait until every machine lets us in and has ended its first boot; the seconds that each took."""
    place = current()
    seconds = draft.figures.setdefault("usable_s", {})
    for name in sorted(draft.figures["machines"]):
        node = next(each for each in place.site.target.nodes if each.name == name)
        place.progress.step(f"waiting for {name} to be usable")
        error = _await(name)
        where = draft.figures["machines"][name]
        if error is not None:
            draft.add([_gone(node, f"on {where}: {error}")])
            continue
        said = f"stands on {where}"
        if name in begun:
            seconds[name] = round(time.monotonic() - begun[name], 1)
            said = f"made on {where}, usable after {seconds[name]} s"
        draft.add([_usable(node, said)])


def _await(name: str) -> OutsideError | None:
    """None once the node is usable; what it said last, where it is not in time."""
    place = current()
    deadline = time.monotonic() + USABLE_WITHIN_S
    while True:
        try:
            place.drivers.host(name).check(
                Command.of("cloud-init", "status", "--wait"), timeout_s=USABLE_WITHIN_S
            )
        except CommandFailed as error:
            return error  # it is up, and its first boot went wrong
        except HostUnreachable as error:
            if time.monotonic() > deadline:
                return error
        else:
            return None
        place.clock.sleep(LOOK_EVERY_S)


@task(name="remove machines", cache_policy=NO_CACHE)
def remove_machines(draft: Draft, *, dry_run: bool) -> None:
    """Remove every machine that carries this site's mark, and the volumes that were made with it."""
    place, kvm = current(), declared()
    asked = {host.name: machines.asked(place.site) for host in kvm.hosts}
    bring_about(
        draft,
        "removal",
        asked,
        lambda facts: machines.plan_removal(place.site, facts),
        dry_run=dry_run,
        hosts=place.drivers.kvm_hosts(),
    )


def _usable(node: Node, said: str) -> Finding:
    return _finding(node.name, Verdict.PASS, said, f"usable at {node.address}", "", code="PRV-NODE")


def _gone(node: Node, said: str = "") -> Finding:
    return _finding(
        node.name,
        Verdict.FAIL,
        said or f"nothing answers at {node.address}, and target.kvm does not say to make it",
        f"usable at {node.address}",
        f"look at its console: virsh console {current().site.name}-{node.name}"
        if said
        else "start it, or list it under target.kvm.machines",
        code="PRV-NODE",
    )


def _finding(
    subject: str, verdict: Verdict, observed: str, expected: str, remedy: str, *, code: str
) -> Finding:
    return Finding(
        code=code,
        subject=subject,
        verdict=verdict,
        observed=observed,
        expected=expected,
        remedy=remedy,
        severity=Severity.CRITICAL,
    )
