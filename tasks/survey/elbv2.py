"""Load balancers, their target groups, and the health of each target."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, batches, chosen, tags_of

_TAGS_A_CALL = 20  # DescribeTags takes at most 20 ARNs


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    balancers = ask.items("elbv2", "describe_load_balancers", "LoadBalancers")
    tags: dict[str, dict[str, str]] = {}
    for arns in batches([found["LoadBalancerArn"] for found in balancers], _TAGS_A_CALL):
        answer = ask.one("elbv2", "describe_tags", {"ResourceArns": arns}) or {}
        tags |= {each["ResourceArn"]: tags_of(each) for each in answer.get("TagDescriptions") or ()}
    for found in balancers:
        arn = found["LoadBalancerArn"]
        attributes = chosen(found, dns_name="DNSName", scheme="Scheme", type="Type", vpc="VpcId")
        attributes["state"] = (found.get("State") or {}).get("Code", "")
        listeners = ask.items("elbv2", "describe_listeners", "Listeners", {"LoadBalancerArn": arn})
        attributes["ports"] = sorted(listener["Port"] for listener in listeners if "Port" in listener)
        yield Resource(
            service="elbv2",
            region=ask.region,
            kind="load-balancer",
            id=found["LoadBalancerName"],
            arn=arn,
            name=found["LoadBalancerName"],
            tags=tags.get(arn, {}),
            attributes=attributes,
        )
    for found in ask.items("elbv2", "describe_target_groups", "TargetGroups"):
        arn = found["TargetGroupArn"]
        health = ask.one("elbv2", "describe_target_health", {"TargetGroupArn": arn}) or {}
        attributes = chosen(found, protocol="Protocol", port="Port", target_type="TargetType")
        attributes["load_balancers"] = list(found.get("LoadBalancerArns") or ())
        attributes["targets"] = [
            {
                "id": each["Target"]["Id"],
                "port": each["Target"].get("Port"),
                "state": (each.get("TargetHealth") or {}).get("State", ""),
            }
            for each in health.get("TargetHealthDescriptions") or ()
        ]
        yield Resource(
            service="elbv2",
            region=ask.region,
            kind="target-group",
            id=found["TargetGroupName"],
            arn=arn,
            name=found["TargetGroupName"],
            attributes=attributes,
        )


SURVEYOR = Surveyor(
    service="elbv2",
    scope="region",
    actions=(
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeTags",
    ),
    collect=_collect,
)
