"""Lambda functions. Their environment is left out: it may hold passwords."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    for found in ask.items("lambda", "list_functions", "Functions"):
        yield Resource(
            service="lambda",
            region=ask.region,
            kind="function",
            id=found["FunctionName"],
            arn=found["FunctionArn"],
            name=found["FunctionName"],
            attributes=chosen(found, runtime="Runtime", role="Role", changed_at="LastModified"),
        )


SURVEYOR = Surveyor(service="lambda", scope="region", actions=("lambda:ListFunctions",), collect=_collect)
