"""The move: services at the target, then images, database, bucket, objects; each copy proved."""

from __future__ import annotations

import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.finding import Finding, Severity
from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload
from tasks.checks.evidence import observed
from tasks.checks.workload import wl_policy
from tasks.drivers.registry import Skopeo
from tasks.move.bucket import BucketMoved, move_bucket
from tasks.move.compare import compare
from tasks.move.database import Login, Moving, move_database
from tasks.move.endpoints import Address
from tasks.move.images import images_used, move_images, plan_images
from tasks.move.objects import Mapped, apply_objects, mentions, plan_objects, read_objects, wait_available
from tasks.networks.registry import of_site
from tasks.operations.mariadb import CA_FILE
from tasks.steps.changing import origin_of
from tasks.steps.drivers import read_secret
from tasks.steps.hosts import bring_about
from tasks.steps.services import ServicePhase, by_host, data_node, data_services, edge_service
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace, current

ANSWERS_WITHIN_S = 30.0
LEFT_BEHIND_WORDS = ("amazonaws.com", "gcr.io", "docker.io")


@task(name="judge policies", cache_policy=NO_CACHE)
def judge_policies(draft: Draft) -> None:
    """Before anything is copied: what isolates pods at the source must isolate them here. Raises Halt."""
    place = current()
    enforces = of_site(place.site).enforces_policies
    context = Workload(place.site, place.drivers.source_kube(), place.clock, enforces)
    for finding in wl_policy.CHECK.run(context):  # a cluster that does not answer is an outside failure
        draft.require(finding)


@task(name="raise services", cache_policy=NO_CACHE)
def raise_services(draft: Draft, *, dry_run: bool) -> None:
    """MariaDB, the registry and the object store on the data node."""
    for phase in data_services(current().site):
        _raise(draft, phase, dry_run=dry_run)


@task(name="copy images", cache_policy=NO_CACHE)
def copy_images(draft: Draft) -> None:
    """Every image of the moved workloads to the target's registry, digests compared."""
    place = current()
    site = place.site
    found = read_objects(place.drivers.source_kube(), site.workload.namespaces)
    moves = plan_images(images_used(found), site.source.registry.address, site.target.registry.address)
    with (
        open_copier(site) as copier,
        place.ledger.effect("move/images", {"images": [str(move.source) for move in moves]}) as effect,
    ):
        moved = move_images(moves, copier, on_progress=place.progress.step)
        effect.outcome = {"digests": {each.new_name: each.digest for each in moved}}
    draft.changes += sum(each.copied for each in moved)
    draft.figures["images"] = {
        "count": len(moved),
        "copied": sum(each.copied for each in moved),
        "names": {each.original: each.new_name for each in moved},
    }
    digests = "\n".join(f"{each.new_name} {each.digest}" for each in moved)
    draft.add(
        [
            Finding(
                code="MOV-IMAGES",
                subject=site.target.registry.address,
                verdict=Verdict.PASS if moved else Verdict.NODATA,
                observed=f"{len(moved)} images with the source's digests",
                expected="every image of the moved workloads, with the digest it has at the source",
                evidence=(observed(place.clock, "skopeo inspect, both registries", digests),),
                severity=Severity.CRITICAL,
            )
        ]
    )


def open_copier(site: Site) -> Skopeo:
    """What copies between the two registries, each trusted by the CA that the site file names."""
    return Skopeo({side.address: side.ca_file for side in (site.source.registry, site.target.registry)})


@task(name="copy database", cache_policy=NO_CACHE)
def copy_database(draft: Draft) -> None:
    """A first copy, a replica that follows, and every table compared at one position."""
    place = current()
    site = place.site
    source, target = place.drivers.source_database(), place.drivers.target_database()
    with place.ledger.effect("move/database", {"database": site.target.database.name}) as effect:
        moved = move_database(_moving(place), place.clock, on_progress=place.progress.step)
        effect.outcome = {"copied": moved.copied, "position": moved.position, "lag_s": moved.lag_s}
    draft.changes += moved.changes
    compared = compare(source, target, site.target.database.name, place.clock, on_table=place.progress.step)
    tables = "\n".join(
        f"{name} {state.rows} {state.digest}" for name, state in sorted(compared.target.items())
    )
    differences = compared.differences
    draft.figures["database"] = {
        "tables": len(compared.source),
        "rows": compared.rows,
        "lag_s": moved.lag_s,
        "copy_s": round(moved.seconds_to_copy, 2),
        "position": compared.position,
        "checksums_equal": not differences,
    }
    draft.add(
        [
            Finding(
                code="MOV-DATABASE",
                subject=target.name,
                verdict=Verdict.FAIL if differences else Verdict.PASS,
                observed="; ".join(differences)
                or f"{len(compared.source)} tables, {compared.rows} rows, the same at {compared.position}",
                expected="rows, contents and definition of every table equal at one GTID position",
                evidence=(observed(place.clock, f"row counts and digests on {target.name}", tables),),
                remedy="stop what writes at the target, empty it, and move again" if differences else "",
                severity=Severity.CRITICAL,
            )
        ]
    )


@task(name="copy bucket", cache_policy=NO_CACHE)
def copy_bucket(draft: Draft) -> None:
    """Every object of the bucket: count, bytes, and each content and metadata read back from both sides."""
    place = current()
    source, target = place.drivers.source_bucket(), place.drivers.target_bucket()
    with place.ledger.effect("move/bucket", {"from": source.name, "to": target.name}) as effect:
        created = place.drivers.create_target_bucket()
        moved = move_bucket(source, target, on_progress=place.progress.step)
        effect.outcome = {"objects": moved.objects, "copied": moved.copied, "digest": moved.digest}
    draft.changes += moved.copied + created
    draft.figures["bucket"] = {
        "count": moved.objects,
        "bytes": moved.bytes,
        "copied": moved.copied,
        "copied_bytes": moved.copied_bytes,
        "unkept": [str(each) for each in moved.unkept],
        "digest": moved.digest,
    }
    draft.add(
        [
            Finding(
                code="MOV-BUCKET",
                subject=target.name,
                verdict=Verdict.WARN if moved.extra else Verdict.PASS,
                observed=f"{moved.objects} objects, {moved.bytes} bytes, {moved.compared} compared by SHA-256"
                + (f"; {len(moved.extra)} more at the target: {moved.extra[:3]}" if moved.extra else ""),
                expected="the source's objects, and no others",
                evidence=(observed(place.clock, "keys, bytes and SHA-256 of both sides", moved.digest),),
                remedy="remove what does not belong there" if moved.extra else "",
                severity=Severity.CRITICAL,
            ),
            _metadata_kept(place, target.name, moved),
        ]
    )


def _metadata_kept(place: Workplace, target: str, moved: BucketMoved) -> Finding:
    """Whether the target has the metadata that it was given; folder markers, which nobody loads, warn."""
    lost = moved.unkept
    verdict = (
        Verdict.PASS
        if not lost
        else Verdict.WARN
        if all(each.folder_marker for each in lost)
        else Verdict.FAIL
    )
    return Finding(
        code="MOV-METADATA",
        subject=target,
        verdict=verdict,
        observed=f"{len(lost)} objects lack metadata of the source: {'; '.join(map(str, lost[:5]))}"
        if lost
        else f"{moved.compared} objects with the source's headers, x-amz-meta-* and tags",
        expected="the headers, x-amz-meta-* and tags that each object has at the source",
        evidence=(
            observed(
                place.clock,
                "GetObject and GetObjectTagging of both sides",
                "\n".join(map(str, lost)) or moved.digest,
            ),
        ),
        remedy="the target's store does not keep these: leave them out at the source, or waive it"
        if lost
        else "",
        severity=Severity.CRITICAL,
    )


@task(name="copy objects", cache_policy=NO_CACHE)
def copy_objects(draft: Draft) -> None:
    """The namespaces' objects, stripped and mapped, in order; wait until the workloads are up."""
    place = current()
    site, target = place.site, place.drivers.target_kube()
    found = read_objects(place.drivers.source_kube(), site.workload.namespaces)
    plan = plan_objects(found, mapped(site, draft))
    with place.ledger.effect("move/objects", {"objects": len(plan.objects)}) as effect:
        applied = apply_objects(plan, target, on_progress=place.progress.step)
        effect.outcome = {"changed": list(applied.changed), "dropped": len(plan.dropped)}
    draft.changes += len(applied.changed)
    start = time.monotonic()
    workloads = wait_available(target, site.workload.namespaces, place.clock, on_progress=place.progress.step)
    draft.figures["objects"] = {
        "applied": len(applied.changed) + len(applied.unchanged),
        "changed": len(applied.changed),
        "dropped": [str(each) for each in plan.dropped],
        "mapped": list(plan.mapped),
        "available_s": round(time.monotonic() - start, 2),
    }
    words = (site.source.registry.address, *LEFT_BEHIND_WORDS)
    left = mentions(plan, words)
    draft.add(
        [
            Finding(
                code="MOV-OBJECTS",
                subject=", ".join(site.workload.namespaces),
                verdict=Verdict.FAIL if left else Verdict.PASS,
                observed=f"still names {', '.join(words)}: {'; '.join(left[:5])}"
                if left
                else f"{len(plan.objects)} objects, {workloads} workloads available, none names the source",
                expected="every workload available, and nothing that points back to the source",
                evidence=(
                    observed(
                        place.clock, "server-side apply", "\n".join((*applied.changed, *applied.unchanged))
                    ),
                ),
                remedy="map these values in the objects, and move again" if left else "",
                severity=Severity.CRITICAL,
            )
        ]
    )


@task(name="open edge", cache_policy=NO_CACHE)
def open_edge(draft: Draft, *, dry_run: bool) -> None:
    """haproxy on the edge node, in front of the workloads; then wait until it sees them up."""
    place = current()
    _raise(draft, edge_service(place.site), dry_run=dry_run)
    if dry_run:
        return
    edge = place.drivers.target_edge()
    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        target = edge.counters()["target"]
        if target["servers_up"] == target["servers"] or time.monotonic() > deadline:
            break
        place.progress.step(f"the edge sees {target['servers_up']} of {target['servers']} nodes up")
        place.clock.sleep(0.5)
    all_up = target["servers_up"] == target["servers"]
    draft.add(
        [
            Finding(
                code="MOV-EDGE",
                subject=edge.name,
                verdict=Verdict.PASS if all_up else Verdict.FAIL,
                observed=f"{target['servers_up']} of {target['servers']} nodes answer behind it",
                expected="every node's NodePort answers the edge's health check",
                evidence=(observed(place.clock, "haproxy show stat", str(edge.counters())),),
                remedy="" if all_up else "kubectl get pods; curl the NodePort of the node that is down",
                severity=Severity.CRITICAL,
            )
        ]
    )


@task(name="lower ttl", cache_policy=NO_CACHE)
def lower_ttl(draft: Draft, *, dry_run: bool) -> None:
    """Lower the record's TTL ahead, so that the old one has run out by the time of the cutover."""
    place = current()
    dns, zone = place.site.dns, place.drivers.dns()
    addresses, ttl_s = zone.address(dns.name)
    if ttl_s <= dns.cutover_ttl_s:
        return
    draft.changes += 1
    if dry_run:
        draft.would(f"lower the TTL of {dns.name} from {ttl_s} to {dns.cutover_ttl_s} s")
    else:
        body = {"part": dns.name, "ttl_s": dns.cutover_ttl_s, "was_s": ttl_s}
        with place.ledger.effect("dns/lower_ttl", body):
            zone.set_address(dns.name, addresses, dns.cutover_ttl_s)
        draft.figures["ttl"] = {"was_s": ttl_s, "lowered_at": place.clock.now().isoformat()}


def _raise(draft: Draft, phase: ServicePhase, *, dry_run: bool) -> None:
    bring_about(
        draft,
        phase.name,
        by_host(phase),
        lambda facts: phase.plan(facts[phase.node.name]),
        dry_run=dry_run,
    )


def _moving(place: Workplace) -> Moving:
    source, target = place.site.source.database, place.site.target.database
    return Moving(
        source=place.drivers.source_database(),
        target=place.drivers.target_database(),
        database=target.name,
        node=place.drivers.host(data_node(place.site).name),
        origin=origin_of(source),
        dump=Login(
            source.host, source.port, source.admin_user, read_secret(source.admin_password_file), CA_FILE
        ),
        load=Login(
            target.host, target.port, target.admin_user, read_secret(target.admin_password_file), CA_FILE
        ),
    )


def mapped(site: Site, draft: Draft) -> Mapped:
    """What is different at the target: from the site file, and the images' names there from the draft."""
    read, primary = site.target.database, site.source.database
    return Mapped(
        images=dict(draft.figures["images"]["names"]),
        values={"SITE": site.target.cluster.name, "MEDIA_URL": site.target.bucket.url},
        endpoints={
            f"{namespace}/{service}": address
            for namespace in site.workload.namespaces
            for service, address in (
                (site.workload.database_read, Address(read.host, read.port)),
                (site.workload.database_primary, Address(primary.host, primary.port)),
            )
        },
    )
