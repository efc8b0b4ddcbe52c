"""The gate: latency, residency, and the decision that an approver signs."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.policy import load_policy
from inventory.ranges import read_ranges
from tasks.checks.context import Phase, Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check, in_group, judge
from tasks.gates.decision import decide as decide_on
from tasks.gates.earlier import left_standing
from tasks.gates.latency import judge as judge_rounds
from tasks.gates.latency_campaign import latency_findings
from tasks.gates.rounds_file import read_rounds
from tasks.steps.observe import read_observations
from tasks.steps.record import read_records
from tasks.steps.replay import ROUNDS_FILE
from tasks.steps.stage import Draft, read_result
from tasks.steps.statements import read_statements
from tasks.steps.survey import last_survey
from tasks.steps.trail import read_trail
from tasks.steps.workplace import Workplace, current

JUDGED_BEFORE = (
    "prepare",
    "network",
    "move",
    "replay",
    "capacity",
)  # their findings are part of what is decided on


@task(name="judge latency", cache_policy=NO_CACHE)
def judge_latency(draft: Draft) -> None:
    """Paired-round non-inferiority over the rounds that the replay kept."""
    place = current()
    file = place.state / ROUNDS_FILE
    rounds = read_rounds(file)
    verdict = judge_rounds(rounds.rounds, rounds.planned_rounds, place.site.latency)
    evidence = observed(place.clock, f"safe-harbor judge latency {file}", file.read_bytes())
    draft.figures["latency"] = verdict.document()
    draft.add(latency_findings(verdict, (evidence,)))


@task(name="judge residency", cache_policy=NO_CACHE)
def judge_residency(draft: Draft) -> None:
    """The residency controls, with evidence from the site as it is now."""
    place = current()
    checks = in_group("residency")
    done = 0

    def told(check: Check) -> None:
        nonlocal done
        done += 1
        place.progress.step(check.title, done, len(checks))

    policy = load_policy(place.site.policy)
    draft.add(policy.settle(judge(checks, residency_context(place, "before-cutover"), told)))


@task(name="decide", cache_policy=NO_CACHE)
def decide(draft: Draft) -> None:
    """Everything that was found, the waivers and today's date become go or no-go, in the ledger.

    A dry run says what the decision would be; the one that may be approved stays the last.
    """
    place = current()
    earlier = {name: read_result(place.state, name) for name in JUDGED_BEFORE}
    before = [finding for result in earlier.values() if result is not None for finding in result.findings]
    not_run = [name for name, result in earlier.items() if result is None]
    policy = load_policy(place.site.policy)
    today = place.clock.now().date()
    draft.add(left_standing(before, place.site.waivers, today, not_run))
    decision = decide_on([*before, *draft.findings], place.site.waivers, today, policy)
    draft.figures["decision"] = {
        "go": decision.go,
        "digest": decision.digest,
        "policy": policy.name,
        "reasons": list(decision.reasons),
        "findings": len(decision.findings),
        "waivers": [waiver.model_dump(mode="json") for waiver in decision.applied],
    }
    if draft.dry_run:
        draft.would(f"record the decision {'go' if decision.go else 'no go'}, digest {decision.digest}")
    else:
        place.ledger.append("decision", "gate", dict(draft.figures["decision"]))


def residency_context(place: Workplace, phase: Phase) -> Residency:
    """What the residency checks see. `phase` is `before-cutover` or `after-finalize`.

    Raises BadInput for a statement, table or observation that is refused.
    """
    drivers, processing = place.drivers, place.site.processing
    tables = (processing.countries, processing.countries_again)
    registrants = processing.registrants
    return Residency(
        site=place.site,
        survey=last_survey(place),
        target=drivers.target_kube(),
        target_database=drivers.target_database(),
        target_bucket=drivers.target_bucket(),
        dns=drivers.dns(),
        hosts=drivers.hosts(),
        clock=place.clock,
        phase=phase,
        statements=read_statements(place.site, place.clock.now().date()),
        observations=read_observations(place.site.state),
        countries=tuple(read_ranges(file) for file in tables if file is not None),
        registrants=read_ranges(registrants) if registrants else None,
        records=read_records(place.site.state),
        trail=read_trail(place.site, place.ledger.path),
    )
