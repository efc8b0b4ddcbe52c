"""The end: what is left at the source is stopped, after the soak. There is no way back from here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.policy import load_policy
from tasks.checks.registry import in_group, judge
from tasks.move import replica
from tasks.steps.gate import residency_context
from tasks.steps.stage import Draft
from tasks.steps.survey import enumerate_everything
from tasks.steps.workplace import Workplace, current

FINAL = "exit/final"
PATIENCE_S = 120.0
SCALED_KINDS = ("Deployment", "StatefulSet")
LETS_GO_ON = frozenset(str(verdict) for verdict in Verdict if verdict.lets_go_on)


def soak_over_at(place: Workplace) -> datetime | None:
    """When the soak of a cutover that stands is over, by the ledger; None where no cutover stands.

    A cutover or rollback that has begun since and was killed counts as begun: then none stands. One that was
    repeated and had nothing to do does not begin the soak anew.
    """
    if final := place.ledger.entries("milestone", FINAL):
        return final[0].at  # begun already: a repetition finishes it
    begun = [
        entry
        for entry in place.ledger.entries(kind="intent")
        if entry.subject in ("stage/cutover", "stage/rollback")
    ]
    ended = {e.body["intent"]: e for e in place.ledger.entries("outcome", "stage/cutover")}
    stood_at: datetime | None = None
    for intent in begun:
        outcome = ended.get(intent.index)
        passed = outcome is not None and str(outcome.body.get("verdict")) in LETS_GO_ON
        stood_at = (stood_at or outcome.at) if outcome is not None and passed else None
    return None if stood_at is None else stood_at + timedelta(seconds=place.site.cutover.soak_s)


def soaked() -> bool:
    """Wait the soak out where it lasts no longer than PATIENCE_S; whether it is over."""
    place = current()
    over_at = soak_over_at(place)
    if over_at is None:
        return True  # finalize itself says why there is nothing to finalize
    left_s = (over_at - place.clock.now()).total_seconds()
    if left_s > PATIENCE_S:
        place.progress.say(f"soaking until {over_at:%F %T} UTC; then run `safe-harbor finalize`")
        return False
    if left_s > 0:
        place.progress.step(f"soaking for {left_s:.0f} s")
        place.clock.sleep(left_s)
    return True


def require_soaked(draft: Draft) -> None:
    """Take a finding on whether the source may be stopped. Raises Halt where it may not."""
    place = current()
    over_at, now = soak_over_at(place), place.clock.now()
    if over_at is None or replica.read_only(place.drivers.target_database()):
        verdict, observed, remedy = Verdict.FAIL, "no cutover stands", "cut over first"
    elif now < over_at:
        left_s = (over_at - now).total_seconds()
        verdict = Verdict.FAIL
        observed, remedy = f"the soak lasts {left_s:.0f} s more", f"wait until {over_at:%F %T} UTC"
    else:
        verdict, observed, remedy = Verdict.PASS, f"the soak was over at {over_at:%F %T} UTC", ""
    draft.require(
        Finding(
            code="FIN-SOAK",
            subject=place.site.name,
            verdict=verdict,
            observed=observed,
            expected=f"a cutover that stands, and {place.site.cutover.soak_s:g} s after it",
            remedy=remedy,
            severity=Severity.CRITICAL,
        )
    )


def show_what_stops() -> None:
    """Say what a real run would stop."""
    place = current()
    for namespace, kind, name, replicas in _running(place):
        place.progress.say(f"would scale {kind} {namespace}/{name} from {replicas} to 0")
    place.progress.say(f"would end the replication to {place.site.source.database.host}")
    for region, kind, identity in _instances(place):
        place.progress.say(f"would stop {kind} {identity} in {region}")


@task(name="call it final", cache_policy=NO_CACHE)
def call_it_final() -> None:
    """From here on there is no way back; said, and signed for, before the first thing is stopped."""
    place = current()
    if not place.ledger.entries("milestone", FINAL):
        place.ledger.append("milestone", FINAL, {"source": place.site.source.edge.address})


@task(name="stop workloads", cache_policy=NO_CACHE)
def stop_workloads(draft: Draft) -> None:
    """Scale the moved workloads at the source to 0."""
    place = current()
    kube = place.drivers.source_kube()
    stopped = draft.figures.setdefault("stopped", [])
    for namespace, kind, name, replicas in _running(place):
        subject = f"{kind.lower()}/{namespace}/{name}"
        place.progress.step(f"stopping {subject} at the source")
        found = kube.get("apps/v1", kind, name, namespace=namespace)
        if found is None:
            continue  # somebody removed it meanwhile
        with place.ledger.effect(f"source/{subject}", {"replicas": replicas, "shall_be": 0}):
            kube.apply(
                {
                    "apiVersion": "apps/v1",
                    "kind": kind,
                    "metadata": {"name": name, "namespace": namespace},
                    # Server-side apply wants every required field of the object that it changes.
                    "spec": found["spec"] | {"replicas": 0},
                }
            )
        stopped.append(subject)
        draft.changes += 1


@task(name="stop replication", cache_policy=NO_CACHE)
def stop_replication(draft: Draft) -> None:
    """End the stream of orders to the source: from here on nothing personal flows out of Oslo."""
    place = current()
    source = place.drivers.source_database()
    if replica.following(source) is None:
        return
    with place.ledger.effect("database/end_replication", {"part": source.name}):
        replica.unfollow(source)
    draft.figures.setdefault("stopped", []).append(f"replication to {source.name}")
    draft.changes += 1


@task(name="stop instances", cache_policy=NO_CACHE)
def stop_instances(draft: Draft) -> None:
    """Stop the account's instances that carry the exit: servers and database. Nothing is deleted here."""
    place = current()
    aws = place.drivers.aws()
    for region, kind, identity in _instances(place):
        with place.ledger.effect(f"aws/stop/{identity}", {"region": region, "kind": kind}):
            if kind == "instance":
                aws.call("ec2", region, "stop_instances", {"InstanceIds": [identity]})
            else:
                aws.call("rds", region, "stop_db_instance", {"DBInstanceIdentifier": identity})
        draft.figures.setdefault("stopped", []).append(f"{kind} {identity}")
        draft.changes += 1


@task(name="judge what is left", cache_policy=NO_CACHE)
def judge_what_is_left(draft: Draft) -> None:
    """Survey once more, and judge residency as it is now."""
    place = current()
    enumerate_everything(draft)
    policy = load_policy(place.site.policy)
    # What the nodes were seen to reach until now they reached while the source was still declared.
    context = replace(residency_context(place, "after-finalize"), source_left_at=place.clock.now())
    draft.add(policy.settle(judge(in_group("residency"), context)))


def _running(place: Workplace) -> list[tuple[str, str, str, int]]:
    """(namespace, kind, name, replicas) of the moved workloads that still run at the source."""
    kube = place.drivers.source_kube()
    return [
        (namespace, kind, str(found["metadata"]["name"]), int(found["spec"].get("replicas", 1)))
        for namespace in place.site.workload.namespaces
        for kind in SCALED_KINDS
        for found in kube.list("apps/v1", kind, namespace=namespace)
        if found["spec"].get("replicas", 1)
    ]


def _instances(place: Workplace) -> list[tuple[str, str, str]]:
    """(region, kind, id) of what still runs of the exit: the servers with the addresses of the source
    cluster's nodes, and the instances that hold the database. Others are not ours to stop."""
    aws, region = place.drivers.aws(), place.site.source.aws.home_region
    nodes = {
        str(address["address"])
        for node in place.drivers.source_kube().list("v1", "Node")
        for address in node["status"]["addresses"]
    }
    found = []
    for reservation in aws.items("ec2", region, "describe_instances", "Reservations"):
        for each in reservation["Instances"]:
            if each["State"]["Name"] == "running" and each.get("PrivateIpAddress") in nodes:
                found.append((region, "instance", str(each["InstanceId"])))
    for each in aws.items("rds", region, "describe_db_instances", "DBInstances"):
        ours = each.get("DBName") == place.site.source.database.name
        if ours and each["DBInstanceStatus"] == "available":
            found.append((region, "database", str(each["DBInstanceIdentifier"])))
    return found
