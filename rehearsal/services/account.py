"""The AWS account as it mirrors the site: what runs is in it, under the same names and addresses.

Beside it stand unrelated things in two more regions, which a survey must find and an exit must leave.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from typing import Any

from rehearsal.plan import Plan
from rehearsal.services import catalogue
from rehearsal.services.aws_api import client
from rehearsal.services.image import Image

CLUSTER_TAG = {"Key": "kubernetes.io/cluster/fjordshop", "Value": "owned"}
AMI = "ami-12c6146b"  # one that moto knows
DATABASE_ID = "fjordshop"
CACHE_CONTROL = "public, max-age=86400"


def seed_account(plan: Plan, image: Image) -> None:
    """Create everything of the account. Raises botocore's errors, which `start` translates."""
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(_seed_home_region, plan),
            pool.submit(_seed_bucket, plan),
            pool.submit(_seed_repository, plan, image),
            *(pool.submit(_seed_other_region, plan, region) for region in plan.other_regions),
        ]
        for job in jobs:
            job.result()


def _tags(kind: str, *tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": list(tags)}]


def _name(name: str) -> dict[str, str]:
    return {"Key": "Name", "Value": name}


def _seed_home_region(plan: Plan) -> None:
    ec2 = client(plan, "ec2")
    first = IPv4Network(plan.aws_network)
    vpc_network = first.supernet(new_prefix=16)
    second = IPv4Network((int(first.broadcast_address) + 1, first.prefixlen))
    vpc = ec2.create_vpc(
        CidrBlock=str(vpc_network), TagSpecifications=_tags("vpc", _name("fjordshop"), CLUSTER_TAG)
    )["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=str(network),
            AvailabilityZone=f"{plan.region}{zone}",
            TagSpecifications=_tags("subnet", _name(f"fjordshop-{zone}"), CLUSTER_TAG),
        )["Subnet"]["SubnetId"]
        for zone, network in (("a", first), ("b", second))
    ]
    group = ec2.create_security_group(GroupName="fjordshop-nodes", Description="the shop's nodes", VpcId=vpc)[
        "GroupId"
    ]
    instances = _seed_instances(plan, ec2, subnets[0], group)
    _seed_volumes(plan, ec2, instances[0])
    _seed_load_balancer(plan, vpc, subnets, instances)
    _seed_database(plan)
    _seed_zone(plan)


def _seed_instances(plan: Plan, ec2: Any, subnet: str, group: str) -> list[str]:
    made = []
    for number, node in enumerate(plan.aws_nodes):
        role = "control-plane" if number == 0 else "worker"
        answer = ec2.run_instances(
            ImageId=AMI,
            MinCount=1,
            MaxCount=1,
            InstanceType="m5.large",
            SubnetId=subnet,
            SecurityGroupIds=[group],
            PrivateIpAddress=node.address,
            TagSpecifications=_tags(
                "instance", _name(node.name), CLUSTER_TAG, {"Key": "role", "Value": role}
            ),
        )
        made.append(str(answer["Instances"][0]["InstanceId"]))
    return made


def _seed_volumes(plan: Plan, ec2: Any, instance: str) -> None:
    for number, (name, size_gib) in enumerate((("fjordshop-invoices", 20), ("fjordshop-exports", 8))):
        volume = ec2.create_volume(
            AvailabilityZone=f"{plan.region}a",
            Size=size_gib,
            VolumeType="gp3",
            Encrypted=True,
            TagSpecifications=_tags("volume", _name(name), CLUSTER_TAG),
        )["VolumeId"]
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=f"/dev/sd{'fg'[number]}")
        ec2.create_snapshot(
            VolumeId=volume,
            Description=f"nightly of {name}",
            TagSpecifications=_tags("snapshot", _name(f"{name}-nightly")),
        )


def _seed_load_balancer(plan: Plan, vpc: str, subnets: list[str], instances: list[str]) -> None:
    elb = client(plan, "elbv2")
    balancer = elb.create_load_balancer(
        Name="fjordshop",
        Subnets=subnets,
        Scheme="internet-facing",
        Type="application",
        Tags=[CLUSTER_TAG, {"Key": "address", "Value": plan.elb_public}],
    )["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(
        Name="fjordshop-shop",
        Protocol="HTTP",
        Port=plan.node_port,
        VpcId=vpc,
        TargetType="instance",
        HealthCheckPath="/healthz",
    )["TargetGroups"][0]["TargetGroupArn"]
    targets = [{"Id": instance, "Port": plan.node_port} for instance in instances]
    elb.register_targets(TargetGroupArn=group, Targets=targets)
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=plan.http_port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )


def _seed_database(plan: Plan) -> None:
    tags = {"endpoint": f"{plan.rds_private}:{plan.mariadb_port}",
            "public-endpoint": f"{plan.rds_public}:{plan.mariadb_port}"}  # fmt: skip
    client(plan, "rds").create_db_instance(
        DBInstanceIdentifier=DATABASE_ID,
        DBInstanceClass="db.m5.large",
        Engine="mariadb",
        EngineVersion="10.11.6",
        DBName=plan.database,
        AllocatedStorage=50,
        StorageEncrypted=True,
        BackupRetentionPeriod=7,
        Port=plan.mariadb_port,
        MasterUsername="safe_harbor",
        MasterUserPassword="not-the-real-one",  # the stand-in wants one; no server has it
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )


def _seed_zone(plan: Plan) -> None:
    route53 = client(plan, "route53")
    zone = route53.create_hosted_zone(Name=plan.zone, CallerReference="rehearsal")["HostedZone"]["Id"]
    records = (
        (plan.shop_name, "A", 300, plan.elb_public),
        (f"www.{plan.zone}", "A", 300, plan.elb_public),
        (plan.zone, "MX", 3600, f"10 mail.{plan.zone}"),
        (plan.zone, "TXT", 3600, '"v=spf1 mx -all"'),
    )
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "UPSERT",
                    "ResourceRecordSet": {
                        "Name": name, "Type": kind, "TTL": ttl_s, "ResourceRecords": [{"Value": value}],
                    },
                }
                for name, kind, ttl_s, value in records
            ]
        },
    )  # fmt: skip


def _seed_repository(plan: Plan, image: Image) -> None:
    repository, _, tag = plan.image.partition(":")
    ecr = client(plan, "ecr")
    ecr.create_repository(
        repositoryName=repository, tags=[CLUSTER_TAG, {"Key": "digest", "Value": image.digest}]
    )
    ecr.put_image(
        repositoryName=repository,
        imageManifest=image.manifest,
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageDigest=image.digest,
        imageTag=tag,
    )


def _seed_bucket(plan: Plan) -> None:
    s3 = client(plan, "s3")
    s3.create_bucket(Bucket=plan.bucket)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "PublicRead",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{plan.bucket}/*",
            }
        ],
    }
    s3.put_bucket_policy(Bucket=plan.bucket, Policy=json.dumps(policy))

    def put(picture: catalogue.Picture) -> None:
        s3.put_object(
            Bucket=plan.bucket,
            Key=picture.key,
            Body=picture.content,
            ContentType="image/png",
            CacheControl=CACHE_CONTROL,
            Metadata={"sha256": picture.sha256},
        )

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(put, catalogue.pictures()):
            continue


def _seed_other_region(plan: Plan, region: str) -> None:
    """What belongs to somebody else: an exit that touches it does too much."""
    ec2 = client(plan, "ec2", region)
    ec2.run_instances(
        ImageId=AMI,
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.small",
        TagSpecifications=_tags(
            "instance", _name(f"reporting-{region}"), {"Key": "team", "Value": "finance"}
        ),
    )
    ec2.create_volume(
        AvailabilityZone=f"{region}a",
        Size=4,
        TagSpecifications=_tags("volume", _name(f"reporting-{region}"), {"Key": "team", "Value": "finance"}),
    )
    client(plan, "s3", region).create_bucket(
        Bucket=f"fjordshop-reports-{region}", CreateBucketConfiguration={"LocationConstraint": region}
    )
