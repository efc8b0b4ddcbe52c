"""The plan: drawn up from the last survey, kept as plan.json, shown on one page."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.move.plan import draw_up as draw_up_plan
from tasks.move.plan import read_tables
from tasks.move.plan_text import render
from tasks.steps.stage import Draft, read_result
from tasks.steps.survey import last_survey
from tasks.steps.workplace import current

PLAN_FILE = "plan.json"


@task(name="draw up", cache_policy=NO_CACHE)
def draw_up(draft: Draft) -> None:
    """Read the sizes of the source's tables, draw up, keep and show the plan."""
    place = current()
    surveyed = read_result(place.state, "survey")
    tables = read_tables(place.drivers.source_database(), place.site.source.database.name)
    plan = draw_up_plan(place.site, last_survey(place), surveyed.findings if surveyed else (), tables)
    (place.state / PLAN_FILE).write_text(plan.model_dump_json(by_alias=True, indent=1) + "\n")
    text = render(plan)
    draft.figures["page"] = text
    for line in text.splitlines():
        place.progress.say(line)
