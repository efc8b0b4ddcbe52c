"""SQS queues, by the URLs that the service lists."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor


def _collect(ask: Ask, site: Site) -> Iterator[Resource]:
    for url in ask.names("sqs", "list_queues", "QueueUrls"):
        name = url.rpartition("/")[2]
        yield Resource(
            service="sqs",
            region=ask.region,
            kind="queue",
            id=name,
            arn=f"arn:aws:sqs:{ask.region}:{site.source.aws.account}:{name}",
            name=name,
            attributes={"url": url},
        )


SURVEYOR = Surveyor(service="sqs", scope="region", actions=("sqs:ListQueues",), collect=_collect)
