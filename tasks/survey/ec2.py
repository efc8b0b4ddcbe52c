"""EC2 instances: what runs, and under which addresses."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen, tags_of


def _collect(ask: Ask, site: Site) -> Iterator[Resource]:
    for reservation in ask.items("ec2", "describe_instances", "Reservations"):
        for found in reservation.get("Instances") or ():
            tags = tags_of(found)
            attributes = chosen(
                found,
                instance_type="InstanceType",
                private_ip="PrivateIpAddress",
                public_ip="PublicIpAddress",
                image="ImageId",
                launched_at="LaunchTime",
                vpc="VpcId",
            )
            attributes["state"] = (found.get("State") or {}).get("Name", "")
            attributes["addresses"] = sorted(
                str(address["PrivateIpAddress"])
                for interface in found.get("NetworkInterfaces") or ()
                for address in interface.get("PrivateIpAddresses") or ()
            )
            attributes["volumes"] = [
                device["Ebs"]["VolumeId"]
                for device in found.get("BlockDeviceMappings") or ()
                if "Ebs" in device
            ]
            yield Resource(
                service="ec2",
                region=ask.region,
                kind="instance",
                id=found["InstanceId"],
                arn=f"arn:aws:ec2:{ask.region}:{site.source.aws.account}:instance/{found['InstanceId']}",
                name=tags.get("Name", ""),
                tags=tags,
                attributes=attributes,
            )


SURVEYOR = Surveyor(
    service="ec2", scope="region", actions=("ec2:DescribeInstances", "ec2:DescribeRegions"), collect=_collect
)
