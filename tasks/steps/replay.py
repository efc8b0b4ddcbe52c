"""The replay: interleaved rounds against source and target, until the gate can decide."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.gates.latency_campaign import judged_campaign
from tasks.replay.capture import read_capture
from tasks.replay.rounds import Campaign, Pair
from tasks.replay.run import Options
from tasks.replay.target_url import endpoint_of
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
    allow = _named_hosts(place.site)
    campaign = Campaign(
        capture=read_capture(rules.capture),
        endpoints={side: endpoint_of(url, allow) for side, url in urls.items()},
        out_dir=place.state / "replay",
        rate_rps=rules.rate_rps,
        requests=rules.requests_per_round,
        planned=rules.rounds,
        seed=rules.seed,
        options=Options(connections=rules.connections, allow=allow),
    )

    def told(pair: Pair) -> None:
        place.progress.step(f"round {pair.number} of at most {rules.rounds}", pair.number, rules.rounds)

    place.progress.step(f"round 1 of at most {rules.rounds}", 0, rules.rounds)
    verdict = judged_campaign(campaign, place.site.latency, told)
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
