"""DynamoDB tables: how much each holds, and the regions that it is copied to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen


def _collect(ask: Ask, site: Site) -> Iterator[Resource]:
    for name in ask.names("dynamodb", "list_tables", "TableNames"):
        answer = ask.one("dynamodb", "describe_table", {"TableName": name}) or {}
        table = answer.get("Table") or {}
        attributes: dict[str, Any] = chosen(table, items="ItemCount", bytes="TableSizeBytes")
        attributes["replicas"] = sorted(str(each["RegionName"]) for each in table.get("Replicas") or ())
        yield Resource(
            service="dynamodb",
            region=ask.region,
            kind="table",
            id=name,
            arn=f"arn:aws:dynamodb:{ask.region}:{site.source.aws.account}:table/{name}",
            name=name,
            attributes=attributes,
        )


SURVEYOR = Surveyor(
    service="dynamodb",
    scope="region",
    actions=("dynamodb:ListTables", "dynamodb:DescribeTable"),
    collect=_collect,
)
