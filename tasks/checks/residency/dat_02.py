"""DAT-02: the bucket is served by a declared node of the target, and is copied nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.observation import as_address, host_of, is_aws, named, node_at, of_survey
from tasks.checks.residency.source_left import source_left


def _run(context: Residency) -> Iterator[Finding]:
    yield _target(context)
    yield _replication(context)
    yield from source_left(context, "DAT-02", "s3")


def _target(context: Residency) -> Finding:
    bucket = context.site.target.bucket
    host = host_of(bucket.endpoint_url) if bucket.endpoint_url else "s3.amazonaws.com"
    node = node_at(context.site, host)
    if node:
        verdict, where = Verdict.PASS, f"served by {node} ({host})"
    elif is_aws(host):
        verdict, where = Verdict.FAIL, f"served by AWS ({host})"
    elif as_address(host) is None:
        verdict, where = Verdict.NODATA, f"served by {host}, a name: which host it is was not observed"
    else:
        verdict, where = Verdict.FAIL, f"served by {host}, which is no declared node"
    # The listing is what shows that this endpoint really holds the bucket.
    digest, count, size = hashlib.sha256(), 0, 0
    for key, length, etag in context.target_bucket.list():
        digest.update(f"{key}\t{length}\t{etag}\n".encode())
        count, size = count + 1, size + length
    listing = f"{count} objects, {size} bytes, listing sha256 {digest.hexdigest()}"
    return Finding(
        code="DAT-02",
        subject=context.target_bucket.name,
        verdict=verdict,
        observed=f"{where}; {count} objects, {size} bytes",
        expected="served by a declared node of the target",
        evidence=(observed(context.clock, f"ListObjectsV2 {bucket.name} at {host}", listing),),
        remedy=""
        if verdict is Verdict.PASS
        else "set target.bucket.endpoint_url to a declared node's address",
        severity=Severity.CRITICAL,
    )


def _replication(context: Residency) -> Finding:
    name = context.site.source.bucket.name
    found = [each for each in context.survey.resources if (each.kind, each.id) == ("bucket", name)]
    rows = [row for row in context.survey.coverage if row.service == "s3"]
    evidence = (of_survey(context.survey, "s3 get_bucket_replication", found or rows),)
    remedy = "end the replication rule, and delete the copy or name it under source.aws.belongs"
    if not found and rows and all(row.status.complete for row in rows):
        gone = context.phase == "after-finalize"
        verdict = Verdict.PASS if gone else Verdict.NODATA
        said = "the bucket is not in the account, so it is copied nowhere"
        remedy = "" if gone else "correct source.bucket.name, then: safe-harbor survey"
    elif not found or found[0].attributes.get("replicates_to") is None:
        verdict, said = Verdict.NODATA, "whether it replicates was not seen"
        remedy = "give s3:GetReplicationConfiguration, then: safe-harbor survey"
    elif targets := found[0].attributes["replicates_to"]:
        verdict, said = Verdict.FAIL, f"it is copied to {named(list(targets))}"
    else:
        verdict, said, remedy = Verdict.PASS, "no replication rule is enabled", ""
    return Finding(
        code="DAT-02",
        subject=f"aws/s3/{name}/replication",
        verdict=verdict,
        observed=said,
        expected="copied to no other bucket",
        evidence=evidence,
        remedy=remedy,
        severity=Severity.CRITICAL,
    )


CHECK = Check(
    "DAT-02",
    "the bucket is served by a declared node of the target, and is copied nowhere else",
    "residency",
    Severity.CRITICAL,
    _run,
)
