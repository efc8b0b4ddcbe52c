"""Undoes the settings of the nodes, from the record that the preparation left on each."""

from __future__ import annotations

from collections.abc import Mapping

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.change import Change
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.facts import before, units
from tasks.facts.before import Record
from tasks.facts.gather import Facts
from tasks.operations.settings import undo_asked, undo_plan
from tasks.steps.hosts import bring_about, reach
from tasks.steps.stage import Draft, result_path
from tasks.steps.workplace import current

CODE = "TUN-UNDO"
_KUBELET = "kubelet.service"


@task(name="read records", cache_policy=NO_CACHE)
def read_records(draft: Draft) -> dict[str, Record]:
    """Each host's record of what was there before. A node whose pods need the settings is a finding."""
    names = [node.name for node in current().site.target.nodes]
    reach(names)
    record, kubelet = before.ask(), units.ask((_KUBELET,))
    records: dict[str, Record] = {}
    running: dict[str, bool] = {}

    def note(facts: Mapping[str, Facts]) -> list[Change]:
        records.update({name: each.of(record)[1] for name, each in facts.items()})
        running.update({name: each.of(kubelet)[_KUBELET].running for name, each in facts.items()})
        return []

    bring_about(draft, "record", dict.fromkeys(names, (record, kubelet)), note, dry_run=draft.dry_run)
    draft.add(_judged(name, running[name]) for name in names if records[name].items)
    return records


@task(name="restore settings", cache_policy=NO_CACHE)
def restore_settings(draft: Draft, records: Mapping[str, Record], *, dry_run: bool) -> None:
    """Put everything recorded back, on all hosts at once; the result of `prepare` no longer holds then."""
    recorded = {name: record for name, record in records.items() if record.items}

    def plan(facts: Mapping[str, Facts]) -> list[Change]:
        return [
            change for name, record in recorded.items() for change in undo_plan(name, record, facts[name])
        ]

    asked = {name: undo_asked(record) for name, record in recorded.items()}
    if asked and bring_about(draft, "undo", asked, plan, dry_run=dry_run) and not dry_run:
        result_path(current().state, "prepare").unlink(missing_ok=True)


def _judged(name: str, running: bool) -> Finding:
    return Finding(
        code=CODE,
        subject=name,
        verdict=Verdict.FAIL if running else Verdict.PASS,
        observed="its kubelet runs: pods lose forwarding and their tables" if running else "no kubelet runs",
        expected="no pod depends on the settings",
        remedy="drain the node and run on it: systemctl disable --now kubelet" if running else "",
        severity=Severity.HIGH,
    )
