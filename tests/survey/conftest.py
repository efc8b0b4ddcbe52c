"""A real moto server on a loopback port, and an account on it that mirrors a small shop."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from inventory.load import load_site
from inventory.models.site import Site
from tests.inventory.sites import WHOLE, folder_with

HOME = "us-east-1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    program = str(Path(sys.executable).parent / "moto_server")
    with log.open("wb") as out:
        # Without it moto has 1,300 snapshots of public images in every region, as if they were the account's.
        environment = {**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
        argv = [program, "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(argv, stdout=out, stderr=out, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{url}/moto-api/", timeout=1):  # noqa: S310 - loopback
                    break
            except OSError:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < until, "moto did not answer in 30 s"
                time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait(10)


def client(url: str, service: str, region: str = HOME) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload] # the stubs know only literal names
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture(scope="session")
def shop_account(moto_url: str) -> str:
    """The shop in us-east-1, an unrelated instance in eu-west-1 and a bucket in eu-north-1."""
    reset = urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST")  # noqa: S310 - loopback
    with urllib.request.urlopen(reset, timeout=5):  # noqa: S310 - loopback
        pass
    ec2 = client(moto_url, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.40.{i}.0/24", AvailabilityZone=f"us-east-1{'ab'[i]}")
        for i in (0, 1)
    ]
    subnet_ids = [each["Subnet"]["SubnetId"] for each in subnets]
    instances = []
    for number in (1, 2, 3):
        made = ec2.run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet_ids[0],
            PrivateIpAddress=f"10.40.0.{10 + number}",
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": f"aws-{number}"}]}
            ],
        )
        instances.append(made["Instances"][0]["InstanceId"])
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=20)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=instances[0], Device="/dev/sdf")
    ec2.create_snapshot(VolumeId=volume, Description="nightly")
    elb = client(moto_url, "elbv2")
    balancer = elb.create_load_balancer(
        Name="shop", Subnets=subnet_ids, Type="application", Tags=[{"Key": "app", "Value": "shop"}]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="shop", Protocol="HTTP", Port=30080, VpcId=vpc)["TargetGroups"][0]
    elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": i} for i in instances])
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    client(moto_url, "rds").create_db_instance(
        DBInstanceIdentifier="shop",
        Engine="mariadb",
        EngineVersion="10.11.8",  # moto has no default for it
        DBInstanceClass="db.t3.medium",
        AllocatedStorage=20,
        MasterUsername="admin",
        MasterUserPassword="not-a-secret",
        DBName="shop",
    )
    client(moto_url, "rds").create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="shop-night")
    s3 = client(moto_url, "s3")
    s3.create_bucket(Bucket="media")
    for number in range(3):
        s3.put_object(Bucket="media", Key=f"{number}.jpg", Body=b"x" * (100 + number))
    client(moto_url, "s3", "eu-north-1").create_bucket(
        Bucket="unrelated", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"}
    )
    dns = client(moto_url, "route53")
    zone = dns.create_hosted_zone(Name="fjordshop.example", CallerReference="1")["HostedZone"]["Id"]
    record = {
        "Name": "shop.fjordshop.example",
        "Type": "A",
        "TTL": 300,
        "ResourceRecords": [{"Value": "198.18.0.10"}],
    }
    dns.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )
    ecr = client(moto_url, "ecr")
    ecr.create_repository(repositoryName="shop")
    manifest = (
        '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
        '"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1,'
        '"digest":"sha256:' + "a" * 64 + '"},"layers":[{"mediaType":"x","size":7,"digest":"sha256:'
        "" + "b" * 64 + '"}]}'
    )
    ecr.put_image(repositoryName="shop", imageManifest=manifest, imageTag="v1")
    client(moto_url, "ec2", "eu-west-1").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    return moto_url


def site_at(folder: Path, endpoint_url: str, extra: str = "") -> Site:
    """The whole site with its account at this endpoint."""
    text = WHOLE.read_text().replace(
        '    account: "123456789012"\n',
        f'    account: "123456789012"\n    endpoint_url: {endpoint_url}\n{extra}',
    )
    file = folder_with(folder, text)
    keys = "[default]\naws_access_key_id = test\naws_secret_access_key = test\n"
    (folder / "secret").write_text(keys)
    return load_site(file)
