"""The other services: AWS account, registry, name server, link and edge, and who uses them."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from rehearsal.capture import make_capture
from rehearsal.orders import Checkout, OrderReport, OrderRow, compare_orders, read_checkouts
from rehearsal.plan import Plan
from rehearsal.services import catalogue
from rehearsal.services.aws_api import client
from rehearsal.services.edge import ask_edge
from rehearsal.services.files import TSIG_KEY, read_secret
from rehearsal.services.link import set_delay, set_way
from rehearsal.services.nameserver import TSIG_NAME
from rehearsal.state import State
from tests.rehearsal.services.conftest import ShopProcesses, free_port
from tests.rehearsal.services.test_running_shop import Asked, rows

pytestmark = pytest.mark.slow
Site = tuple[Plan, State, Path]


def test_the_account_mirrors_the_site(site: Site) -> None:
    plan = site[0]
    reservations = client(plan, "ec2").describe_instances()["Reservations"]
    found = {}
    for instance in (each for reservation in reservations for each in reservation["Instances"]):
        names = [tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name"]
        found[names[0]] = instance["PrivateIpAddress"]
    assert found == {node.name: node.address for node in plan.aws_nodes}
    elb = client(plan, "elbv2")
    group = elb.describe_target_groups()["TargetGroups"][0]
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    assert [target["Target"]["Port"] for target in health] == [plan.node_port] * 3
    instance = client(plan, "rds").describe_db_instances()["DBInstances"][0]
    assert (instance["Engine"], instance["DBName"]) == ("mariadb", plan.database)
    assert {"Key": "endpoint", "Value": f"{plan.rds_private}:{plan.mariadb_port}"} in instance["TagList"]
    route53 = client(plan, "route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    addresses = {r["Name"]: r["ResourceRecords"][0]["Value"] for r in records if r["Type"] == "A"}
    assert addresses[f"{plan.shop_name}."] == plan.elb_public
    snapshots = client(plan, "ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert len([s for s in snapshots if s["Description"].startswith("nightly of")]) == 2


def test_what_is_unrelated_stands_in_two_more_regions(site: Site) -> None:
    plan = site[0]
    assert len(plan.other_regions) == 2
    for region in plan.other_regions:
        reservations = client(plan, "ec2", region).describe_instances()["Reservations"]
        assert len(reservations) == 1


def test_the_bucket_holds_every_picture_and_anyone_may_read(site: Site) -> None:
    plan = site[0]
    listed = client(plan, "s3").list_objects_v2(Bucket=plan.bucket)["Contents"]
    etags = {each["Key"]: each["ETag"].strip('"') for each in listed}
    md5s = {p.key: hashlib.md5(p.content).hexdigest() for p in catalogue.pictures()}  # noqa: S324 - the ETag
    assert etags == md5s
    url = f"http://{plan.moto_public}:{plan.moto_port}/{plan.bucket}/{catalogue.thumbnail_key(3)}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.headers["Content-Type"] == "image/png"


def test_the_registry_has_the_image_and_is_verified_by_the_rehearsal_authority(site: Site) -> None:
    plan = site[0]
    trust = plan.state / "registry" / "trust"
    reference = f"docker://{plan.registry_host}/{plan.image}"
    argv = ["skopeo", "inspect", "--cert-dir"]
    shown = json.loads(subprocess.run([*argv, str(trust), reference], capture_output=True, check=True).stdout)
    images = client(plan, "ecr").describe_images(repositoryName=plan.image.partition(":")[0])["imageDetails"]
    assert [image["imageDigest"] for image in images] == [shown["Digest"]]
    stranger = subprocess.run(["skopeo", "inspect", reference], capture_output=True, text=True)
    assert stranger.returncode != 0 and "certificate" in stranger.stderr


def update(plan: Plan, secret: str, address: str = "10.60.0.11", ttl_s: int = 2) -> dns.rcode.Rcode:
    keyring = dns.tsigkeyring.from_text({TSIG_NAME: secret})
    change = dns.update.UpdateMessage(
        plan.zone, keyring=keyring, keyname=TSIG_NAME, keyalgorithm=dns.tsig.HMAC_SHA256
    )
    change.replace("shop", ttl_s, "A", address)
    return dns.query.tcp(change, plan.dns_address, port=plan.dns_port, timeout=5).rcode()


def shop_address(plan: Plan) -> tuple[str, int]:
    query = dns.message.make_query(f"{plan.shop_name}.", "A")
    answer = dns.query.udp(query, plan.dns_address, port=plan.dns_port, timeout=5).answer[0]
    return answer[0].to_text(), answer.ttl


def test_the_name_server_takes_signed_updates_only(site: Site) -> None:
    plan = site[0]
    before = shop_address(plan)
    assert before == (plan.elb_public, 300)
    unsigned = dns.update.UpdateMessage(plan.zone)
    unsigned.replace("shop", 2, "A", "10.60.0.11")
    refused = dns.query.tcp(unsigned, plan.dns_address, port=plan.dns_port, timeout=5)
    assert refused.rcode() in (dns.rcode.REFUSED, dns.rcode.NOTAUTH)
    with pytest.raises(dns.tsig.PeerBadSignature):
        update(plan, "d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXk=")
    assert shop_address(plan) == before
    try:
        assert update(plan, read_secret(plan, TSIG_KEY)) == dns.rcode.NOERROR
        assert shop_address(plan) == ("10.60.0.11", 2)
    finally:
        update(plan, read_secret(plan, TSIG_KEY), plan.elb_public, 300)
    assert shop_address(plan) == before


def round_trip_ms(plan: Plan) -> float:
    url = f"http://{plan.moto_public}:{plan.moto_port}/moto-api/"
    times = []
    for _ in range(5):
        started = time.perf_counter()
        urllib.request.urlopen(url, timeout=5).close()
        times.append((time.perf_counter() - started) * 1000)
    return min(times)


def test_the_link_delays_and_can_be_cut_and_mended(site: Site) -> None:
    plan = site[0]
    delayed = round_trip_ms(plan)
    set_delay(plan, on=False)
    try:
        plain = round_trip_ms(plan)
    finally:
        set_delay(plan)
        set_delay(plan)
    assert plan.link_delay_ms - 2 <= delayed - plain <= plan.link_delay_ms + 25
    set_way(plan, "aws-api", up=False)
    try:
        with pytest.raises(OSError, match="refused"):
            round_trip_ms(plan)
    finally:
        set_way(plan, "aws-api", up=True)
    assert round_trip_ms(plan) >= plan.link_delay_ms - 2


def test_the_capture_is_what_the_edge_logged(site: Site, shop: ShopProcesses) -> None:
    plan = site[0]
    wait_for_edge(plan)
    assert make_capture(plan, requests=300) == 300
    lines = plan.capture.read_text().splitlines()
    assert len(lines) == 300
    assert all(line.split('"')[1].startswith("GET /") and line.endswith('"') for line in lines)
    assert len({line.split('"')[1] for line in lines}) > 50


def wait_for_edge(plan: Plan) -> None:
    end = time.monotonic() + 10
    while b"UP" not in ask_edge(plan, "show stat source 2 -1"):
        assert time.monotonic() < end, "the edge never saw the shop"
        time.sleep(0.1)


class Customers:
    def __init__(self, plan: Plan, log: Path) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rehearsal.customers", "--dns", plan.dns_address, "--dns-port",
             str(plan.dns_port), "--name", plan.shop_name, "--port", str(plan.http_port), "--rps", "100",
             "--seconds", "60", "--log", str(log)],
            stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
        )  # fmt: skip

    def stop(self) -> dict[str, Any]:
        """Send them home; their summary."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        summary: dict[str, Any] = json.loads(out)
        return summary

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def report_of(plan: Plan, log: Path) -> OrderReport:
    table = [
        OrderRow(r["id"], r["token"], r["site"]) for r in rows(plan, "SELECT id, token, site FROM orders")
    ]
    return compare_orders(read_checkouts(log.read_text().splitlines()), table)


def test_customers_buy_and_every_acknowledged_order_stands_once(
    site: Site, shop: ShopProcesses, tmp_path: Path
) -> None:
    plan = site[0]
    wait_for_edge(plan)
    customers = Customers(plan, tmp_path / "customers.jsonl")
    time.sleep(4)
    summary, entries = customers.stop(), customers.entries()
    assert summary["requests"] == len(entries) > 200
    assert summary["failed"] == 0
    assert summary["sites"] == {"aws": len(entries)}
    report = report_of(plan, customers.log)
    assert report.sound
    assert report.acknowledged == report.placed == summary["orders_acknowledged"] > 5


def test_customers_follow_the_name_when_its_ttl_is_over(
    site: Site, shop: ShopProcesses, tmp_path: Path
) -> None:
    plan = site[0]
    wait_for_edge(plan)
    oslo = "127.60.0.11"
    shop.start("shop-oslo", f"{oslo}:{plan.http_port}", SITE="oslo")
    secret = read_secret(plan, TSIG_KEY)
    assert update(plan, secret, plan.elb_public, ttl_s=1) == dns.rcode.NOERROR
    try:
        customers = Customers(plan, tmp_path / "customers.jsonl")
        time.sleep(3)
        changed_at = time.time()
        assert update(plan, secret, oslo, ttl_s=1) == dns.rcode.NOERROR
        time.sleep(3)
        summary, entries = customers.stop(), customers.entries()
    finally:
        update(plan, secret, plan.elb_public, 300)
    assert summary["failed"] == 0
    before = {entry["site"] for entry in entries if entry["t"] < changed_at - 0.3}
    after = {entry["site"] for entry in entries if entry["t"] > changed_at + 1.5}
    assert (before, after) == ({"aws"}, {"oslo"})
    report = report_of(plan, customers.log)
    assert report.sound and set(report.by_site) == {"aws", "oslo"}


def test_no_order_is_lost_or_doubled_while_the_way_to_the_primary_breaks(
    site: Site, shop: ShopProcesses
) -> None:
    """A commit whose answer got lost is the hard case: the shop must find out by the token."""
    plan = site[0]
    listen = f"127.60.0.12:{free_port()}"
    far = f"{plan.rds_public}:{plan.mariadb_port}"
    shop.start("shop-far", listen, SITE="oslo", DB_PRIMARY=far)
    answers: list[Checkout] = []
    over = threading.Event()

    def buy(buyer: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            session = f"cut-{buyer}-{number}"
            put = Asked(plan, "POST", "/cart", to=listen, session=session, product=4, quantity=1)
            assert put.status == 200
            got = Asked(plan, "POST", "/checkout", to=listen, session=session, token=session)
            order = json.loads(got.body)["order"] if got.status in (200, 201) else None
            answers.append(Checkout(session, order))

    buyers = [threading.Thread(target=buy, args=(buyer,)) for buyer in range(4)]
    for thread in buyers:
        thread.start()
    try:
        for pause_s in (0.31, 0.17, 0.23, 0.41, 0.13, 0.73, 0.29, 0.97, 0.53):
            time.sleep(pause_s)
            set_way(plan, "rds", up=False)
            time.sleep(0.2)
            set_way(plan, "rds", up=True)
    finally:
        over.set()
        for thread in buyers:
            thread.join()
    table = [
        OrderRow(r["id"], r["token"], r["site"]) for r in rows(plan, "SELECT id, token, site FROM orders")
    ]
    report = compare_orders(answers, table)
    assert [answer.token for answer in answers if answer.order is None] == []
    assert report.sound
    assert report.acknowledged == report.placed == len(answers) > 10
