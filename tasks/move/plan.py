"""Draws up the plan of an exit from the site file and the last survey. Pure, but for `read_tables`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from inventory.diff import compare
from inventory.models.finding import Finding
from inventory.models.plan import (
    Plan,
    PlannedBucket,
    PlannedImage,
    PlannedNode,
    PlannedStep,
    PlannedTable,
    Remainder,
)
from inventory.models.resource import Resource, Survey
from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.drivers.ports import Sql

# Made by controllers at the target from what is moved (reference: crane-lib's list of owned objects).
_DERIVED = frozenset(
    {"Pod", "ReplicaSet", "Endpoints", "EndpointSlice", "Event", "ControllerRevision", "Lease", "PodMetrics"}
)
_TABLES = (
    "SELECT TABLE_NAME AS name, COALESCE(TABLE_ROWS, 0) AS row_estimate, "
    "COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) AS size_bytes "
    "FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME"
)


def read_tables(sql: Sql, database: str) -> tuple[PlannedTable, ...]:
    """The tables of the database that moves, with the server's estimates. Reads only."""
    return tuple(
        PlannedTable(name=row["name"], rows=int(row["row_estimate"]), size_bytes=int(row["size_bytes"]))
        for row in sql.rows(_TABLES, (database,))
    )


def draw_up(
    site: Site,
    survey: Survey,
    findings: Iterable[Finding] = (),
    tables: Sequence[PlannedTable] | None = None,
) -> Plan:
    """The plan. `findings` are those of the stages so far, waivers applied; `tables` None is not known."""
    difference = compare(site, survey)
    findings = tuple(findings)
    images = tuple(_images(site, survey))
    bucket = _bucket(site, survey)
    unknown = [f"the size of {image.source}" for image in images if image.size_bytes is None]
    if bucket.size_bytes is None:
        unknown.append(f"the size of {bucket.source}")
    if tables is None:
        unknown.append(f"the size of the database {site.source.database.name}")
    if not any(each.service == "kubernetes" for each in survey.resources):
        unknown.append("the cluster's objects: the survey has none")
    known = [image.size_bytes or 0 for image in images]
    known += [table.size_bytes for table in tables or ()] + [bucket.size_bytes or 0]
    return Plan(
        schema="safe-harbor/plan/v1",
        site=site.name,
        policy=site.policy,
        profile=site.profile,
        surveyed_at=datetime.fromisoformat(survey.observed_at),
        nodes=tuple(
            PlannedNode(name=n.name, address=str(n.address), roles=tuple(str(role) for role in n.roles))
            for n in site.target.nodes
        ),
        cluster=_cluster(site),
        images=images,
        objects=_objects(site, survey),
        tables=tuple(tables or ()),
        bucket=bucket,
        steps=_steps(site),
        transfer_bytes=sum(known),
        unknown=tuple(unknown),
        ends=_remainders(difference.exit),
        outside=_remainders((*difference.outside, *difference.stays)),
        blocking=tuple(f for f in findings if not f.verdict.lets_go_on and not f.waived_by),
        warnings=tuple(f for f in findings if f.verdict is Verdict.WARN),
        waivers=site.waivers,
    )


def _cluster(site: Site) -> dict[str, str]:
    cluster = site.target.cluster
    hidden = {"clients": "hidden from pods and policies"} if cluster.kube_proxy.masquerade_all else {}
    return hidden | {
        "name": cluster.name,
        "version": cluster.version,
        "pods": f"{cluster.pod_cidr}, /{cluster.subnet_len} a node",
        "services": str(cluster.service_cidr),
        "network": cluster.network.kind,
        "kube_proxy": str(cluster.kube_proxy.mode),
    }


def _of_source(site: Site, survey: Survey) -> list[Resource]:
    """The source cluster's objects in the namespaces that move."""
    return [
        each
        for each in survey.resources
        if each.service == "kubernetes"
        and each.region != site.target.cluster.name
        and each.attributes.get("namespace") in site.workload.namespaces
    ]


def _objects(site: Site, survey: Survey) -> dict[str, int]:
    kinds = Counter(each.kind for each in _of_source(site, survey) if each.kind not in _DERIVED)
    return dict(sorted(kinds.items()))


def _images(site: Site, survey: Survey) -> Iterable[PlannedImage]:
    source, target = site.source.registry.address, site.target.registry.address
    sizes = {}
    for each in survey.resources:
        if (each.service, each.kind) == ("ecr", "image") and "bytes" in each.attributes:
            digest = each.id.partition("@")[2]
            size = int(each.attributes["bytes"])
            sizes[f"{each.name}@{digest}"] = size
            sizes |= {f"{each.name}:{tag}": size for tag in each.attributes.get("image_tags") or ()}
    used = {image for each in _of_source(site, survey) for image in each.attributes.get("images") or ()}
    for image in sorted(used):
        inside = image.startswith(f"{source}/")
        path = image[len(source) + 1 :] if inside else image.partition("/")[2] or image
        yield PlannedImage(source=image, target=f"{target}/{path}", size_bytes=sizes.get(path))


def _bucket(site: Site, survey: Survey) -> PlannedBucket:
    name = site.source.bucket.name
    found = [each for each in survey.resources if (each.kind, each.id) == ("bucket", name)]
    seen = found[0].attributes if found else {}
    target = site.target.bucket
    return PlannedBucket(
        source=f"s3://{name}",
        target=f"{target.endpoint_url or 'AWS'}/{target.name}",
        objects=seen.get("objects"),
        size_bytes=seen.get("bytes"),
    )


def _steps(site: Site) -> tuple[PlannedStep, ...]:
    source, target, dns = site.source, site.target, site.dns
    shares = ", ".join(f"{step} %" for step in site.cutover.steps_percent)
    hold = f"{site.cutover.step_hold_s:g} s each"
    return (
        PlannedStep(what=f"TTL of {dns.name}", before=f"{dns.ttl_s} s", after=f"{dns.cutover_ttl_s} s"),
        PlannedStep(what="traffic at the edge", before="source 100 %", after=f"target {shares}, {hold}"),
        PlannedStep(
            what="writes of the database (held while it changes over)",
            before=f"{source.database.host}:{source.database.port}",
            after=f"{target.database.host}:{target.database.port}",
        ),
        PlannedStep(what=f"A {dns.name}", before=source.edge.address, after=target.edge.address),
        PlannedStep(
            what="the way back", before="rollback", after=f"until finalize, {site.cutover.soak_s:g} s later"
        ),
    )


def _remainders(resources: Iterable[Resource]) -> tuple[Remainder, ...]:
    groups: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for each in resources:
        groups[each.region, f"{each.service} {each.kind}"].append(each)
    return tuple(
        Remainder(
            region=region,
            kind=kind,
            count=len(group),
            names=tuple(each.name or each.id for each in group),
            size_gib=sum(int(each.attributes.get("size_gib") or 0) for each in group),
        )
        for (region, kind), group in sorted(groups.items())
    )
