"""DAT-03: nobody but the declared sides reads the database's changes.

Before the cutover the target follows the source, and after the database changed over the source may follow
the target so that a rollback loses nothing. After `finalize` both are over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.observation import as_address, host_of, node_at, of_survey, text_of
from tasks.checks.residency.source_left import source_left

_DUMPS = (
    "SELECT ID, USER, HOST, COMMAND FROM information_schema.PROCESSLIST "
    "WHERE COMMAND LIKE 'Binlog Dump%' ORDER BY ID"
)
_REGISTERED = "SHOW SLAVE HOSTS"
_UPSTREAMS = "SHOW ALL SLAVES STATUS"


def _run(context: Residency) -> Iterator[Finding]:
    sql = context.target_database
    dumps, registered = sql.rows(_DUMPS), sql.rows(_REGISTERED)
    evidence = (
        observed(context.clock, f"{sql.name}: {_DUMPS}", text_of(dumps)),
        observed(context.clock, f"{sql.name}: {_REGISTERED}", text_of(registered)),
    )
    yield from _subscribers(context, dumps, registered, evidence)
    yield from _upstreams(context)
    yield from _source_replicas(context)
    yield from source_left(context, "DAT-03", "rds")


def _finding(
    subject: str, verdict: Verdict, said: str, expected: str, evidence: tuple[Evidence, ...], remedy: str = ""
) -> Finding:
    return Finding(
        code="DAT-03",
        subject=subject,
        verdict=verdict,
        observed=said,
        expected=expected,
        evidence=evidence,
        remedy=remedy,
        severity=Severity.CRITICAL,
    )


def _whose(context: Residency, host: str) -> str:
    """Whose address it is: a declared node, or the source while that is allowed; empty for anybody else."""
    site = context.site
    if node := node_at(site, host):
        return node
    if host in ("localhost", "127.0.0.1"):
        return "the database's own host"
    if context.phase == "after-finalize":
        return ""
    database = site.source.database
    names = {database.host, host_of(database.reachable_as), *(str(each) for each in database.seen_as)}
    address = as_address(host)
    in_networks = address is not None and any(address in network for network in site.source.networks)
    return "the source" if host in names - {""} or in_networks else ""


def _subscribers(
    context: Residency,
    dumps: list[dict[str, Any]],
    registered: list[dict[str, Any]],
    evidence: tuple[Evidence, ...],
) -> Iterator[Finding]:
    name = context.target_database.name
    expected = "every reader of the binary log is a declared node"
    if context.phase == "before-cutover":
        expected += " or the source's database"
    remedy = "end it: KILL ID, REVOKE REPLICATION SLAVE; a declared one belongs in source.database.seen_as"
    hosts = [host_of(str(row.get("HOST", ""))) for row in dumps]
    for row, host in zip(dumps, hosts, strict=True):
        whose = _whose(context, host)
        said = f"thread {row.get('ID')} of {row.get('USER')} reads the binary log from {host or 'nowhere'}"
        verdict = Verdict.PASS if whose else Verdict.FAIL
        subject = f"{name}/reader/{host}"
        said += f", which is {whose}" if whose else ", which is nobody that the site declares"
        yield _finding(subject, verdict, said, expected, evidence, "" if whose else remedy)
    # Registered replicas come and go with the dump threads; one more than threads is one that hides.
    if len(registered) > len(dumps):
        said = f"{len(registered)} replicas are registered, and {len(dumps)} read"
        yield _finding(f"{name}/registered", Verdict.FAIL, said, expected, evidence, remedy)
    if not dumps and not registered:
        said = "nobody reads the binary log"
        yield _finding(f"{name}/readers", Verdict.PASS, said, expected, evidence)


def _upstreams(context: Residency) -> Iterator[Finding]:
    sql = context.target_database
    rows = sql.rows(_UPSTREAMS)
    kept = [
        {key: row.get(key) for key in ("Connection_name", "Master_Host", "Master_Port", "Slave_IO_Running")}
        for row in rows
    ]
    evidence = (observed(context.clock, f"{sql.name}: {_UPSTREAMS}", text_of(kept)),)
    before = context.phase == "before-cutover"
    expected = "it follows the declared source, or nobody" if before else "it follows nobody"
    for row in rows:
        host = str(row.get("Master_Host", ""))
        whose = _whose(context, host)
        said = f"it follows {host}:{row.get('Master_Port')}, {whose or 'nobody that the site declares'}"
        remedy = "" if whose else "STOP SLAVE; RESET SLAVE ALL"
        verdict = Verdict.PASS if whose else Verdict.FAIL
        yield _finding(f"{sql.name}/upstream/{host}", verdict, said, expected, evidence, remedy)
    if not rows:
        yield _finding(f"{sql.name}/upstream", Verdict.PASS, "it follows nobody", expected, evidence)


def _source_replicas(context: Residency) -> Iterator[Finding]:
    """Read replicas that RDS keeps in other regions are named by ARN."""
    instances = [each for each in context.survey.resources if each.kind == "db-instance"]
    for each in instances:
        elsewhere = [name for name in each.attributes.get("replicas") or () if str(name).startswith("arn:")]
        if elsewhere:
            evidence = (of_survey(context.survey, "rds describe_db_instances", [each]),)
            said = f"it is copied to {', '.join(elsewhere)}"
            remedy = "delete the replica, or let it be part of the exit"
            expected = "no read replica in another region"
            yield _finding(f"aws/rds/{each.id}/replicas", Verdict.FAIL, said, expected, evidence, remedy)


CHECK = Check(
    "DAT-03",
    "nobody but the declared sides reads the database's changes",
    "residency",
    Severity.CRITICAL,
    _run,
)
