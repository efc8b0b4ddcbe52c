"""Log groups of CloudWatch: how much each holds, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    for found in ask.items("logs", "describe_log_groups", "logGroups"):
        yield Resource(
            service="logs",
            region=ask.region,
            kind="log-group",
            id=found["logGroupName"],
            arn=str(found.get("arn", "")).removesuffix(":*"),  # ":*" speaks of its streams
            name=found["logGroupName"],
            attributes=chosen(found, bytes="storedBytes", kept_days="retentionInDays", kms_key="kmsKeyId"),
        )


SURVEYOR = Surveyor(service="logs", scope="region", actions=("logs:DescribeLogGroups",), collect=_collect)
