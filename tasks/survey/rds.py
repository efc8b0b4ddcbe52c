"""RDS instances with their replicas, and database snapshots."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen, tags_of


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    for found in ask.items("rds", "describe_db_instances", "DBInstances"):
        attributes = chosen(
            found,
            engine="Engine",
            engine_version="EngineVersion",
            size_gib="AllocatedStorage",
            state="DBInstanceStatus",
            encrypted="StorageEncrypted",
            kms_key="KmsKeyId",
            database="DBName",
            multi_zone="MultiAZ",
            backup_days="BackupRetentionPeriod",
            replica_of="ReadReplicaSourceDBInstanceIdentifier",
        )
        endpoint = found.get("Endpoint") or {}
        attributes["endpoint"] = f"{endpoint.get('Address', '')}:{endpoint.get('Port', '')}"
        attributes["replicas"] = list(found.get("ReadReplicaDBInstanceIdentifiers") or ())
        yield Resource(
            service="rds",
            region=ask.region,
            kind="db-instance",
            id=found["DBInstanceIdentifier"],
            arn=found.get("DBInstanceArn", ""),
            name=found["DBInstanceIdentifier"],
            tags=tags_of(found, "TagList"),
            attributes=attributes,
        )
    for found in ask.items("rds", "describe_db_snapshots", "DBSnapshots"):
        yield Resource(
            service="rds",
            region=ask.region,
            kind="db-snapshot",
            id=found["DBSnapshotIdentifier"],
            arn=found.get("DBSnapshotArn", ""),
            name=found["DBSnapshotIdentifier"],
            tags=tags_of(found, "TagList"),
            attributes=chosen(
                found,
                instance="DBInstanceIdentifier",
                size_gib="AllocatedStorage",
                encrypted="Encrypted",
                type="SnapshotType",
                made_at="SnapshotCreateTime",
            ),
        )


SURVEYOR = Surveyor(
    service="rds",
    scope="region",
    actions=("rds:DescribeDBInstances", "rds:DescribeDBSnapshots", "rds:ListTagsForResource"),
    collect=_collect,
)
