"""etcd on a control-plane node: what a snapshot holds, and how each member is."""

from __future__ import annotations

import json
from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked
from tasks.facts.flannel import EtcdAccess


@dataclass(frozen=True)
class Snapshot:
    """`revision` and `keys` are those of the saved database; `size_bytes` is the database's."""

    revision: int
    keys: int
    size_bytes: int


@dataclass(frozen=True)
class Member:
    """One member as it tells of itself; of `database_bytes`, `used_bytes` are in use."""

    endpoint: str
    version: str
    is_leader: bool
    is_learner: bool
    raft_index: int
    database_bytes: int
    used_bytes: int
    quota_bytes: int
    errors: tuple[str, ...]


def snapshot_command(path: str) -> Shellable:
    """Ask what a snapshot holds; etcdutl verifies its hash."""
    return Command.of("etcdutl", "snapshot", "status", path, "--write-out=json")


def parse_snapshot(output: str) -> Snapshot:
    """Raises ValueError or KeyError where it is no answer of etcdutl's."""
    said = json.loads(output)
    return Snapshot(int(said["revision"]), int(said["totalKey"]), int(said["totalSize"]))


def ask_snapshot(path: str) -> Asked[Snapshot]:
    """The question about a snapshot on the host."""
    return Asked("etcd snapshot", snapshot_command(path), parse_snapshot)


def members_command(etcd: EtcdAccess) -> Shellable:
    """Ask every member; one that does not answer is left out of the answer, with no error."""
    return etcd.command("endpoint", "status", "--write-out=json").or_else(Command.of("true"))


def parse_members(output: str) -> tuple[Member, ...]:
    """Raises ValueError or KeyError where it is no answer of etcdctl's."""
    found = []
    for each in json.loads(output or "[]"):
        status = each["Status"]
        own = status["header"]["member_id"]
        found.append(
            Member(
                endpoint=str(each["Endpoint"]),
                version=str(status["version"]),
                is_leader=own == status.get("leader"),
                is_learner=bool(status.get("isLearner", False)),
                raft_index=int(status["raftIndex"]),
                database_bytes=int(status["dbSize"]),
                used_bytes=int(status.get("dbSizeInUse", 0)),
                quota_bytes=int(status.get("dbSizeQuota", 0)),
                errors=tuple(str(error) for error in status.get("errors") or ()),
            )
        )
    return tuple(found)


def ask_members(etcd: EtcdAccess) -> Asked[tuple[Member, ...]]:
    """The question about the members at the access's client URLs."""
    return Asked("etcd members", members_command(etcd), parse_members)
