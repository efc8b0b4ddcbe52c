"""Hosted zones and the records in them."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    for zone in ask.items("route53", "list_hosted_zones", "HostedZones"):
        zone_id = str(zone["Id"]).rpartition("/")[2]
        name = str(zone["Name"]).rstrip(".")
        attributes = chosen(zone, records="ResourceRecordSetCount")
        attributes["private"] = bool((zone.get("Config") or {}).get("PrivateZone", False))
        yield Resource(
            service="route53",
            region="global",
            kind="hosted-zone",
            id=zone_id,
            arn=f"arn:aws:route53:::hostedzone/{zone_id}",
            name=name,
            attributes=attributes,
        )
        parameters = {"HostedZoneId": zone_id}
        for record in ask.items("route53", "list_resource_record_sets", "ResourceRecordSets", parameters):
            record_name = str(record["Name"]).rstrip(".")
            which = record.get("SetIdentifier", "")
            seen = chosen(record, ttl_s="TTL", weight="Weight")
            seen["zone"] = name
            seen["type"] = record["Type"]
            seen["values"] = [each["Value"] for each in record.get("ResourceRecords") or ()]
            if "AliasTarget" in record:
                seen["alias"] = str(record["AliasTarget"]["DNSName"]).rstrip(".")
            yield Resource(
                service="route53",
                region="global",
                kind="record",
                id="/".join(part for part in (zone_id, record_name, record["Type"], which) if part),
                name=record_name,
                attributes=seen,
            )


SURVEYOR = Surveyor(
    service="route53",
    scope="global",
    actions=("route53:ListHostedZones", "route53:ListResourceRecordSets"),
    collect=_collect,
)
