"""CloudFront distributions: under which names each answers, and where it fetches from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    for found in ask.items("cloudfront", "list_distributions", "DistributionList.Items"):
        attributes: dict[str, Any] = chosen(found, dns_name="DomainName", enabled="Enabled")
        attributes["aliases"] = sorted((found.get("Aliases") or {}).get("Items") or ())
        origins = (found.get("Origins") or {}).get("Items") or ()
        attributes["origins"] = sorted(str(each["DomainName"]) for each in origins)
        yield Resource(
            service="cloudfront",
            region="global",
            kind="distribution",
            id=found["Id"],
            arn=found["ARN"],
            name=found["DomainName"],
            attributes=attributes,
        )


SURVEYOR = Surveyor(
    service="cloudfront", scope="global", actions=("cloudfront:ListDistributions",), collect=_collect
)
