"""Whatever carries a tag, of every service that the Resource Groups Tagging API knows: the catch-all.

It lists what is tagged, or was once; what never had a tag is not in it, and whoever judges says so. What
another surveyor finds itself is not found twice: `joined` leaves it to that one, and gives it the tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, tags_of

SERVICE = "tagging"


def joined(found: Sequence[Resource]) -> list[Resource]:
    """Each resource once: a tagged one that has its own surveyor is that surveyor's, with these tags."""
    tagged = {_thing(each.arn): each.tags for each in found if each.service == SERVICE}
    own = [each for each in found if each.service != SERVICE]
    known = {_thing(each.arn) for each in own if each.arn}
    kept = [each if each.tags else _with(each, tagged.get(_thing(each.arn), {})) for each in own]
    return kept + [each for each in found if each.service == SERVICE and _thing(each.arn) not in known]


def _thing(arn: str) -> tuple[str, ...]:
    """What an ARN names in its account: snapshots are named with the account's number and without it."""
    parts = arn.split(":", 5)
    return (*parts[2:4], *parts[5:])


def _with(each: Resource, tags: dict[str, str]) -> Resource:
    return each.model_copy(update={"tags": tags}) if tags else each


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    for found in ask.items("resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList"):
        arn, tags = str(found["ResourceARN"]), tags_of(found)
        yield Resource(
            service=SERVICE,
            region=ask.region,
            kind=_kind(arn),
            id=arn,
            arn=arn,
            name=tags.get("Name", ""),
            tags=tags,
        )


def _kind(arn: str) -> str:
    """`ec2:vpc` of arn:aws:ec2:REGION:ACCOUNT:vpc/vpc-1; the service alone where the ARN has no type.

    Raises ValueError where it is no ARN.
    """
    parts = arn.split(":", 5)
    if len(parts) < 6:
        raise ValueError(f"not an ARN: {arn}")
    kind, *rest = re.split("[/:]", parts[5], maxsplit=1)
    return f"{parts[2]}:{kind}" if kind and rest else parts[2]


SURVEYOR = Surveyor(service=SERVICE, scope="region", actions=("tag:GetResources",), collect=_collect)
