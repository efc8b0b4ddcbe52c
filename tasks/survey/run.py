"""The survey: every AWS service in every enabled region, and the clusters, at once."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from inventory.models.resource import Coverage, CoverageStatus, Resource, Survey
from inventory.models.site import Site
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Aws, Clock, Kube
from tasks.survey.kubernetes import survey_cluster
from tasks.survey.surveyor import MESSAGE_CHARS, Ask, Surveyor, all_surveyors, status_of
from tasks.survey.tagging import joined

log = logging.getLogger(__name__)

WORKERS = 8
_Found = tuple[list[Resource], list[Coverage]]


@dataclass(frozen=True)
class Progress:
    """How far the survey is: `done` of `total` enumerations, and the one that just ended."""

    done: int
    total: int
    what: str


def survey(
    site: Site,
    aws: Aws,
    clusters: Sequence[Kube],
    clock: Clock,
    on_progress: Callable[[Progress], None] = lambda _: None,
    *,
    surveyors: Sequence[Surveyor] | None = None,
) -> Survey:
    """Everything that can be seen, and a row of coverage for everything that was asked.

    Nothing outside makes it raise: what fails stands in the coverage. The order of the result does not
    depend on which answer came first.
    """
    started = clock.now()
    regions, coverage = _regions(site, aws)
    jobs: list[tuple[str, Callable[[], _Found]]] = []
    asked = all_surveyors() if surveyors is None else surveyors
    # Region by region: surveyors that ask the same service there share its client while it is kept.
    for region in ("global", *regions):
        for surveyor in asked:
            if (surveyor.scope == "global") == (region == "global"):
                jobs.append((f"{surveyor.service} {region}", _aws_job(surveyor, aws, region, site)))
    jobs += [(f"kubernetes {kube.name}", _kube_job(kube)) for kube in clusters]

    resources: list[Resource] = []
    lock = threading.Lock()
    done = 0

    def run(job: tuple[str, Callable[[], _Found]]) -> _Found:
        nonlocal done
        what, work = job
        found = work()
        with lock:
            done += 1
            on_progress(Progress(done, len(jobs), what))
        return found

    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="survey") as pool:
        for mine, rows in pool.map(run, jobs):
            resources += mine
            coverage += rows
    return Survey(
        schema="safe-harbor/survey/v1",
        site=site.name,
        observed_at=started.isoformat(),
        resources=tuple(sorted(joined(resources), key=lambda r: (r.service, r.region, r.kind, r.id))),
        coverage=tuple(sorted(coverage, key=lambda c: (c.service, c.region, c.operation))),
    )


def _aws_job(surveyor: Surveyor, aws: Aws, region: str, site: Site) -> Callable[[], _Found]:
    def work() -> _Found:
        ask = Ask(aws, surveyor.service, region)
        found: list[Resource] = []
        try:
            found.extend(surveyor.collect(ask, site))
        except (KeyError, TypeError, ValueError) as error:
            # An answer of another shape than AWS documents: what was not read must not look absent.
            log.exception("%s in %s answered in an unknown shape", surveyor.service, region)
            ask.misread(f"an answer could not be read: {type(error).__name__} {error}")
        return found, ask.coverage()

    return work


def _kube_job(kube: Kube) -> Callable[[], _Found]:
    return lambda: survey_cluster(kube)


def _regions(site: Site, aws: Aws) -> tuple[list[str], list[Coverage]]:
    """The regions to look at, and what is known of the others.

    A region that the site file leaves out is an incomplete row: nobody can say what lies there. Where the
    list of regions cannot be had, the declared ones and the home region are still looked at.
    """

    def row(region: str, status: CoverageStatus, count: int, message: str = "") -> Coverage:
        return Coverage(
            service="account",
            region=region,
            operation="describe_regions",
            status=status,
            count=count,
            message=message[:MESSAGE_CHARS],
        )

    declared = site.source.aws.regions
    try:
        enabled = sorted(aws.regions())
    except OutsideError as error:
        return sorted({*declared, site.source.aws.home_region}), [
            row("global", status_of(error), 0, str(error))
        ]
    status = CoverageStatus.OK if enabled else CoverageStatus.EMPTY
    rows = [row("global", status, len(enabled))]
    if not declared:
        return enabled, rows
    for region in sorted(set(enabled) - set(declared)):
        message = "enabled, and left out by source.aws.regions of the site file"
        rows.append(row(region, CoverageStatus.ERROR, 0, message))
    return sorted(declared), rows


def to_json(found: Survey) -> str:
    """The content of `survey.json`."""
    return json.dumps(found.model_dump(mode="json", by_alias=True), indent=1, sort_keys=True) + "\n"


def write_survey(found: Survey, file: Path) -> None:
    """Write `survey.json`, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    with fresh.open("w", encoding="utf-8") as stream:
        stream.write(to_json(found))
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)


def read_survey(file: Path) -> Survey:
    """What `write_survey` wrote. Raises FileNotFoundError, or ValidationError where it is another's."""
    return Survey.model_validate_json(file.read_bytes())
