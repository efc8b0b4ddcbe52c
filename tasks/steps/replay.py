"""The replay: interleaved rounds against source and target, until the gate can decide."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.checks.evidence import observed
from tasks.gates.disturbance import load_findings
from tasks.gates.latency_campaign import judged_campaign
from tasks.gates.pilot import judge_pilot
from tasks.gates.rounds_file import Reading, Round
from tasks.replay.glance import Glance
from tasks.replay.rounds import ATTEMPTS, SIDES, WARM_UP, Campaign, campaign_of
from tasks.replay.target_url import Endpoint
from tasks.steps.answers import compare_answers
from tasks.steps.load_progress import tell
from tasks.steps.replay_page import page_of
from tasks.steps.round_readings import SOURCE, Machine, machines_of, reading
from tasks.steps.stage import HALTED, Draft, Halt
from tasks.steps.workplace import current

ROUNDS_FILE, PILOT_FILE = "rounds.json", "pilot.json"


@task(name="replay rounds", cache_policy=NO_CACHE)
def replay_rounds(draft: Draft) -> None:
    """Run the rounds, keep rounds.json for the gate, compare answers; loads only what the site file names.

    Raises BadInput for the capture, HostUnreachable where a side does not answer.
    """
    place = current()
    rules = place.site.replay
    urls = {"source": place.site.source.edge.url, "target": place.site.target.edge.url}
    campaign = campaign_of(
        rules,
        urls,
        place.state / "replay",
        allow=_named_hosts(place.site),
        slo_ms=place.site.latency.ceiling_ms,
    )

    def told(number: int, side: str, glance: Glance) -> None:
        what = f"round {number} of at most {rules.rounds}" if number else "warm-up"
        tell(place, f"{what}, {side}", glance)

    campaign.on_progress = told
    with machines_of(place) as machines:
        _read_around(campaign, machines)
        if rules.pilot_rounds:
            campaign.planned = _piloted(draft, urls["source"], machines)
        verdict = judged_campaign(campaign, place.site.latency)
    rounds = campaign.rounds_file()
    file = place.state / ROUNDS_FILE
    file.write_text(json.dumps(rounds, indent=1) + "\n")
    draft.figures |= {"rate_rps": campaign.rate_rps, "seed": rules.seed} | campaign.summary()
    for name in ("rounds", "discarded", "readings"):
        draft.figures[name] = rounds[name]
    if verdict.verdict is Verdict.ERROR or not rounds["rounds"]:
        draft.verdict = Verdict.INCONCLUSIVE  # no round became valid: nothing that a gate could judge
    readings = [Reading(**item) for item in campaign.readings]
    draft.add(load_findings(readings, (observed(place.clock, SOURCE, json.dumps(campaign.readings)),)))
    with page_of(place, draft, campaign.kept):
        compare_answers(draft, campaign.capture, (campaign.endpoints["source"], campaign.endpoints["target"]))


def _read_around(campaign: Campaign, machines: Mapping[str, Sequence[Machine]]) -> None:
    def side_of(endpoint: Endpoint) -> str:
        return next(side for side in SIDES if campaign.endpoints[side] == endpoint)

    campaign.runner = reading(campaign.runner, machines, side_of)


@task(name="show load", cache_policy=NO_CACHE)
def show_load(draft: Draft) -> None:
    """What the rounds would send to which side; nothing is sent.

    Raises BadInput for the capture, HostUnreachable for a name without an address.
    """
    place = current()
    site, rules = place.site, place.site.replay
    source, target = site.source.edge.url, site.target.edge.url
    campaign = campaign_of(
        rules, {"source": source, "target": target}, place.state / "replay", allow=_named_hosts(site)
    )
    rate, warm_up = f"at {campaign.rate_rps:g} requests/s", min(WARM_UP, campaign.requests)
    if rules.pilot_rounds:
        draft.would(f"send {warm_up} requests {rate} to {source} twice, as the pilot's warm-up")
        draft.would(
            f"send {campaign.requests} requests {rate} to {source} twice in each of {rules.pilot_rounds} "
            "pilot rounds; how much these differ says how many rounds follow"
        )
    draft.would(f"send {warm_up} requests {rate} to {source}, then to {target}, as a warm-up")
    draft.would(
        f"send {campaign.requests} requests {rate} to {source} and to {target} in each of at most "
        f"{campaign.planned} rounds, {campaign.planned * 2 * campaign.requests / campaign.rate_rps / 60:.1f} "
        "minutes in all, until the gate can decide; "
        f"a run that is not valid is tried up to {ATTEMPTS} times"
    )
    if rules.answers.requests:
        draft.would(
            f"ask the {rules.answers.requests} most frequent requests of {source} twice and of {target} once"
        )


def _piloted(draft: Draft, source: str, machines: Mapping[str, Sequence[Machine]]) -> int:
    """How many rounds to plan, by the source against itself; keeps pilot.json.

    Raises Halt where the pilot says that no comparison could be believed, and what the replay raises.
    """
    place = current()
    rules = place.site.replay.model_copy(update={"rounds": place.site.replay.pilot_rounds})
    campaign = campaign_of(
        rules,
        {"source": source, "target": source},
        place.state / "pilot",
        allow=_named_hosts(place.site),
        slo_ms=place.site.latency.ceiling_ms,
        pilot=True,
    )

    def told(number: int, side: str, glance: Glance) -> None:
        tell(place, f"pilot {number} of {rules.rounds}, {side} half", glance)

    campaign.on_progress = told
    _read_around(campaign, machines)
    rounds = [Round(**figures.__dict__) for pair in campaign.run_pairs() for figures in pair.figures]
    (place.state / PILOT_FILE).write_text(json.dumps(campaign.rounds_file(), indent=1) + "\n")
    pilot = judge_pilot(rounds, place.site.latency)
    draft.figures["pilot"] = pilot.document()
    if pilot.planned_rounds is None:
        draft.verdict = Verdict.INCONCLUSIVE
        draft.figures[HALTED] = f"the pilot says {pilot.verdict}: {'; '.join(pilot.reasons)}"
        raise Halt(draft.figures[HALTED])
    planned = min(pilot.planned_rounds, place.site.replay.rounds)
    place.progress.say(
        f"pilot: {pilot.planned_rounds} rounds for 90 % power; {planned} are planned (replay.rounds)"
    )
    return planned


def _named_hosts(site: Site) -> tuple[str, ...]:
    """The hosts that the site file names as its two edges."""
    return tuple(str(urlsplit(edge.url).hostname) for edge in (site.source.edge, site.target.edge))
