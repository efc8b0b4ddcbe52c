"""Builds the report from what was recorded. Nothing is measured, judged or guessed in here.

The one verdict over all is the worst of the recorded ones, and `nodata` at best where a stage of the exit has
not run: what was not done is never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from inventory.models.finding import Finding
from inventory.models.resource import Survey
from inventory.models.site import Site
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict, worst
from tasks.report.cutover import cutover_of
from tasks.report.model import (
    CheckRow,
    DataPlane,
    LedgerFigures,
    NodeRow,
    Report,
    Stage,
    SurveyFigures,
    WaiverRow,
)
from tasks.report.replay import replay_of
from tasks.report.stages import ORDER, read_stages, read_survey


def build_report(
    site: Site,
    *,
    ledger: LedgerFigures,
    entries: Sequence[Mapping[str, Any]],
    written_at: datetime,
    measured: Mapping[str, Any] | None = None,
) -> Report:
    """The report of the site's exit, from `site.state`.

    `entries` are those of the ledger as plain values (`Entry.as_json`); `measured` holds what only the
    caller knows, as how long the rehearsal's site took, with units in the names. Raises BadInput for a
    result file that cannot be read.
    """
    results = read_stages(site.state)
    figures = {name: result.figures for name, result in results.items()}
    gate, approve = figures.get("gate", {}), figures.get("approve", {})
    return Report(
        site=site.name,
        controller=site.controller,
        policy=site.policy,
        profile=site.profile,
        written_at=written_at,
        verdict=_over_all(results),
        seconds=round(sum(result.seconds for result in results.values()), 3),
        measured=dict(measured or {}),
        plan=str(figures.get("plan", {}).get("page", "")),
        stages=_stages(results),
        checks=tuple(_row(name, finding) for name, result in results.items() for finding in result.findings),
        waivers=_waivers(site, results),
        survey=_survey(read_survey(site.state)),
        nodes=_nodes(site, figures.get("prepare", {})),
        phase_seconds=figures.get("prepare", {}).get("phase_seconds", {}),
        changes_by_phase=figures.get("prepare", {}).get("changes_by_phase", {}),
        data_plane=_data_plane(figures.get("network", {}).get("data_plane", {})),
        moved={name: _named(what) for name, what in figures.get("move", {}).items()},
        replay=replay_of(figures["replay"]) if "replay" in figures else None,
        capacity=figures.get("capacity", {}).get("capacity", {}),
        latency=gate.get("latency", {}),
        round_trips=gate.get("round_trips", {}),
        decision=gate.get("decision", {}),
        approval=approve,
        cutover=cutover_of(results, entries),
        rollback=figures.get("rollback", {}),
        stopped=tuple(str(what) for what in figures.get("finalize", {}).get("stopped", ())),
        ledger=ledger,
    )


def _over_all(results: Mapping[str, StageResult]) -> Verdict:
    recorded = [result.verdict for result in results.values()]
    if not set(ORDER) <= set(results):
        recorded.append(Verdict.NODATA)
    return worst(recorded)


def _stages(results: Mapping[str, StageResult]) -> tuple[Stage, ...]:
    names = [*ORDER, *(name for name in results if name not in ORDER)]
    return tuple(_stage(results[name]) if name in results else Stage(name=name) for name in names)


def _stage(result: StageResult) -> Stage:
    counts: dict[str, int] = {}
    for finding in result.findings:
        key = "waived" if finding.waived_by else str(finding.verdict)
        counts[key] = counts.get(key, 0) + 1
    return Stage(
        name=result.name,
        verdict=result.verdict,
        started_at=result.started_at,
        seconds=result.seconds,
        changes=result.changes,
        findings=counts,
    )


def _row(stage: str, finding: Finding) -> CheckRow:
    return CheckRow(
        stage=stage,
        grade=min((str(one.grade) for one in finding.evidence), default=""),
        severity=str(finding.severity),
        evidence=finding.evidence,
        **{name: getattr(finding, name) for name in ("code", "subject", "verdict", "observed", "expected")},
        remedy=finding.remedy,
        waived_by=finding.waived_by,
    )


def _waivers(site: Site, results: Mapping[str, StageResult]) -> tuple[WaiverRow, ...]:
    waived = [
        (finding, f"{name}: {finding.code} {finding.subject}")
        for name, result in results.items()
        for finding in result.findings
        if finding.waived_by
    ]
    return tuple(
        WaiverRow(
            **waiver.model_dump(),
            used_by=tuple(
                shown
                for finding, shown in waived
                if finding.code == waiver.check and waiver.subject in ("*", finding.subject)
            ),
        )
        for waiver in site.waivers
    )


def _survey(survey: Survey | None) -> SurveyFigures | None:
    if survey is None:
        return None
    services: dict[str, int] = {}
    for resource in survey.resources:
        services[resource.service] = services.get(resource.service, 0) + 1
    return SurveyFigures(
        observed_at=survey.observed_at,
        resources=len(survey.resources),
        services=dict(sorted(services.items())),
        regions=tuple(sorted({row.region for row in survey.coverage})),
        incomplete=tuple(
            f"{row.service} {row.operation} in {row.region}: {row.status} {row.message}".strip()
            for row in survey.coverage
            if not row.status.complete
        ),
    )


def _nodes(site: Site, prepare: Mapping[str, Any]) -> tuple[NodeRow, ...]:
    seconds = prepare.get("node_seconds", {})
    return tuple(
        NodeRow(
            name=node.name,
            address=str(node.address),
            roles=tuple(str(role) for role in node.roles),
            prepare_s=seconds.get(node.name),
        )
        for node in site.target.nodes
    )


def _data_plane(recorded: Mapping[str, Mapping[str, Any]]) -> dict[str, DataPlane]:
    own = ("requests_per_s", "cpu_us_per_request")
    return {
        mode: DataPlane(
            requests_per_s=figures["requests_per_s"],
            cpu_us_per_request=figures.get("cpu_us_per_request"),
            more={name: value for name, value in figures.items() if name not in own},
        )
        for mode, figures in recorded.items()
        if isinstance(figures, Mapping) and figures.get("requests_per_s") is not None
    }


def _named(what: Any) -> dict[str, Any]:
    return dict(what) if isinstance(what, Mapping) else {"value": what}
