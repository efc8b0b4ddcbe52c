"""The replay: interleaved rounds against source and target, until the gate can decide."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.gates.latency_campaign import judged_campaign
from tasks.replay.rounds import campaign_of
from tasks.steps.stage import Draft
from tasks.steps.workplace import current

ROUNDS_FILE = "rounds.json"


@task(name="replay rounds", cache_policy=NO_CACHE)
def replay_rounds(draft: Draft) -> None:
    """Run the rounds, keep rounds.json for the gate. Only what the site file names is loaded.

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

    def told(number: int, side: str, done: int, planned: int) -> None:
        what = f"round {number} of at most {rules.rounds}" if number else "warm-up"
        place.progress.step(f"{what}, {side}", done, planned)

    campaign.on_progress = told
    verdict = judged_campaign(campaign, place.site.latency)
    rounds = campaign.rounds_file()
    (place.state / ROUNDS_FILE).write_text(json.dumps(rounds, indent=1) + "\n")
    draft.figures |= {"rate_rps": rules.rate_rps, "seed": rules.seed} | campaign.summary()
    draft.figures["rounds"] = rounds["rounds"]
    draft.figures["discarded"] = rounds["discarded"]
    if verdict.verdict is Verdict.ERROR or not rounds["rounds"]:
        draft.verdict = Verdict.INCONCLUSIVE  # no round became valid: nothing that a gate could judge


def _named_hosts(site: Site) -> tuple[str, ...]:
    """The hosts that the site file names as its two edges."""
    return tuple(str(urlsplit(edge.url).hostname) for edge in (site.source.edge, site.target.edge))
